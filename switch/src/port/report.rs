//! Reports the outcomes of frames that a port was given to send.

use arrayvec::ArrayVec;

use crate::frame::{BATCH, Counters, DropReason, Outcome};

/// The outcomes of the frames of a batch, in order.
pub type Outcomes = ArrayVec<Outcome, BATCH>;

/// Receives a port's reports about the frames that it was given to send: one per frame, in the
/// order in which it was given them.
///
/// Counters and captures are based on this report. A frame without a report is counted as dropped
/// for [`DropReason::EgressError`].
#[derive(Debug)]
pub struct TxReport<'a> {
    counters: &'a mut Counters,
    outcomes: Option<&'a mut Outcomes>,
    reported: usize,
}

impl<'a> TxReport<'a> {
    /// Creates a report that only updates the counters.
    #[must_use]
    pub const fn new(counters: &'a mut Counters) -> Self {
        Self {
            counters,
            outcomes: None,
            reported: 0,
        }
    }

    /// Creates a report that also appends each outcome to `outcomes`.
    #[must_use]
    pub const fn watched(counters: &'a mut Counters, outcomes: &'a mut Outcomes) -> Self {
        Self {
            counters,
            outcomes: Some(outcomes),
            reported: 0,
        }
    }

    /// Reports that the next `frames` frames, of `bytes` bytes in total, were sent.
    #[inline]
    pub fn sent(&mut self, frames: usize, bytes: usize) {
        self.counters.tx.add(frames as u64, bytes as u64);
        self.note(frames, Outcome::Passed);
    }

    /// Reports that the next `frames` frames were dropped for `reason`.
    #[inline]
    pub fn dropped(&mut self, reason: DropReason, frames: usize) {
        self.counters.drops.add(reason, frames as u64);
        self.note(frames, Outcome::Dropped(reason));
    }

    /// Ends the report about `frames`: frames without a report are counted as dropped.
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
