//! A whole batch at once: check, learn, look up, verdict, output queues.

use super::egress::OutputQueues;
use super::fdb::Home;
use super::ingress::{self, Admitted};
use super::key::Key;
use super::{Bridge, DropReason, PortId, Verdict};
use crate::port::{BATCH, Drops, Frame};
use crate::time::Timestamp;

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
            dst: None,
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
    /// The work is done in passes over the batch, so that the table's memory is fetched for all
    /// frames side by side.
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
            drops.add(DropReason::IngressDown, frames.len() as u64);
            return;
        }
        self.fdb.advance(now);
        let count = self.admit(frames, drops);
        // Taken out for the loop, so that what is learnt cannot be thought to change them.
        let probes = std::mem::take(&mut self.probes);
        let admitted = probes.get(..count).unwrap_or_default();
        self.fdb
            .touch(admitted.iter().flat_map(|probe| [probe.src, probe.dst]));
        for probe in admitted {
            self.fdb.learn(probe.src, probe.addresses.src, ingress);
            let verdict = match probe.addresses.dst {
                Some(dst) => self.towards(probe.dst, dst, ingress),
                None => self.flood(),
            };
            match verdict {
                Verdict::Forward(port) => out.push(port, probe.index),
                Verdict::Flood => out.push_flood(probe.index),
                Verdict::Drop(reason) => drops.add(reason, 1),
            }
        }
        self.probes = probes;
        out.finish(ingress, self.ports.forwarding());
    }

    /// Fills `probes` with the frames that pass and counts the others. Returns how many pass.
    #[inline]
    fn admit(&mut self, frames: &[Frame<'_>], drops: &mut Drops) -> usize {
        let mut count = 0;
        for (index, frame) in (0..).zip(frames) {
            match ingress::admit(frame.bytes, self.config.forward_reserved) {
                Ok(addresses) => {
                    let src = self.fdb.home(addresses.src);
                    let dst = addresses.dst.map_or(src, |dst| self.fdb.home(dst));
                    self.probes[count] = Probe {
                        addresses,
                        src,
                        dst,
                        index,
                    };
                    count += 1;
                }
                Err(reason) => drops.add(reason, 1),
            }
        }
        count
    }
}
