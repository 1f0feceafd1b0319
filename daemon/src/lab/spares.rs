//! Ports that are prepared before they are wanted.
//!
//! The kernel takes ten milliseconds and more for the sockets of a port, most of which it waits.
//! Other threads wait for it in advance, side by side, so that whoever attaches hundreds of
//! namespaces waits for hardly any of it. What nobody wants for a while is closed again: it would
//! cost memory, and the time that the kernel takes for a process which is killed.

use std::collections::VecDeque;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use vswitch_switch::port::{PacketOptions, PreparedPort};
use vswitch_switch::threads;

/// How many are made ahead. The kernel holds their rings meanwhile, 3.5 MiB each.
const SPARES: usize = 4;
/// How long one waits to be wanted.
const LAPSE: Duration = Duration::from_secs(1);

/// Prepared ports, in the network namespace of the daemon, the one ordered first at the front.
#[derive(Default)]
pub(super) struct Spares {
    ordered: VecDeque<Spare>,
}

struct Spare {
    options: PacketOptions,
    /// A thread offers it there, until it has lapsed.
    offer: Receiver<PreparedPort>,
}

impl Spares {
    /// Has some made ahead. To be called, as all else here, in the daemon's namespace.
    pub(super) fn order(&mut self, options: &PacketOptions) {
        while self.ordered.len() < SPARES {
            // Of no size: it is the thread's until somebody takes it.
            let (give, offer) = bounded(0);
            let wanted = options.clone();
            let prepare = move || drop(give.send_timeout(PreparedPort::new(&wanted), LAPSE));
            match threads::spawn("prepare", prepare) {
                // Nobody waits for its end: it closes what was not taken.
                Ok(_) => self.ordered.push_back(Spare {
                    options: options.clone(),
                    offer,
                }),
                Err(error) => {
                    log::debug!("no thread to prepare a port: {error}");
                    return;
                }
            }
        }
    }

    /// A prepared port. Has more made at once.
    pub(super) fn take(&mut self, options: &PacketOptions) -> PreparedPort {
        let mut prepared = None;
        while prepared.is_none()
            && let Some(spare) = self.ordered.pop_front()
        {
            let fits = spare.options == *options;
            prepared = fits.then(|| spare.offer.recv().ok()).flatten();
        }
        self.order(options);
        match prepared {
            Some(prepared) if prepared.is_complete() => prepared,
            // What failed then may succeed now, and if not, it says why.
            _ => PreparedPort::new(options),
        }
    }
}
