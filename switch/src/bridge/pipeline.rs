//! The decision about a frame, in stages.
//!
//! # Theory of operation
//!
//! A frame passes the stages in this order; the first that refuses it decides.
//!
//! 1. **Ingress port**: a port that does not forward accepts nothing.
//! 2. **Admit, classify** ([`super::ingress`]): length, source address, reserved destinations; the
//!    VLAN whose entries are used.
//! 3. **Guards and learning** ([`super::protection`], [`super::loop_guard`]): probes for loops end here;
//!    the source gets an entry, or its entry is refreshed or moved.
//! 4. **Look up**: the entry of the destination.
//! 5. **Egress filter**: not back to the ingress port, not to a port that does not forward.
//! 6. **Flood**, where there is no entry: within the limits of the ingress port.
//!
//! Each stage is written once, for every caller that wants a decision. Two type parameters vary.
//! [`Tables`] is what the stages read and change: the bridge itself when a frame is forwarded, or a
//! [`View`] that predicts the changes and makes none. A [`Watcher`] receives what each stage found;
//! when forwarding it is `()`, which the compiler removes.
//!
//! A batch runs stages 1 and 2 for all its frames first, so that the table's memory is fetched for
//! all of them in parallel ([`super::batch`]).

use super::fdb::{Fdb, Heard, Spot, Value};
use super::ingress::{self, Admitted};
use super::key::Key;
use super::station::Station;
use super::storm::FloodKind;
use super::watch::{Source, Watcher};
use super::{Bridge, DropReason, PortId, Verdict};
use crate::frame::Timestamp;

/// The table positions of a frame's source and destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stations {
    pub(super) src: Spot,
    pub(super) dst: Spot,
}

impl Stations {
    /// Computes them for an admitted frame, and starts fetching the table's memory.
    #[inline]
    pub(super) fn of(admitted: Admitted, fdb: &Fdb) -> Self {
        let Admitted { src, dst } = admitted;
        let home = fdb.home(src);
        // A group has no entry.
        let is_group = dst == Key::NOBODY;
        Self {
            src: Spot { home, key: src },
            dst: Spot {
                home: if is_group { home } else { fdb.home(dst) },
                key: dst,
            },
        }
    }
}

/// The state that the stages read and change.
pub(super) trait Tables {
    /// Returns the bridge.
    fn bridge(&self) -> &Bridge;

    /// Sets the time for what follows.
    fn advance(&mut self, now: Timestamp);

    /// Handles a frame that arrived on a port that does not forward.
    fn note_closed(&mut self, now: Timestamp, ingress: PortId, frame: &[u8]);

    /// Learns from a frame's source. Returns why the frame is dropped, if it is.
    fn learn<'f>(
        &mut self,
        now: Timestamp,
        stations: Stations,
        heard: Heard,
        frame: impl Fn() -> &'f [u8],
    ) -> Option<DropReason>;

    /// Returns the destination's entry, after the source has been learnt.
    fn look_up(&self, dst: Spot) -> Option<Value>;

    /// Checks whether a frame may be flooded.
    fn meter(&mut self, now: Timestamp, ingress: PortId, frame: &[u8]) -> Result<(), DropReason>;
}

/// Runs all stages for one frame.
#[inline]
pub(super) fn decide<T: Tables, W: Watcher>(
    tables: &mut T,
    watcher: &mut W,
    now: Timestamp,
    ingress: PortId,
    frame: &[u8],
) -> Verdict {
    if !tables.bridge().ports.is_forwarding(ingress) {
        tables.note_closed(now, ingress, frame);
        return Verdict::Drop(tables.bridge().why_closed(ingress));
    }
    let admitted = match ingress::admit(frame, &tables.bridge().config, watcher) {
        Ok(admitted) => admitted,
        Err(reason) => return Verdict::Drop(reason),
    };
    tables.advance(now);
    let bridge = tables.bridge();
    let stations = Stations::of(admitted, &bridge.fdb);
    let heard = bridge.fdb.heard(ingress);
    decide_admitted(tables, watcher, now, heard, stations, || frame)
}

/// Runs the stages from learning on, for an admitted frame. `frame` returns its bytes, which most
/// frames do not need.
#[inline]
pub(super) fn decide_admitted<'f, T: Tables, W: Watcher>(
    tables: &mut T,
    watcher: &mut W,
    now: Timestamp,
    heard: Heard,
    stations: Stations,
    frame: impl Fn() -> &'f [u8],
) -> Verdict {
    let ingress = heard.port();
    let Stations { src, dst } = stations;
    watcher.source(src.key, || tables.bridge().source(now, src.key, ingress));
    if let Some(reason) = tables.learn(now, stations, heard, &frame) {
        return Verdict::Drop(reason);
    }
    let known = tables.look_up(dst);
    watcher.destination(dst.key, || {
        let is_source = dst.key == src.key;
        tables.bridge().destination(now, known, ingress, is_source)
    });
    match known {
        Some(known) => match tables.bridge().refusal(known, ingress) {
            None => Verdict::Forward(known.port()),
            Some(reason) => Verdict::Drop(reason),
        },
        None if !tables.bridge().ports.has_another() => Verdict::Drop(DropReason::NoEgress),
        None => {
            let frame = frame();
            watcher.flood(|| tables.bridge().is_metered(ingress, FloodKind::of(frame)));
            match tables.meter(now, ingress, frame) {
                Ok(()) => Verdict::Flood,
                Err(reason) => Verdict::Drop(reason),
            }
        }
    }
}

