//! Ports that are prepared before they are wanted.
//!
//! The kernel takes ten milliseconds and more for the sockets of a port, most of which it waits.
//! Other threads wait for it in advance, side by side, so that whoever attaches hundreds of
//! namespaces waits for hardly any of it.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use vswitch_switch::port::{PacketOptions, PreparedPort};

/// How many are made ahead. The kernel holds their rings meanwhile, 2 MiB each.
const SPARES: usize = 4;

/// Prepared ports, in the network namespace of the daemon.
pub(super) struct Spares {
    sender: Sender<PreparedPort>,
    receiver: Receiver<PreparedPort>,
    /// Those that are made or being made.
    ordered: usize,
}

impl Spares {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self {
            sender,
            receiver,
            ordered: 0,
        }
    }

    /// Has some made ahead. To be called, as all else here, in the daemon's namespace.
    pub(super) fn order(&mut self, options: &PacketOptions) {
        while self.ordered < SPARES {
            let (sender, options) = (self.sender.clone(), options.clone());
            let thread = thread::Builder::new().name("prepare".to_owned());
            let spawned = thread.spawn(move || {
                // It fails if the daemon ends meanwhile: then nobody wants it.
                let _ = sender.send(PreparedPort::new(&options));
            });
            if let Err(error) = spawned {
                log::debug!("no thread to prepare a port: {error}");
                return;
            }
            self.ordered += 1;
        }
    }

    /// A prepared port. Has the next one made at once.
    pub(super) fn take(&mut self, options: &PacketOptions) -> PreparedPort {
        self.order(options);
        if self.ordered == 0 {
            return PreparedPort::new(options);
        }
        let prepared = self.receiver.recv();
        self.ordered -= 1;
        self.order(options);
        // It does not fail while there is a sender here.
        prepared.unwrap_or_else(|_| PreparedPort::new(options))
    }
}
