//! What became of a frame that was to leave by a port.
//!
//! A port counts what it sends and what it drops, frame by frame, but does not say which frame
//! was which. Mostly that can be told all the same.

use crate::bridge::DropReason;
use crate::port::{BATCH, Counters, Frame, FrameLimit, Selection};

use arrayvec::ArrayVec;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It went on.
    Passed,
    /// It went no further.
    Dropped(DropReason),
    /// It was sent together with others, some of which were dropped for this reason, perhaps
    /// this one.
    Uncertain {
        /// Why.
        reason: DropReason,
        /// How many were dropped ...
        lost: u8,
        /// ... of how many.
        of: u8,
    },
}

/// What became of each of `frames`, between two states of the counters of a port with this limit.
pub(super) fn fates(
    frames: Selection<'_, '_>,
    limit: FrameLimit,
    before: &Counters,
    after: &Counters,
) -> ArrayVec<Fate, BATCH> {
    let mut fates: ArrayVec<_, BATCH> = frames.iter().take(BATCH).map(|_| Fate::Passed).collect();
    let mut lost: ArrayVec<(DropReason, usize), { DropReason::ALL.len() }> = DropReason::ALL
        .into_iter()
        .map(|reason| {
            let more = after.drops.get(reason) - before.drops.get(reason);
            (reason, usize::try_from(more).unwrap_or(usize::MAX))
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    if lost.is_empty() {
        return fates;
    }
    lost.retain(|(reason, count)| {
        let too_long = |frame: &&Frame<'_>| limit.refuses(frame) == Some(*reason);
        if frames.iter().filter(too_long).count() != *count {
            return true;
        }
        for (fate, frame) in fates.iter_mut().zip(frames.iter()) {
            if too_long(&frame) {
                *fate = Fate::Dropped(*reason);
            }
        }
        false
    });
    let left = fates.iter().filter(|fate| **fate == Fate::Passed).count();
    for (reason, count) in lost {
        mark(&mut fates, reason, count, left);
    }
    fates
}

/// Marks `count` of the `left` frames that are thought to have passed.
fn mark(fates: &mut [Fate], reason: DropReason, count: usize, left: usize) {
    let passed = fates.iter_mut().filter(|fate| **fate == Fate::Passed);
    // Once a link is down, nothing is sent any more: those are the last.
    if reason == DropReason::EgressDown || count == left {
        passed
            .rev()
            .take(count)
            .for_each(|fate| *fate = Fate::Dropped(reason));
        return;
    }
    let small = |number| u8::try_from(number).unwrap_or(u8::MAX);
    passed.for_each(|fate| {
        *fate = Fate::Uncertain {
            reason,
            lost: small(count),
            of: small(left),
        };
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &[u8] = &[2; 60];
    const LONG: &[u8] = &[2; 1515];

    fn fates_of(frames: &[&[u8]], lost: &[(DropReason, u64)]) -> Vec<Fate> {
        let frames: Vec<_> = frames.iter().map(|bytes| Frame::finished(bytes)).collect();
        let indices: Vec<u8> = (0..).take(frames.len()).collect();
        let before = Counters::default();
        let mut after = before;
        for (reason, count) in lost {
            after.drops.add(*reason, *count);
        }
        let selection = Selection::new(&frames, &indices);
        fates(selection, FrameLimit::of(1500), &before, &after).to_vec()
    }

    #[test]
    fn what_is_certain_is_said_and_what_is_not_is_not() {
        use DropReason::{EgressDown, EgressFull, EgressTooBig};
        use Fate::{Dropped, Passed};
        assert_eq!(fates_of(&[SHORT; 3], &[]), [Passed; 3]);
        assert_eq!(
            fates_of(&[SHORT, LONG, SHORT], &[(EgressTooBig, 1)]),
            [Passed, Dropped(EgressTooBig), Passed]
        );
        assert_eq!(
            fates_of(&[SHORT, SHORT, SHORT], &[(EgressDown, 2)]),
            [Passed, Dropped(EgressDown), Dropped(EgressDown)]
        );
        let perhaps = Fate::Uncertain {
            reason: EgressFull,
            lost: 1,
            of: 2,
        };
        assert_eq!(
            fates_of(&[LONG, SHORT, SHORT], &[(EgressTooBig, 1), (EgressFull, 1)]),
            [Dropped(EgressTooBig), perhaps, perhaps]
        );
        assert_eq!(
            fates_of(&[SHORT, SHORT], &[(EgressFull, 2)]),
            [Dropped(EgressFull); 2]
        );
    }
}
