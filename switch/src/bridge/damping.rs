//! Damping of stations that move too often.
//!
//! Theory of operation. A host that is moved to another port moves once. A station that appears on
//! two ports in turn is two hosts with one address, a bond that alternates between its ports, a
//! group of gateways that share an address, a loop, or an attacker that uses another station's
//! address. Each move diverts the frames for the station. The table counts a station's moves. If
//! there are more than [`Damping::moves`] within [`Damping::within`], the entry returns to the port
//! where it was before the first of them and is held there, so the original station keeps receiving
//! its frames. Only learnt entries are damped. The station's own frames pass whichever port they
//! arrive on, since most stations that move so often are legitimate. The entry moves at once when
//! the station has become silent on the port where it is held.

use std::time::Duration;

use super::PortId;
use crate::frame::Timestamp;

/// When a station moves too often, and how long its entry is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Damping {
    /// The moves that are allowed; at most [`Damping::MAX_MOVES`]. Zero disables damping.
    pub moves: u8,
    /// The period in which they are counted; at most a minute.
    pub within: Duration,
    /// How long the entry is held at most while the station is seen on that port; at most ten
    /// minutes.
    pub hold: Duration,
}

impl Damping {
    /// The greatest number of moves that are counted.
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
    /// 30 moves per second; held for five seconds.
    fn default() -> Self {
        Self {
            moves: 30,
            within: Duration::from_secs(1),
            hold: Duration::from_secs(5),
        }
    }
}

/// A station that was silent for this long on the port where it is held is no longer held.
const SILENCE: Duration = Duration::from_secs(1);

/// A time in units of 2^24 ns, about 17 ms, which wraps every 18 minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beat(u16);

const BEAT_SHIFT: u32 = 24;

impl Beat {
    pub(super) const ZERO: Self = Self(0);

    #[expect(clippy::cast_possible_truncation, reason = "it wraps")]
    fn at(now: Timestamp) -> Self {
        Self((now.as_nanos() >> BEAT_SHIFT) as u16)
    }

    /// Reports whether less than `span` has passed since.
    fn is_within(self, span: Duration, now: Timestamp) -> bool {
        let beats = Self::at(now).0.wrapping_sub(self.0);
        u128::from(beats) << BEAT_SHIFT < span.as_nanos()
    }
}

/// The moves of one station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moves {
    /// How many moves; [`Moves::HELD`] for a held station.
    pub(super) count: u8,
    /// When the first move was, or when the station began to be held.
    pub(super) since: Beat,
    /// The port before the first move.
    pub(super) home: PortId,
}

/// The decision about a station that is seen on another port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The entry moves.
    Moves,
    /// The station has moved too often: its entry is held from now on.
    TooMany,
    /// The entry is held.
    Held,
}

impl Moves {
    /// No moves.
    pub(super) const NONE: Self = Self {
        count: 0,
        since: Beat::ZERO,
        home: PortId(0),
    };
    const HELD: u8 = u8::MAX;

    /// Counts a move away from `from`, where the station was last seen at `seen`, and decides about
    /// it.
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

    /// Reports whether the entry is held now.
    pub(super) fn is_held(self, now: Timestamp, damping: &Damping) -> bool {
        self.count == Self::HELD && damping.moves > 0 && self.since.is_within(damping.hold, now)
    }

    /// Discards old moves before their time wraps.
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
    fn a_station_that_exceeds_the_limit_of_moves_is_held_for_a_while() {
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
    fn a_station_is_not_held_on_a_port_where_it_is_silent() {
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
    fn old_moves_are_discarded() {
        let mut moves = Moves::NONE;
        moves.judge(at(0), HOME, at(0), &DAMPING);
        moves.calm(at(4000), &DAMPING);
        assert_eq!(moves.count, 1);
        moves.calm(at(6000), &DAMPING);
        assert_eq!(moves, Moves::NONE);
    }
}
