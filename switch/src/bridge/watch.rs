//! What a decision about a frame is based on, for those who ask for more than the verdict.

use std::ops::Range;
use std::time::Duration;

use super::fdb::Value;
use super::key::Key;
use super::pipeline::{self, View};
use super::station::Station;
use super::{Bridge, PortId, Verdict};
use crate::frame::{Timestamp, VlanId};

/// Is told what each stage of the pipeline found. What costs something to find is passed as a
/// function, which only a watcher that wants it calls.
pub(super) trait Watcher {
    /// The decision depends on this part of the frame.
    #[inline]
    fn reads(&mut self, _part: Part) {}

    /// The source has this key, and this is what it is to the table before it is learnt.
    #[inline]
    fn source(&mut self, _key: Key, _find: impl FnOnce() -> Source) {}

    /// The destination has this key, and this is what it is to the table.
    #[inline]
    fn destination(&mut self, _key: Key, _find: impl FnOnce() -> Destination) {}

    /// The frame is flooded unless its port has flooded too many; whether that has a limit.
    #[inline]
    fn flood(&mut self, _is_metered: impl FnOnce() -> bool) {}
}

/// No watcher.
impl Watcher for () {}

/// A part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Destination,
    Source,
    /// The four bytes behind the addresses: the outer tag, or that there is none.
    OuterTag,
    /// Everything behind them, and the length.
    Payload,
}

impl Part {
    /// Where it is in a frame; `None` for the rest, whatever its length.
    pub(super) const fn range(self) -> Option<Range<usize>> {
        match self {
            Self::Destination => Some(0..6),
            Self::Source => Some(6..12),
            Self::OuterTag => Some(12..16),
            Self::Payload => None,
        }
    }
}

/// The decision about a frame, and what it is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of the frame.
    pub verdict: Verdict,
    /// What happens to a frame that is accepted; `None` where it is dropped at once.
    pub passed: Option<Passed>,
}

/// What happens to a frame that is accepted.
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

/// Collects what [`Decision`] tells.
#[derive(Debug, Default)]
pub(super) struct Explainer {
    source: Option<(VlanId, Source)>,
    destination: Option<Destination>,
}

impl Explainer {
    pub(super) fn finish(self, verdict: Verdict) -> Decision {
        let both = self.source.zip(self.destination);
        let passed = both.map(|((vlan, source), destination)| Passed {
            vlan,
            source,
            destination,
        });
        Decision { verdict, passed }
    }
}

impl Watcher for Explainer {
    fn source(&mut self, key: Key, find: impl FnOnce() -> Source) {
        self.source = Some((key.vlan(), find()));
    }

    fn destination(&mut self, key: Key, find: impl FnOnce() -> Destination) {
        self.destination = Some(if key == Key::NOBODY {
            Destination::Group
        } else {
            find()
        });
    }
}

impl Bridge {
    /// What [`Bridge::handle`] would decide about this frame, and why. Nothing is changed, so the
    /// same frame handled next gets this verdict.
    #[must_use]
    pub fn explain(&self, now: Timestamp, port: PortId, frame: &[u8]) -> Decision {
        let mut explainer = Explainer::default();
        let verdict = pipeline::decide(&mut View::new(self), &mut explainer, now, port, frame);
        explainer.finish(verdict)
    }

    /// What the source of a frame that came in by `ingress` is to the table.
    pub(super) fn source(&self, now: Timestamp, key: Key, ingress: PortId) -> Source {
        if Self::is_of_probe(key) {
            return Source::Probe;
        }
        let damping = &self.config.damping;
        self.fdb
            .would_learn(&self.ports, now, key, ingress, damping)
    }

    /// What `known`, the entry of the destination, says. A station that `is_source` of the same frame
    /// has just been heard.
    pub(super) fn destination(
        &self,
        now: Timestamp,
        known: Option<Value>,
        ingress: PortId,
        is_source: bool,
    ) -> Destination {
        let Some(known) = known else {
            return Destination::Unknown;
        };
        let port = known.port();
        let age = if is_source && port == ingress && !known.is_static() {
            Some(Duration::ZERO)
        } else {
            let station = self.fdb.station(now, known);
            station.and_then(|station| station.age)
        };
        Destination::Known { port, age }
    }
}
