//! Detects suspected loops from received frames.
//!
//! Theory of operation. If two ports are connected outside the switch, by a cable, a bridge or
//! another switch, a frame sent out of one comes back on the other and circulates in both
//! directions until something stops it. With each round its sender seems to move from one port to
//! the other. So nothing is examined until a flooded frame moves a station. Then the hashes of the
//! last few frames that moved it are stored, for a few stations. If the same frame moves its
//! station again, [`REPEATS`] times, that is a suspicion.
//!
//! It is only a suspicion. Two routers with one address send identical announcements, and a bond in
//! broadcast mode or a node of a redundant network (PRP, IEC 62439-3) sends every frame on two
//! ports. In a loop a frame that the switch sent comes back: the bridge verifies that with a probe
//! of its own ([`super::prober`]).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::PortId;
use super::key::Key;
use super::probe::Tags;
use crate::frame::Timestamp;

/// Configuration of loop protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct LoopGuard {
    /// Whether it is enabled.
    pub enabled: bool,
    /// How long a port stays blocked after the last sign of the loop.
    pub hold: Duration,
    /// The longest that a port stays blocked if the loop is back each time it forwards again.
    pub max_hold: Duration,
}

impl Default for LoopGuard {
    /// Enabled: five seconds, and up to a minute.
    fn default() -> Self {
        Self {
            enabled: true,
            hold: Duration::from_secs(5),
            max_hold: Duration::from_secs(60),
        }
    }
}

impl LoopGuard {
    /// Disabled.
    pub const OFF: Self = Self {
        enabled: false,
        hold: Duration::ZERO,
        max_hold: Duration::ZERO,
    };
}

/// How often the same frames must move a station again within [`WINDOW`].
const REPEATS: u8 = 4;
const WINDOW: Duration = Duration::from_secs(10);
/// Stations that are tracked.
const SUSPECTS: usize = 64;
/// Frames that are stored per station.
const FRAMES: usize = 16;
/// The hashed part of a frame: its beginning, and its end.
const HEAD: usize = 128;
const TAIL: usize = 32;

/// A station that has moved recently.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    key: Key,
    since: Timestamp,
    /// The hashes of the last frames that moved it; zero means none.
    frames: [u64; FRAMES],
    next: u8,
    repeats: u8,
    /// The last two ports between which a repeated frame moved it, neither of which is its home
    /// port.
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

/// The stations that have moved recently, up to the capacity.
#[derive(Debug)]
pub(super) struct Suspects(Box<[Suspect]>);

impl Suspects {
    pub(super) fn new() -> Self {
        Self(vec![Suspect::NONE; SUSPECTS].into())
    }

    /// Records that this flooded frame moves its station, whose home port is `home`, between two
    /// ports. If the station has moved too often, its record is cleared and the ports that may be
    /// connected are returned. Those do not include the home port if the station was moved between
    /// two others, because each new frame of the station moves it away from its home port.
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

/// A sender that makes two frames with the same hash could as well send one frame twice.
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

/// A reason to send probes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspicion {
    /// The ports that may be connected.
    pub(super) ports: (PortId, PortId),
    /// The station that raised the suspicion.
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
    fn the_home_port_of_a_station_whose_frames_loop_is_not_part_of_the_loop() {
        let home = PortId(1);
        // The frames that move it home are new; earlier ones move it away and around.
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
        // If its home port is one of the two, there are no other ports.
        let mut suspects = Suspects::new();
        let joined = (home, JOINED.0);
        let mut moves = (0..40).map(|_| suspects.moved_by(at(0), key(1), &[7; 60], joined, home));
        assert_eq!(moves.find_map(|found| found), Some(joined));
    }

    /// Returns after which of these frames, one per millisecond, there is a suspicion.
    fn seen_at(frames: impl Iterator<Item = Vec<u8>>) -> Option<usize> {
        let mut suspects = Suspects::new();
        (0..).zip(frames).position(|(time, frame)| {
            let found = suspects.moved_by(at(time), key(1), &frame, JOINED, PortId(1));
            found.is_some()
        })
    }

    #[test]
    fn a_looping_frame_raises_a_suspicion_and_so_do_several() {
        let rounds = |count: u8| (0..40).map(move |round| vec![round % count; 60]);
        assert_eq!(seen_at(rounds(1)), Some(4));
        assert_eq!(seen_at(rounds(7)), Some(10));
        assert_eq!(seen_at(rounds(16)), Some(19));
    }

    #[test]
    fn different_frames_raise_none_however_similar() {
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
    fn the_same_frame_at_long_intervals_raises_none() {
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
