//! A ring through which nothing comes any more.
//!
//! A frame whose offload a virtio header has no words for, such as segmentation of SCTP, is
//! dropped by the kernel after it has taken a slot for it, and the slot stays taken
//! (`tpacket_rcv`, `rx_owner_map`): all frames that follow are dropped as well, for ever. Each of
//! them still wakes the switch, as `ring.rs` has it. So frames that are lost although the ring was
//! never full tell of it.

use std::io;
use std::os::fd::AsFd;
use std::thread::JoinHandle;

use super::source::Source;
use super::sys::{self, Slots};
use crate::frame::DropReason;
use crate::port::Counters;
use crate::threads;

/// What is known of a ring in which there was nothing.
#[derive(Debug, Default)]
pub(super) struct Standstill {
    /// What the ring had taken when losses were last asked for.
    taken: usize,
    has_jammed: bool,
}

impl Standstill {
    /// Whether it was found that the ring has jammed.
    pub(super) const fn has_jammed(&self) -> bool {
        self.has_jammed
    }

    /// What was known in another process: how far the ring was read when losses were last asked
    /// for.
    pub(super) const fn taken_over(taken: usize) -> Self {
        Self {
            taken,
            has_jammed: false,
        }
    }

    /// Of a ring that was left, and that may not be gone yet.
    pub(super) const fn jammed() -> Self {
        Self {
            taken: 0,
            has_jammed: true,
        }
    }

    /// How far the ring was read when losses were last asked for.
    pub(super) const fn taken(&self) -> usize {
        self.taken
    }

    /// Counts what was lost since the last call, and learns from it whether the ring has jammed.
    /// None of `slots` has been read yet.
    pub(super) fn ask(&mut self, slots: &Slots<'_>, source: &Source, counters: &mut Counters) {
        match sys::take_drops(source.socket().as_fd()) {
            Ok(lost) => self.judge(slots, lost, counters),
            Err(error) => log::debug!("cannot read the losses of a ring: {error}"),
        }
    }

    /// Frames are lost if every slot is filled, or being filled, or held here. In a jam none is
    /// filled, and none but the last is held. A ring that was full and is empty now has had all its
    /// frames taken. One that is full at this moment is not empty, even if a processor that is to
    /// fill the next slot takes its time, while others have filled those behind it.
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

/// A socket from which a jammed ring is being taken away, by another thread: the kernel takes ten
/// milliseconds and more for it, in which no other port is to wait.
#[derive(Debug)]
pub(super) struct Leaving(Option<JoinHandle<io::Result<()>>>);

impl Leaving {
    /// Begins, once the ring is not mapped any more.
    pub(super) fn begin(source: &Source) -> Self {
        let begun = source.socket().try_clone().and_then(|socket| {
            threads::spawn("leave-ring", move || sys::remove_ring(socket.as_fd()))
        });
        Self(begun.ok())
    }

    /// Whether the ring is gone; `None` while that is not known. What has failed is tried again: as
    /// long as somebody has the ring mapped, that takes no time.
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

    /// A ring, what is known of it, and what was counted.
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
        // The next one is not, by a processor that is held up; meanwhile others were, until the
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
