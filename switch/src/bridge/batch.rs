//! A whole batch at once: check, learn, look up, verdict, output queues.

use arrayvec::ArrayVec;

use super::egress::OutputQueues;
use super::fdb::{Heard, Home, Spot};
use super::ingress::{self, Admitted};
use super::key::Key;
use super::{Bridge, DropReason, Look, PortId, Verdict};
use crate::frame::{BATCH, Drops, Frame, Timestamp};

/// A frame that passed ingress, and where its stations belong in the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    addresses: Admitted,
    src: Home,
    dst: Home,
    index: u8,
}

impl Probe {
    /// What stands in for a probe until there is one.
    pub(super) const NONE: Self = Self {
        addresses: Admitted {
            src: Key::NOBODY,
            dst: Key::NOBODY,
        },
        src: Home::FIRST,
        dst: Home::FIRST,
        index: 0,
    };
}

impl Bridge {
    /// Decides about a batch of frames that came in by `ingress` at `now`, as
    /// [`Bridge::handle`] does about one after the other: `out` is emptied and then filled with
    /// the frames that leave by each port, and frames that go nowhere are counted in `drops`,
    /// the ingress port's.
    ///
    /// `frames` holds at most [`BATCH`] frames; what is beyond is ignored. `out` must know all
    /// ports of the bridge.
    ///
    /// The work is done in two passes over the batch, so that the table's memory is fetched for
    /// all frames side by side: the first checks the frames and starts the fetching, the second
    /// learns and looks up.
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
        // Taken out for the loop, so that what is learnt cannot be thought to change them.
        let probes = std::mem::take(&mut self.probes);
        let admitted = probes.get(..count).unwrap_or_default();
        let heard = self.fdb.heard(ingress);
        let has_another = self.ports.has_another();
        for probe in admitted {
            if !self.fdb.is_fresh(probe.src, probe.addresses.src, heard)
                && let Some(reason) = self.hear_probe(now, probe, heard, frames)
            {
                drops.add(reason, 1);
                continue;
            }
            // As `towards` has it, without the detour of a verdict.
            match self.fdb.lookup(probe.dst, probe.addresses.dst) {
                Some(known) => match self.refusal(known, ingress) {
                    None => out.push(known.port(), probe.index),
                    Some(reason) => drops.add(reason, 1),
                },
                None if has_another => match self.flood_probe(now, ingress, probe, frames) {
                    Ok(()) => out.push_flood(probe.index),
                    Err(reason) => drops.add(reason, 1),
                },
                None => drops.add(DropReason::NoEgress, 1),
            }
        }
        self.probes = probes;
        out.finish(ingress, self.ports.forwarding());
        self.settle_loops(now);
    }

    /// See [`Bridge::hear`].
    #[inline(never)]
    fn hear_probe(
        &mut self,
        now: Timestamp,
        probe: &Probe,
        heard: Heard,
        frames: &[Frame<'_>],
    ) -> Option<DropReason> {
        let Probe { addresses, .. } = probe;
        let (src, dst) = (
            Spot {
                home: probe.src,
                key: addresses.src,
            },
            Spot {
                home: probe.dst,
                key: addresses.dst,
            },
        );
        let frame = frames.get(usize::from(probe.index))?;
        self.hear(now, src, dst, heard, frame.bytes)
    }

    /// See [`Bridge::admit_flood`].
    #[inline]
    fn flood_probe(
        &mut self,
        now: Timestamp,
        ingress: PortId,
        probe: &Probe,
        frames: &[Frame<'_>],
    ) -> Result<(), DropReason> {
        match frames.get(usize::from(probe.index)) {
            Some(frame) => self.admit_flood(now, ingress, frame.bytes),
            None => Ok(()),
        }
    }

    /// The same frame by frame, for somebody who looks on: what [`Bridge::look`] tells of each
    /// frame whose bit is set in `wanted`, just before it is handled.
    pub fn classify_watched(
        &mut self,
        now: Timestamp,
        ingress: PortId,
        frames: &[Frame<'_>],
        out: &mut OutputQueues,
        drops: &mut Drops,
        wanted: u64,
    ) -> ArrayVec<Option<Look>, BATCH> {
        out.clear();
        let mut looks = ArrayVec::new();
        for (index, frame) in (0..).zip(frames.iter().take(BATCH)) {
            let is_wanted = wanted >> index & 1 != 0;
            looks.push(is_wanted.then(|| self.look(now, ingress, frame.bytes)));
            match self.handle(now, ingress, frame.bytes) {
                Verdict::Forward(port) => out.push(port, index),
                Verdict::Flood => out.push_flood(index),
                Verdict::Drop(reason) => drops.add(reason, 1),
            }
        }
        out.finish(ingress, self.ports.forwarding());
        looks
    }

    /// Fills `probes` with the frames that pass and counts the others. Returns how many pass.
    #[inline]
    fn admit(&mut self, frames: &[Frame<'_>], drops: &mut Drops) -> usize {
        let room = self.probes.len();
        let mut places = self.probes.iter_mut();
        for (index, frame) in (0..).zip(frames) {
            match ingress::admit(frame.bytes, &self.config) {
                Ok(addresses) => {
                    let Some(place) = places.next() else { break };
                    let src = self.fdb.home(addresses.src);
                    let dst = if addresses.dst == Key::NOBODY {
                        src
                    } else {
                        self.fdb.home(addresses.dst)
                    };
                    *place = Probe {
                        addresses,
                        src,
                        dst,
                        index,
                    };
                }
                Err(reason) => drops.add(reason, 1),
            }
        }
        room - places.len()
    }
}
