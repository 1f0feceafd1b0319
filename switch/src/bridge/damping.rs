//! Stations that move too often.
//!
//! Theory of operation. A host that moves to another port does so once. A station that is heard
//! here and there in turn is two hosts with one address, a bond that uses its ports in turn, gateways
//! that share an address, a loop, or somebody who takes another's address; each of its moves sends
//! what others have for it elsewhere. The table counts the moves of a station from the first on.
//! More than so many in so short a time, and its entry stays for a while where it was before the
//! first of them: whoever was there first goes on getting its frames. Only what is learnt is
//! damped. The station's own frames pass wherever they come from, since most of those that move so
//! often are honest. The entry moves at once when the station has fallen silent where it is held.

use std::time::Duration;

use super::PortId;
use crate::frame::Timestamp;

/// When a station moves too often, and what becomes of it then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Damping {
    /// So many moves are followed; at most [`Damping::MAX_MOVES`]. Zero damps nothing.
    pub moves: u8,
    /// In so short a time; at most a minute.
    pub within: Duration,
    /// So long its entry stays where it was, at most, while the station is heard there; at most ten
    /// minutes.
    pub hold: Duration,
}

impl Damping {
    /// More moves are not counted.
    pub const MAX_MOVES: u8 = 253;
    const MAX_WITHIN: Duration = Duration::from_secs(60);
    const MAX_HOLD: Duration = Duration::from_secs(600);

    pub(super) fn clamped(self) -> Self {
        Self {
            moves: self.moves.min(Self::MAX_MOVES),
            within: self.within.min(Self::MAX_WITHIN),
            hold: self.hold.min(Self::MAX_HOLD),
        }
    }
}

impl Default for Damping {
    /// 30 moves in a second; held for five seconds.
    fn default() -> Self {
        Self {
            moves: 30,
            within: Duration::from_secs(1),
            hold: Duration::from_secs(5),
        }
    }
}

/// So long a station is heard nowhere else, and it is not held there any more.
const SILENCE: Duration = Duration::from_secs(1);

/// A moment in units of 2^24 ns, about 17 ms, that comes round every 18 minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beat(u16);

const BEAT_SHIFT: u32 = 24;

impl Beat {
    pub(super) const ZERO: Self = Self(0);

    #[expect(clippy::cast_possible_truncation, reason = "it comes round")]
    fn at(now: Timestamp) -> Self {
        Self((now.as_nanos() >> BEAT_SHIFT) as u16)
    }

    /// Whether less than `span` has passed since.
    fn is_within(self, span: Duration, now: Timestamp) -> bool {
        let beats = Self::at(now).0.wrapping_sub(self.0);
        u128::from(beats) << BEAT_SHIFT < span.as_nanos()
    }
}

/// The moves of one station so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moves {
    /// How many; [`Moves::HELD`] for one that is held.
    pub(super) count: u8,
    /// When the first was, or when it began to be held.
    pub(super) since: Beat,
    /// Where the station was before the first.
    pub(super) home: PortId,
}

/// What becomes of a station that is heard on another port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It moves there.
    Moves,
    /// It has moved too often: from now on it is held.
    TooMany,
    /// It is held where it is.
    Held,
}

impl Moves {
    /// None yet.
    pub(super) const NONE: Self = Self {
        count: 0,
        since: Beat::ZERO,
        home: PortId(0),
    };
    const HELD: u8 = u8::MAX;

    /// Judges one more move, from `from`, where nothing was heard since `seen`, and counts it.
    pub(super) fn judge(
        &mut self,
        now: Timestamp,
        from: PortId,
        seen: Timestamp,
        damping: &Damping,
    ) -> Judgement {
        if self.is_held(now, damping) && now.since(seen) < SILENCE {
            return Judgement::Held;
        }
        let goes_on = self.count != Self::HELD && self.since.is_within(damping.within, now);
        if self.count == 0 || !goes_on {
            *self = Self {
                count: 1,
                since: Beat::at(now),
                home: from,
            };
            return Judgement::Moves;
        }
        if damping.moves == 0 || self.count < damping.moves {
            self.count = self.count.saturating_add(1).min(Self::HELD - 1);
            return Judgement::Moves;
        }
        self.count = Self::HELD;
        self.since = Beat::at(now);
        Judgement::TooMany
    }

    /// Whether the station is held now.
    pub(super) fn is_held(self, now: Timestamp, damping: &Damping) -> bool {
        self.count == Self::HELD && damping.moves > 0 && self.since.is_within(damping.hold, now)
    }

    /// Forgets what was long ago, before its time comes round.
    pub(super) fn calm(&mut self, now: Timestamp, damping: &Damping) {
        if self.count > 0 && !self.since.is_within(damping.hold.max(damping.within), now) {
            *self = Self::NONE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAMPING: Damping = Damping {
        moves: 3,
        within: Duration::from_secs(1),
        hold: Duration::from_secs(5),
    };
    const HOME: PortId = PortId(7);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_secs(1000) + Duration::from_millis(millis)
    }

    #[test]
    fn one_move_too_many_and_the_station_is_held_for_a_while() {
        let mut moves = Moves::NONE;
        for time in [0, 100, 200] {
            assert_eq!(
                moves.judge(at(time), HOME, at(time), &DAMPING),
                Judgement::Moves
            );
        }
        let judged = moves.judge(at(300), PortId(8), at(300), &DAMPING);
        assert_eq!((judged, moves.home), (Judgement::TooMany, HOME));
        for time in [300, 2000, 5200] {
            assert_eq!(
                moves.judge(at(time), HOME, at(time), &DAMPING),
                Judgement::Held
            );
        }
        let again = moves.judge(at(5400), PortId(9), at(5400), &DAMPING);
        assert_eq!((again, moves.home), (Judgement::Moves, PortId(9)));
    }

    #[test]
    fn a_station_is_not_held_where_it_is_silent() {
        let mut moves = Moves::NONE;
        for _ in 0..4 {
            moves.judge(at(0), HOME, at(0), &DAMPING);
        }
        let late = |seen| { moves }.judge(at(1500), HOME, at(seen), &DAMPING);
        assert_eq!(late(501), Judgement::Held);
        assert_eq!(late(500), Judgement::Moves);
    }

    #[test]
    fn moves_far_enough_apart_are_never_too_many() {
        let mut moves = Moves::NONE;
        for time in 0..1000 {
            let judged = moves.judge(at(time * 400), HOME, at(0), &DAMPING);
            assert_eq!(judged, Judgement::Moves);
        }
    }

    #[test]
    fn without_damping_nothing_is_held_however_often_it_moves() {
        let off = Damping {
            moves: 0,
            ..DAMPING
        };
        let mut moves = Moves::NONE;
        for _ in 0..1000 {
            assert_eq!(moves.judge(at(0), HOME, at(0), &off), Judgement::Moves);
        }
        let mut held = Moves::NONE;
        for _ in 0..10 {
            held.judge(at(0), HOME, at(0), &DAMPING);
        }
        assert!(held.is_held(at(1), &DAMPING) && !held.is_held(at(1), &off));
        assert_eq!(held.judge(at(1), HOME, at(1), &off), Judgement::Moves);
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut moves = Moves::NONE;
        moves.judge(at(0), HOME, at(0), &DAMPING);
        moves.calm(at(4000), &DAMPING);
        assert_eq!(moves.count, 1);
        moves.calm(at(6000), &DAMPING);
        assert_eq!(moves, Moves::NONE);
    }
}
