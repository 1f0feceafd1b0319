//! Detects a receive ring that has stalled.
//!
//! If a virtio header cannot describe a frame's offload, such as segmentation of SCTP, the kernel
//! drops the frame after it has reserved a slot for it, and the slot stays reserved (`tpacket_rcv`,
//! `rx_owner_map`). All later frames are then dropped as well, permanently. Each of them still
//! wakes the switch, as `ring.rs` explains. So frames that are lost although the ring was never
//! full show that it has stalled.

use std::io;
use std::os::fd::AsFd;
use std::thread::JoinHandle;

use super::source::Source;
use super::sys::{self, Slots};
use crate::frame::DropReason;
use crate::port::Counters;
use crate::threads;

/// The state of the detection.
#[derive(Debug, Default)]
pub(super) struct Standstill {
    /// How many frames had been taken from the ring when losses were last read.
    taken: usize,
    has_jammed: bool,
}

impl Standstill {
    /// Reports whether the ring has stalled.
    pub(super) const fn has_jammed(&self) -> bool {
        self.has_jammed
    }

    /// Takes over the state of another process: how far the ring was read when losses were last
    /// read.
    pub(super) const fn taken_over(taken: usize) -> Self {
        Self {
            taken,
            has_jammed: false,
        }
    }

    /// The state of an abandoned ring that may not be removed yet.
    pub(super) const fn jammed() -> Self {
        Self {
            taken: 0,
            has_jammed: true,
        }
    }

    /// Returns how far the ring was read when losses were last read.
    pub(super) const fn taken(&self) -> usize {
        self.taken
    }

    /// Counts the losses since the last call, and detects from them whether the ring has stalled.
    /// None of `slots` must have been read yet.
    pub(super) fn ask(&mut self, slots: &Slots<'_>, source: &Source, counters: &mut Counters) {
        match sys::take_drops(source.socket().as_fd()) {
            Ok(lost) => self.judge(slots, lost, counters),
            Err(error) => log::debug!("cannot read the losses of a ring: {error}"),
        }
    }

    /// Frames are lost if every slot is filled, being filled, or held here. In a stalled ring no
    /// slot is filled, and only the last is held. If a ring was full and is empty now, all its
    /// frames have been taken. A ring that is full at this moment is not empty, even if a slow CPU
    /// has not yet filled the next slot while others have filled later ones.
    fn judge(&mut self, slots: &Slots<'_>, lost: u32, counters: &mut Counters) {
        let taken = slots.taken().wrapping_sub(self.taken);
        self.taken = slots.taken();
        self.has_jammed |= lost > 0 && !slots.may_have_been_full(taken) && slots.are_empty();
        let reason = if self.has_jammed {
            DropReason::RxUnsupportedOffload
        } else {
            DropReason::RxOverflow
        };
        counters.drops.add(reason, lost.into());
    }
}

/// A socket whose stalled ring another thread removes: that takes the kernel ten milliseconds and
/// more, during which no other port must wait.
#[derive(Debug)]
pub(super) struct Leaving(Option<JoinHandle<io::Result<()>>>);

impl Leaving {
    /// Starts the removal, after the ring was unmapped.
    pub(super) fn begin(source: &Source) -> Self {
        let begun = source.socket().try_clone().and_then(|socket| {
            threads::spawn("leave-ring", move || sys::remove_ring(socket.as_fd()))
        });
        Self(begun.ok())
    }

    /// Returns whether the ring is gone; `None` while that is not known. A failed removal is
    /// retried: while any process has the ring mapped, it fails at once.
    pub(super) fn has_ended(&mut self, source: &Source) -> Option<io::Result<()>> {
        if self.0.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return None;
        }
        match self.0.take().map(JoinHandle::join) {
            Some(Ok(Ok(()))) => Some(Ok(())),
            _ => Some(sys::remove_ring(source.socket().as_fd())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::packet::sys::Ring;

    const SLOTS: usize = 128;

    /// A ring, its detection, and the counters.
    struct Case {
        ring: Ring,
        standstill: Standstill,
        counters: Counters,
    }

    impl Case {
        fn new() -> Self {
            Self {
                ring: Ring::of_nobody(SLOTS),
                standstill: Standstill::default(),
                counters: Counters::default(),
            }
        }

        fn take(&mut self, frames: usize) {
            for _ in 0..frames {
                self.ring.slots().skip(1);
            }
        }

        fn has_jammed_after(&mut self, lost: u32) -> bool {
            let slots = self.ring.slots();
            self.standstill.judge(&slots, lost, &mut self.counters);
            self.standstill.has_jammed()
        }

        fn counted(&self, reason: DropReason) -> u64 {
            self.counters.drops.get(reason)
        }
    }

    #[test]
    fn a_loss_in_a_ring_that_has_room_tells_of_a_jam_at_once() {
        let mut case = Case::new();
        assert!(!case.has_jammed_after(0));
        case.take(30);
        assert!(case.has_jammed_after(1));
        assert_eq!(case.counted(DropReason::RxUnsupportedOffload), 1);
    }

    #[test]
    fn losses_of_a_ring_that_was_full_tell_nothing() {
        let mut case = Case::new();
        case.take(SLOTS - 1);
        assert!(!case.has_jammed_after(500));
        assert_eq!(case.counted(DropReason::RxOverflow), 500);
        assert!(
            case.has_jammed_after(1),
            "but one that comes after that does"
        );
    }

    #[test]
    fn a_slot_that_is_being_filled_for_long_is_no_jam() {
        let mut case = Case::new();
        assert!(!case.has_jammed_after(0));
        // The next slot is not filled, because its CPU is delayed; meanwhile others were, until the
        // ring was full.
        for behind in [1, 2, SLOTS - 2] {
            case.ring.fill(behind);
            assert!(!case.has_jammed_after(40), "{behind}");
        }
        assert_eq!(case.counted(DropReason::RxOverflow), 120);
    }

    #[test]
    fn a_ring_that_was_filled_after_it_was_found_empty_is_no_jam() {
        let mut case = Case::new();
        for slot in 0..SLOTS - 1 {
            case.ring.fill(slot);
        }
        assert!(!case.has_jammed_after(7));
    }
}
