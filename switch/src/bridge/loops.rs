//! Suspicions of loops, by what comes in.
//!
//! Theory of operation. Where two ports are joined outside, by a cable, a bridge or another
//! switch, a frame that leaves by one comes back by the other, and goes round both ways until
//! something stops it; with each round its sender seems to move from one port to the other. So
//! nothing is looked at until a station moves by a frame that goes to many. Then the last few
//! frames that moved it are remembered by their hashes, for a few stations. The same frame moving
//! its station again, [`REPEATS`] times, is a suspicion.
//!
//! It is not more than that. Two routers with one address announce themselves alike, and a bond in
//! broadcast mode or a node of a redundant network (PRP, IEC 62439-3) sends every frame by two
//! ports. In a loop a frame comes back that was sent: whether that is so, the bridge finds out by a
//! probe of its own ([`super::prober`]).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::PortId;
use super::key::Key;
use super::probe::Tags;
use crate::frame::Timestamp;

/// What is done about loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct LoopGuard {
    /// Whether anything is.
    pub enabled: bool,
    /// For how long a port stays blocked after the last sign of the loop.
    pub hold: Duration,
    /// The longest that it stays blocked where the loop is back each time it forwards again.
    pub max_hold: Duration,
}

impl Default for LoopGuard {
    /// On: five seconds, and up to a minute.
    fn default() -> Self {
        Self {
            enabled: true,
            hold: Duration::from_secs(5),
            max_hold: Duration::from_secs(60),
        }
    }
}

impl LoopGuard {
    /// Nothing is done.
    pub const OFF: Self = Self {
        enabled: false,
        hold: Duration::ZERO,
        max_hold: Duration::ZERO,
    };
}

/// So many times the same frames move a station again, within [`WINDOW`].
const REPEATS: u8 = 4;
const WINDOW: Duration = Duration::from_secs(10);
/// Stations that are watched.
const SUSPECTS: usize = 64;
/// Frames that are remembered of each.
const FRAMES: usize = 16;
/// What is hashed of a frame: its beginning, and its end.
const HEAD: usize = 128;
const TAIL: usize = 32;

/// A station that has moved of late.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    key: Key,
    since: Timestamp,
    /// The hashes of the last frames that moved it; zero is none.
    frames: [u64; FRAMES],
    next: u8,
    repeats: u8,
    /// The last two ports between which a repeated frame moved it, neither of which is its home.
    abroad: Option<(PortId, PortId)>,
}

impl Suspect {
    const NONE: Self = Self {
        key: Key::NOBODY,
        since: Timestamp::ZERO,
        frames: [0; FRAMES],
        next: 0,
        repeats: 0,
        abroad: None,
    };
}

/// The stations that have moved of late, as many as there is room for.
#[derive(Debug)]
pub(super) struct Suspects(Box<[Suspect]>);

impl Suspects {
    pub(super) fn new() -> Self {
        Self(vec![Suspect::NONE; SUSPECTS].into())
    }

    /// Notes that this frame, which goes to many, moves its station, whose home is `home`, between
    /// two ports. Where it has done so too often it is forgotten, and the ports are returned that
    /// may be joined: not its home, if it was moved between two others, for it moves from there with
    /// each frame that it sends meanwhile.
    pub(super) fn moved_by(
        &mut self,
        now: Timestamp,
        key: Key,
        frame: &[u8],
        between: (PortId, PortId),
        home: PortId,
    ) -> Option<(PortId, PortId)> {
        let seen = fingerprint(key, frame);
        let place = usize::from(seen.station) % SUSPECTS;
        let suspect = self.0.get_mut(place)?;
        if suspect.key != key || now.since(suspect.since) >= WINDOW {
            *suspect = Suspect {
                key,
                since: now,
                ..Suspect::NONE
            };
        }
        if suspect.frames.contains(&seen.frame) {
            suspect.repeats += 1;
            if between.0 != home && between.1 != home {
                suspect.abroad = Some(between);
            }
        } else if let Some(frame) = suspect.frames.get_mut(usize::from(suspect.next) % FRAMES) {
            *frame = seen.frame;
            suspect.next = suspect.next.wrapping_add(1);
        }
        if suspect.repeats < REPEATS {
            return None;
        }
        let found = suspect.abroad.unwrap_or(between);
        *suspect = Suspect::NONE;
        Some(found)
    }
}

