//! Ports that are prepared before they are wanted.
//!
//! The kernel takes ten milliseconds and more for the sockets of a port, most of which it waits.
//! Other threads wait for it in advance, side by side, so that whoever attaches hundreds of
//! namespaces waits for hardly any of it.

use std::collections::VecDeque;
use std::thread::JoinHandle;

use vswitch_switch::port::{PacketOptions, PreparedPort};
use vswitch_switch::threads;

/// How many are made ahead. The kernel holds their rings meanwhile, 2 MiB each.
const SPARES: usize = 4;

/// Prepared ports, in the network namespace of the daemon, the one ordered first at the front.
#[derive(Default)]
pub(super) struct Spares {
    ordered: VecDeque<Spare>,
}

struct Spare {
    options: PacketOptions,
    thread: JoinHandle<PreparedPort>,
}

impl Spares {
    /// Has some made ahead. To be called, as all else here, in the daemon's namespace.
    pub(super) fn order(&mut self, options: &PacketOptions) {
        while self.ordered.len() < SPARES {
            let wanted = options.clone();
            match threads::spawn("prepare", move || PreparedPort::new(&wanted)) {
                Ok(thread) => self.ordered.push_back(Spare {
                    options: options.clone(),
                    thread,
                }),
                Err(error) => {
                    log::debug!("no thread to prepare a port: {error}");
                    return;
                }
            }
        }
    }

    /// A prepared port. Has the next one made at once.
    pub(super) fn take(&mut self, options: &PacketOptions) -> PreparedPort {
        self.order(options);
        let spare = self.ordered.pop_front();
        self.order(options);
        let fitting = spare.filter(|spare| spare.options == *options);
        match fitting.map(|spare| spare.thread.join()) {
            Some(Ok(prepared)) if prepared.is_complete() => prepared,
            // What failed then may succeed now, and if not, it says why.
            _ => PreparedPort::new(options),
        }
    }
}
