//! What the bridge would do with a frame, and why, without doing it.

use std::time::Duration;

use super::fdb::Value;
use super::ingress;
use super::key::Key;
use super::station::Station;
use super::storm::FloodKind;
use super::{Bridge, DropReason, PortId, Verdict};
use crate::frame::{Timestamp, VlanId};

/// What [`Bridge::handle`] would do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// What becomes of the frame.
    pub verdict: Verdict,
    /// What happens to one that is let in; `None` where it is dropped at once.
    pub passed: Option<Passed>,
}

/// What happens to a frame that is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The VLAN in which it is handled; none where all share what is learnt.
    pub vlan: VlanId,
    /// What its source is to the table.
    pub source: Source,
    /// What its destination is, once the source has been learnt.
    pub destination: Destination,
}

/// What the source of a frame is to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Unknown, and learnt.
    New {
        /// The station that is forgotten to make room.
        evicts: Option<Station>,
    },
    /// Known behind the ingress port, and heard again.
    Known {
        /// How long nothing was heard from it.
        age: Option<Duration>,
    },
    /// Known behind another port, whence it moves.
    Moves {
        /// The other port.
        from: PortId,
        /// The station that is forgotten to make room on this one.
        evicts: Option<Station>,
    },
    /// Known behind another port, where it is held because it moved too often.
    Held {
        /// That port.
        port: PortId,
    },
    /// Bound to a port by hand, wherever it is heard.
    Static {
        /// That port.
        port: PortId,
    },
    /// Nothing is learnt: the ageing time is zero.
    NotLearnt,
    /// Unknown, and not learnt: static stations fill the table.
    NoRoom,
    /// Not learnt: the frame is to the group of probes for loops.
    Probe,
}

/// What the destination of a frame is to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A group of stations.
    Group,
    /// A station that is not known.
    Unknown,
    /// A known station.
    Known {
        /// The port that it is behind.
        port: PortId,
        /// How long nothing was heard from it; `None` for a static one.
        age: Option<Duration>,
    },
}

impl Look {
    const fn refused(reason: DropReason) -> Self {
        Self {
            verdict: Verdict::Drop(reason),
            passed: None,
        }
    }
}

impl Bridge {
    /// What [`Bridge::handle`] would do with this frame, and why. Nothing is changed, so the
    /// same frame handled next has this verdict.
    #[must_use]
    pub fn look(&self, now: Timestamp, port: PortId, frame: &[u8]) -> Look {
        if !self.ports.is_forwarding(port) {
            return Look::refused(self.why_closed(port));
        }
        let admitted = match ingress::admit(frame, &self.config) {
            Ok(admitted) => admitted,
            Err(reason) => return Look::refused(reason),
        };
        if Self::is_of_probe(admitted.src) {
            return self.look_at_probe(now, port, frame);
        }
        let may_hold = |port| self.ports.is_forwarding(port);
        let damping = &self.config.damping;
        let source = self
            .fdb
            .would_learn(now, admitted.src, port, damping, may_hold);
        let (verdict, destination) = if admitted.dst == admitted.src {
            self.look_to_itself(now, port, admitted.src, source)
        } else {
            self.look_towards(now, port, admitted.dst, source)
        };
        let verdict = match verdict {
            Verdict::Flood => self.would_flood(now, port, frame),
            verdict => verdict,
        };
        let passed = Passed {
            vlan: admitted.src.vlan(),
            source,
            destination,
        };
        Look {
            verdict,
            passed: Some(passed),
        }
    }

    /// A frame to the group of probes for loops.
    fn look_at_probe(&self, now: Timestamp, ingress: PortId, frame: &[u8]) -> Look {
        if self.would_end_probe(now, ingress, frame) {
            return Look::refused(DropReason::LoopProbe);
        }
        let verdict = match self.to_all() {
            Verdict::Flood => self.would_flood(now, ingress, frame),
            verdict => verdict,
        };
        Look {
            verdict,
            passed: Some(Passed {
                vlan: VlanId::NONE,
                source: Source::Probe,
                destination: Destination::Group,
            }),
        }
    }

    /// A frame whose source has been learnt when its destination is looked up, and is the same.
    fn look_to_itself(
        &self,
        now: Timestamp,
        ingress: PortId,
        key: Key,
        source: Source,
    ) -> (Verdict, Destination) {
        match source {
            Source::New { .. } | Source::Known { .. } | Source::Moves { .. } => {
                let here = Destination::Known {
                    port: ingress,
                    age: Some(Duration::ZERO),
                };
                (Verdict::Drop(DropReason::SamePort), here)
            }
            Source::Static { .. }
            | Source::Held { .. }
            | Source::NotLearnt
            | Source::NoRoom
            | Source::Probe => self.look_at(now, ingress, self.fdb.find(key)),
        }
    }

    fn look_towards(
        &self,
        now: Timestamp,
        ingress: PortId,
        dst: Key,
        source: Source,
    ) -> (Verdict, Destination) {
        if dst == Key::NOBODY {
            return (self.to_all(), Destination::Group);
        }
        // Whoever gives way to the source is unknown by then.
        if let Source::New {
            evicts: Some(station),
        }
        | Source::Moves {
            evicts: Some(station),
            ..
        } = source
            && Key::new(station.vlan, station.mac) == dst
        {
            return (self.to_all(), Destination::Unknown);
        }
        self.look_at(now, ingress, self.fdb.find(dst))
    }

    /// What becomes of a frame that would be flooded.
    fn would_flood(&self, now: Timestamp, port: PortId, frame: &[u8]) -> Verdict {
        let kind = FloodKind::of(frame);
        if self.guard.would_pass(now, port, kind) {
            Verdict::Flood
        } else {
            Verdict::Drop(kind.reason())
        }
    }

    fn look_at(
        &self,
        now: Timestamp,
        ingress: PortId,
        known: Option<Value>,
    ) -> (Verdict, Destination) {
        let Some(known) = known else {
            return (self.to_all(), Destination::Unknown);
        };
        let verdict = match self.refusal(known, ingress) {
            None => Verdict::Forward(known.port()),
            Some(reason) => Verdict::Drop(reason),
        };
        let station = self.fdb.station(now, known);
        let destination = Destination::Known {
            port: known.port(),
            age: station.and_then(|station| station.age),
        };
        (verdict, destination)
    }
}
