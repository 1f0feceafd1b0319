//! Packet sockets for the ports: how large their rings are, and how they are opened and closed.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use vswitch_switch::Port;
use vswitch_switch::port::{PacketError, PacketOptions, PacketPort, PreparedPort, ReceivePath};
use vswitch_switch::threads;

use super::spares::Spares;
use vswitch_control::settings::{Number, SwitchSettings};

/// Slots in the rings of the ports up to that number, where no number of slots was chosen: 56 MiB
/// for the first 16 ports, 28 MiB for the next 16. The kernel never swaps a ring: hundreds of large
/// ones would be gigabytes.
const LARGE_RINGS: [(usize, usize); 2] = [(16, 2048), (32, 1024)];
/// Slots in the ring of any further port: 448 KiB.
const SMALL_RING_SLOTS: usize = 256;
/// How long a process that was killed may take to let go of its interfaces.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is tried meanwhile.
pub(super) const INTERVAL: Duration = Duration::from_millis(5);

/// Opens packet ports in the network namespace of the daemon.
pub(super) struct Sockets {
    receive: ReceivePath,
    /// Slots in the ring of each port; if none is chosen, by the number of ports.
    ring_slots: Option<u32>,
    spares: Spares,
    /// Ports whose sockets are being closed, and with them their claims.
    closing: Vec<JoinHandle<()>>,
    /// When the restoration of the ports of a killed switch began.
    recalled_at: Option<Instant>,
}

impl Sockets {
    /// Opens nothing yet, but has the first sockets prepared.
    pub(super) fn new(settings: &SwitchSettings) -> Self {
        let mut sockets = Self {
            receive: settings.receive.unwrap_or_default().path(),
            ring_slots: settings.ring_slots.map(Number::get),
            spares: Spares::default(),
            closing: Vec::new(),
            recalled_at: None,
        };
        let options = sockets.options(0);
        sockets.spares.order(&options);
        sockets
    }

    /// Takes over the size of rings to come.
    pub(super) fn set(&mut self, settings: &SwitchSettings) {
        self.ring_slots = settings.ring_slots.map(Number::get);
    }

    /// The next port of a switch that has `ports`, as far as it can be made without its interface.
    pub(super) fn prepared(&mut self, ports: usize) -> PreparedPort {
        let options = self.options(ports);
        self.spares.take(&options)
    }

    fn options(&self, ports: usize) -> PacketOptions {
        PacketOptions {
            receive: self.receive,
            ring_slots: ring_slots(self.ring_slots, ports),
        }
    }

    /// Notes that the ports of a killed switch are restored from now on.
    pub(super) fn begin_recall(&mut self) {
        self.recalled_at = Some(Instant::now());
    }

    /// Opens an interface, and waits where this switch itself has not closed it yet, or the process
    /// that was killed has not.
    pub(super) fn open_again(
        &mut self,
        interface: &str,
        ports: usize,
    ) -> Result<PacketPort, PacketError> {
        loop {
            match self.prepared(ports).open(interface) {
                Err(PacketError::InUse { .. }) if self.await_end_of_others() => {}
                opened => return opened,
            }
        }
    }

    /// Waits a moment for a port that is being closed; whether there may be one.
    pub(super) fn await_end_of_others(&mut self) -> bool {
        if !self.closing.is_empty() {
            for thread in self.closing.drain(..) {
                let _ = thread.join();
            }
            return true;
        }
        let is_leaving = self.is_predecessor_leaving();
        if is_leaving {
            thread::sleep(INTERVAL);
        }
        is_leaving
    }

    /// Whether the process that was killed may still have interfaces: its lock is free before all
    /// that it had is closed.
    fn is_predecessor_leaving(&self) -> bool {
        self.recalled_at
            .is_some_and(|begin| begin.elapsed() < PATIENCE)
    }

    /// Closes a port in a thread, for which the caller does not wait.
    pub(super) fn close(&mut self, port: Box<dyn Port>) {
        // Nobody has to wait until its ring is gone; without a thread it is closed here and now.
        let closing = threads::spawn("close", move || drop(port));
        self.closing.retain(|thread| !thread.is_finished());
        self.closing.extend(closing);
    }
}

/// Slots in the ring of the next port, where there are so many already.
fn ring_slots(chosen: Option<u32>, ports: usize) -> usize {
    if let Some(slots) = chosen.and_then(|slots| usize::try_from(slots).ok()) {
        return slots;
    }
    let mut large = LARGE_RINGS.into_iter();
    let fitting = large.find(|(up_to, _)| ports < *up_to);
    fitting.map_or(SMALL_RING_SLOTS, |(_, slots)| slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_get_smaller_with_the_number_of_ports_unless_a_size_was_chosen() {
        let slots = |ports| ring_slots(None, ports);
        assert_eq!(
            [0, 15, 16, 31, 32, 499].map(slots),
            [2048, 2048, 1024, 1024, 256, 256]
        );
        assert_eq!(
            [0, 31, 499].map(|ports| ring_slots(Some(4096), ports)),
            [4096; 3]
        );
        // 500 ports: the kernel holds 213 MiB for their rings.
        let held: usize = (0..500).map(|ports| slots(ports) * 2048).sum();
        assert!(held <= 340 << 20, "{held}");
    }
}
