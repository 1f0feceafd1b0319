//! Handles a whole batch: checks, learns, looks up, and fills the output queues.

use arrayvec::ArrayVec;

use super::egress::{FloodGroup, OutputQueues};
use super::fdb::{Home, Spot};
use super::ingress;
use super::key::Key;
use super::pipeline::{self, Stations};
use super::watch::Explainer;
use super::{Bridge, Decision, PortId, Verdict};
use crate::frame::{BATCH, Drops, Frame, Timestamp};

/// A frame that was admitted, and the table positions of its stations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    stations: Stations,
    index: u8,
}

impl Probe {
    /// A placeholder for unused elements.
    pub(super) const NONE: Self = Self {
        stations: Stations {
            src: NOWHERE,
            dst: NOWHERE,
        },
        index: 0,
    };
}

const NOWHERE: Spot = Spot {
    home: Home::FIRST,
    key: Key::NOBODY,
};

impl Bridge {
    /// Decides about a batch of frames that arrived on `ingress` at `now`, as [`Bridge::handle`]
    /// does for one frame after the other. `out` is emptied and then filled with the frames to send
    /// out of each port. Dropped frames are counted in `drops`, which are the ingress port's.
    ///
    /// `frames` holds at most [`BATCH`] frames; further ones are ignored. `out` must have all ports
    /// of the bridge.
    ///
    /// There are two passes over the batch, so that the table's memory is fetched for all frames in
    /// parallel: the first checks the frames and starts the prefetches, the second learns and looks
    /// up.
    pub fn classify(
        &mut self,
        now: Timestamp,
        ingress: PortId,
        frames: &[Frame<'_>],
        out: &mut OutputQueues,
        drops: &mut Drops,
    ) {
        out.clear();
        let frames = &frames[..frames.len().min(BATCH)];
        if !self.ports.is_forwarding(ingress) {
            self.hear_closed(now, ingress, frames.iter().map(|frame| frame.bytes));
            drops.add(self.why_closed(ingress), frames.len() as u64);
            return;
        }
        let count = self.admit(frames, drops);
        if count > 0 {
            self.fdb.advance(now);
        }
        // Moved out for the loop, so that the compiler knows that learning does not change them.
        let probes = std::mem::take(&mut self.probes);
        let admitted = probes.get(..count).unwrap_or_default();
        let heard = self.fdb.heard(ingress);
        for probe in admitted {
            let stations = probe.stations;
            let frame = || {
                frames
                    .get(usize::from(probe.index))
                    .map_or(&[][..], |frame| frame.bytes)
            };
            match pipeline::decide_admitted(self, &mut (), now, heard, stations, frame) {
                Verdict::Forward(port) => out.push(port, probe.index),
                Verdict::Flood => out.push_flood(FloodGroup::ALL, probe.index),
                Verdict::Drop(reason) => drops.add(reason, 1),
            }
        }
        self.probes = probes;
        out.finish(ingress, |_| self.ports.members());
        self.settle_loops(now);
    }

    /// Does the same, and returns the decision about each frame whose bit is set in `wanted`.
    pub fn classify_watched(
        &mut self,
        now: Timestamp,
        ingress: PortId,
        frames: &[Frame<'_>],
        out: &mut OutputQueues,
        drops: &mut Drops,
        wanted: u64,
    ) -> ArrayVec<Option<Decision>, BATCH> {
        out.clear();
        let mut decisions = ArrayVec::new();
        for (index, frame) in (0..).zip(frames.iter().take(BATCH)) {
            let mut explainer = (wanted >> index & 1 != 0).then(Explainer::default);
            let verdict = match &mut explainer {
                Some(watcher) => pipeline::decide(self, watcher, now, ingress, frame.bytes),
                None => pipeline::decide(self, &mut (), now, ingress, frame.bytes),
            };
            self.settle_loops(now);
            decisions.push(explainer.map(|explainer| explainer.finish(verdict)));
            match verdict {
                Verdict::Forward(port) => out.push(port, index),
                Verdict::Flood => out.push_flood(FloodGroup::ALL, index),
                Verdict::Drop(reason) => drops.add(reason, 1),
            }
        }
        out.finish(ingress, |_| self.ports.members());
        decisions
    }

    /// Fills `probes` with the admitted frames and counts the others as drops. Returns how many
    /// were admitted.
    #[inline]
    fn admit(&mut self, frames: &[Frame<'_>], drops: &mut Drops) -> usize {
        let room = self.probes.len();
        let mut places = self.probes.iter_mut();
        for (index, frame) in (0..).zip(frames) {
            match ingress::admit(frame.bytes, &self.config, &mut ()) {
                Ok(admitted) => {
                    let Some(place) = places.next() else { break };
                    let stations = Stations::of(admitted, &self.fdb);
                    *place = Probe { stations, index };
                }
                Err(reason) => drops.add(reason, 1),
            }
        }
        room - places.len()
    }
}
