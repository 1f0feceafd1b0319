//! Records what a decision about a frame is based on, for callers that need more than the verdict.

use std::ops::Range;
use std::time::Duration;

use super::fdb::Value;
use super::key::Key;
use super::pipeline::{self, View};
use super::station::Station;
use super::{Bridge, PortId, Verdict};
use crate::frame::{Timestamp, VlanId};

/// Receives what each stage of the pipeline found. Findings that cost something to compute are
/// passed as a function, which only a watcher that needs them calls.
pub(super) trait Watcher {
    /// The decision depends on this part of the frame.
    #[inline]
    fn reads(&mut self, _part: Part) {}

    /// The source's key and its state in the table before it is learnt.
    #[inline]
    fn source(&mut self, _key: Key, _find: impl FnOnce() -> Source) {}

    /// The destination's key and its state in the table.
    #[inline]
    fn destination(&mut self, _key: Key, _find: impl FnOnce() -> Destination) {}

    /// The frame is flooded unless its port exceeds its limit; the function reports whether there
    /// is one.
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
    /// The four bytes after the addresses: the outer tag, or the fact that there is none.
    OuterTag,
    /// Everything after them, and the length.
    Payload,
}

impl Part {
    /// Returns its byte range in a frame; `None` for the rest, whatever its length.
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
    /// The verdict.
    pub verdict: Verdict,
    /// The findings about an admitted frame; `None` if it was dropped before.
    pub passed: Option<Passed>,
}

/// The findings about an admitted frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The VLAN in which it is handled; [`VlanId::NONE`] if all VLANs share learnt entries.
    pub vlan: VlanId,
    /// The source's state in the table.
    pub source: Source,
    /// The destination's state, after the source has been learnt.
    pub destination: Destination,
}

/// The state of a frame's source in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Unknown, and learnt.
    New {
        /// The station that is evicted to make room.
        evicts: Option<Station>,
    },
    /// Known on the ingress port, and refreshed.
    Known {
        /// How long it has been silent.
        age: Option<Duration>,
    },
    /// Known on another port, from which it moves.
    Moves {
        /// The other port.
        from: PortId,
        /// The station that is evicted to make room on this port.
        evicts: Option<Station>,
    },
    /// Known on another port, where its entry is held because it moved too often.
    Held {
        /// That port.
        port: PortId,
    },
    /// Bound to a port by hand, wherever it is heard.
    Static {
        /// That port.
        port: PortId,
    },
    /// Not learnt: the ageing time is zero.
    NotLearnt,
    /// Unknown and not learnt: static entries fill the table.
    NoRoom,
    /// Not learnt: the frame is to the probe group.
    Probe,
}

/// The state of a frame's destination in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A group address.
    Group,
    /// An unknown station.
    Unknown,
    /// A known station.
    Known {
        /// Its port.
        port: PortId,
        /// How long it has been silent; `None` for a static entry.
        age: Option<Duration>,
    },
}

/// Collects the findings for [`Decision`].
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
    /// Returns what [`Bridge::handle`] would decide about this frame, and why. Changes nothing, so
    /// the same frame, handled next, gets this verdict.
    #[must_use]
    pub fn explain(&self, now: Timestamp, port: PortId, frame: &[u8]) -> Decision {
        let mut explainer = Explainer::default();
        let verdict = pipeline::decide(&mut View::new(self), &mut explainer, now, port, frame);
        explainer.finish(verdict)
    }

    /// Returns the state of a frame's source that arrived on `ingress`.
    pub(super) fn source(&self, now: Timestamp, key: Key, ingress: PortId) -> Source {
        if Self::is_of_probe(key) {
            return Source::Probe;
        }
        let damping = &self.config.damping;
        self.fdb
            .would_learn(&self.ports, now, key, ingress, damping)
    }

    /// Returns what `known`, the destination's entry, means. If the station `is_source` of the same
    /// frame, it has just been seen.
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