/// The bridge that forwards.
impl Tables for Bridge {
    #[inline]
    fn bridge(&self) -> &Bridge {
        self
    }

    #[inline]
    fn advance(&mut self, now: Timestamp) {
        self.fdb.advance(now);
    }

    fn note_closed(&mut self, now: Timestamp, ingress: PortId, frame: &[u8]) {
        self.hear_closed(now, ingress, std::iter::once(frame));
    }

    #[inline]
    fn learn<'f>(
        &mut self,
        now: Timestamp,
        Stations { src, dst }: Stations,
        heard: Heard,
        frame: impl Fn() -> &'f [u8],
    ) -> Option<DropReason> {
        if self.fdb.is_fresh(src.home, src.key, heard) {
            None
        } else {
            self.hear(now, src, dst, heard, frame())
        }
    }

    #[inline]
    fn look_up(&self, dst: Spot) -> Option<Value> {
        self.fdb.lookup(dst.home, dst.key)
    }

    #[inline]
    fn meter(&mut self, now: Timestamp, ingress: PortId, frame: &[u8]) -> Result<(), DropReason> {
        self.admit_flood(now, ingress, frame)
    }
}

/// A read-only bridge, and the changes that one frame would make to it.
#[derive(Debug)]
pub(super) struct View<'a> {
    bridge: &'a Bridge,
    /// The station that would be learnt on the ingress port.
    learnt: Option<(Key, Value)>,
    /// The station whose entry would be evicted.
    evicted: Option<Key>,
}

impl<'a> View<'a> {
    pub(super) const fn new(bridge: &'a Bridge) -> Self {
        Self {
            bridge,
            learnt: None,
            evicted: None,
        }
    }
}

impl Tables for View<'_> {
    fn bridge(&self) -> &Bridge {
        self.bridge
    }

    fn advance(&mut self, _: Timestamp) {}

    fn note_closed(&mut self, _: Timestamp, _: PortId, _: &[u8]) {}

    fn learn<'f>(
        &mut self,
        now: Timestamp,
        Stations { src, .. }: Stations,
        heard: Heard,
        frame: impl Fn() -> &'f [u8],
    ) -> Option<DropReason> {
        let ingress = heard.port();
        let key_of = |station: Station| Key::new(station.vlan, station.mac);
        match self.bridge.source(now, src.key, ingress) {
            Source::Probe => {
                let ends = self.bridge.would_end_probe(now, ingress, frame());
                return ends.then_some(DropReason::LoopProbe);
            }
            Source::New { evicts } | Source::Moves { evicts, .. } => {
                self.learnt = Some((src.key, Value::dynamic(heard, 0)));
                self.evicted = evicts.map(key_of);
            }
            Source::Known { .. }
            | Source::Held { .. }
            | Source::Static { .. }
            | Source::NotLearnt
            | Source::NoRoom => {}
        }
        None
    }

    fn look_up(&self, dst: Spot) -> Option<Value> {
        match self.learnt {
            Some((key, value)) if key == dst.key => Some(value),
            _ if self.evicted == Some(dst.key) => None,
            _ => self.bridge.fdb.lookup(dst.home, dst.key),
        }
    }

    fn meter(&mut self, now: Timestamp, ingress: PortId, frame: &[u8]) -> Result<(), DropReason> {
        let kind = FloodKind::of(frame);
        if self.bridge.would_pass(now, ingress, kind) {
            Ok(())
        } else {
            Err(kind.reason())
        }
    }
}

impl Bridge {
    /// Handles frames that arrived on a port that does not forward.
    pub(super) fn hear_closed<'a>(
        &mut self,
        now: Timestamp,
        port: PortId,
        frames: impl Iterator<Item = &'a [u8]>,
    ) {
        if self.ports.is_blocked(port) {
            self.hear_while_blocked(now, port, frames);
        }
    }

    /// Returns why a port that does not forward accepts nothing.
    pub(super) fn why_closed(&self, port: PortId) -> DropReason {
        if self.ports.is_blocked(port) {
            DropReason::LoopBlocked
        } else {
            DropReason::IngressDown
        }
    }

    /// Returns why a frame that arrived on `ingress` cannot go to the port of `known`; `None` if it
    /// can. Only static entries can be on a port that does not forward: its dynamic ones were
    /// removed.
    #[inline]
    fn refusal(&self, known: Value, ingress: PortId) -> Option<DropReason> {
        if known.port() == ingress {
            Some(DropReason::SamePort)
        } else if known.is_static() && !self.ports.is_forwarding(known.port()) {
            Some(self.why_unreachable(known.port()))
        } else {
            None
        }
    }

    /// Returns why nothing is sent out of a port that does not forward.
    fn why_unreachable(&self, port: PortId) -> DropReason {
        if self.ports.is_blocked(port) {
            DropReason::LoopBlocked
        } else {
            DropReason::EgressDown
        }
    }
}
