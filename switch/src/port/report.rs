//! What becomes of the frames that a port is given to send.

use arrayvec::ArrayVec;

use crate::frame::{BATCH, Counters, DropReason, Outcome};

/// What became of each frame of a batch, in order.
pub type Outcomes = ArrayVec<Outcome, BATCH>;

/// Where a port says what became of the frames that it was given to send: of each of them once, in
/// the order in which it was given them.
///
/// The frames are counted from this, and captures show it. A frame of which the port says nothing
/// is counted as dropped for [`DropReason::EgressError`].
#[derive(Debug)]
pub struct TxReport<'a> {
    counters: &'a mut Counters,
    outcomes: Option<&'a mut Outcomes>,
    reported: usize,
}

impl<'a> TxReport<'a> {
    /// A report that goes to the counters alone.
    #[must_use]
    pub const fn new(counters: &'a mut Counters) -> Self {
        Self {
            counters,
            outcomes: None,
            reported: 0,
        }
    }

    /// A report that appends what becomes of each frame to `outcomes` as well.
    #[must_use]
    pub const fn watched(counters: &'a mut Counters, outcomes: &'a mut Outcomes) -> Self {
        Self {
            counters,
            outcomes: Some(outcomes),
            reported: 0,
        }
    }

    /// The next `frames`, of so many bytes in all, were sent.
    #[inline]
    pub fn sent(&mut self, frames: usize, bytes: usize) {
        self.counters.tx.add(frames as u64, bytes as u64);
        self.note(frames, Outcome::Passed);
    }

    /// The next `frames` were dropped for `reason`.
    #[inline]
    pub fn dropped(&mut self, reason: DropReason, frames: usize) {
        self.counters.drops.add(reason, frames as u64);
        self.note(frames, Outcome::Dropped(reason));
    }

    /// Ends the report about `frames`: those of which nothing was said are counted as dropped.
    #[inline]
    pub fn finish(mut self, frames: usize) {
        if let Some(missing) = frames.checked_sub(self.reported)
            && missing > 0
        {
            self.dropped(DropReason::EgressError, missing);
        }
    }

    #[inline]
    fn note(&mut self, frames: usize, outcome: Outcome) {
        self.reported += frames;
        if let Some(outcomes) = &mut self.outcomes {
            let room = outcomes.remaining_capacity();
            outcomes.extend(std::iter::repeat_n(outcome, frames.min(room)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_frame_has_one_outcome_and_is_counted_once() {
        let (mut counters, mut outcomes) = (Counters::default(), Outcomes::new());
        let mut report = TxReport::watched(&mut counters, &mut outcomes);
        report.sent(2, 120);
        report.dropped(DropReason::EgressFull, 1);
        report.finish(4);
        let dropped = Outcome::Dropped;
        let expected = [
            Outcome::Passed,
            Outcome::Passed,
            dropped(DropReason::EgressFull),
            dropped(DropReason::EgressError),
        ];
        assert_eq!(outcomes[..], expected);
        assert_eq!((counters.tx.frames, counters.tx.bytes), (2, 120));
        assert_eq!(counters.drops.total(), 2);
    }

    #[test]
    fn a_port_that_says_too_much_does_no_harm() {
        let (mut counters, mut outcomes) = (Counters::default(), Outcomes::new());
        let mut report = TxReport::watched(&mut counters, &mut outcomes);
        report.sent(usize::MAX / 2, 0);
        report.finish(3);
        assert_eq!(outcomes.len(), BATCH);
        assert_eq!(counters.drops.total(), 0);
    }
}