struct Fingerprint {
    station: u8,
    frame: u64,
}

/// Whoever makes two frames with the same hash could as well send one twice.
fn fingerprint(key: Key, frame: &[u8]) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(key.bits());
    let station = hasher.finish().to_le_bytes()[0];
    frame.len().hash(&mut hasher);
    hasher.write(frame.get(..HEAD).unwrap_or(frame));
    hasher.write(frame.last_chunk::<TAIL>().map_or(&[][..], |tail| tail));
    Fingerprint {
        station,
        frame: hasher.finish().max(1),
    }
}

/// A reason to ask whether there is a loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspicion {
    /// The ports that may be joined.
    pub(super) ports: (PortId, PortId),
    /// The station that gave it away.
    pub(super) key: Key,
    /// The tags of its frame.
    pub(super) tags: Tags,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{MacAddr, VlanId};

    fn key(last: u8) -> Key {
        Key::new(VlanId::NONE, MacAddr([2, 0, 0, 0, 0, last]))
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_secs(10) + Duration::from_millis(millis)
    }

    const JOINED: (PortId, PortId) = (PortId(3), PortId(4));

    #[test]
    fn a_station_that_sends_on_while_its_frames_go_round_is_not_part_of_the_loop() {
        let home = PortId(1);
        // The frames that move it home are new; those before move it away from there, and round.
        let between = [
            (JOINED.1, home),
            (home, JOINED.0),
            JOINED,
            (JOINED.1, JOINED.0),
            (home, JOINED.1),
        ];
        for begin in 0..between.len() {
            let mut suspects = Suspects::new();
            let moves = (begin..).map(|step| (step / between.len(), step % between.len()));
            let mut found = moves.map(|(round, step)| {
                let frame = if step == 0 { round + 1 } else { round };
                let frame = frame.to_be_bytes();
                suspects.moved_by(at(0), key(1), &frame, between[step], home)
            });
            let (one, other) = found.find_map(|found| found).unwrap();
            assert_eq!((one.min(other), one.max(other)), JOINED, "{begin}");
        }
        // Where its home is one of the two there are no others.
        let mut suspects = Suspects::new();
        let joined = (home, JOINED.0);
        let mut moves = (0..40).map(|_| suspects.moved_by(at(0), key(1), &[7; 60], joined, home));
        assert_eq!(moves.find_map(|found| found), Some(joined));
    }

    /// At which of the moves by these frames, one a millisecond, there is a suspicion.
    fn seen_at(frames: impl Iterator<Item = Vec<u8>>) -> Option<usize> {
        let mut suspects = Suspects::new();
        (0..).zip(frames).position(|(time, frame)| {
            let found = suspects.moved_by(at(time), key(1), &frame, JOINED, PortId(1));
            found.is_some()
        })
    }

    #[test]
    fn a_frame_that_goes_round_is_a_suspicion_and_so_are_some_of_them() {
        let rounds = |count: u8| (0..40).map(move |round| vec![round % count; 60]);
        assert_eq!(seen_at(rounds(1)), Some(4));
        assert_eq!(seen_at(rounds(7)), Some(10));
        assert_eq!(seen_at(rounds(16)), Some(19));
    }

    #[test]
    fn different_frames_are_none_however_alike() {
        let numbered = |position: usize| {
            move |number: u8| {
                let mut frame = vec![0; 1500];
                frame[position] = number;
                frame
            }
        };
        assert_eq!(seen_at((0..200).map(numbered(100))), None);
        assert_eq!(seen_at((0..200).map(numbered(1499))), None);
        assert_eq!(seen_at((0..200).map(|len| vec![0; len])), None);
    }

    #[test]
    fn the_same_frame_now_and_then_is_none() {
        let mut suspects = Suspects::new();
        for time in 0..1000 {
            let time = at(time * 2600);
            assert_eq!(
                suspects.moved_by(time, key(1), &[7; 60], JOINED, PortId(1)),
                None
            );
        }
    }
}
