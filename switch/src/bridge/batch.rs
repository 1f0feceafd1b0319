//! A whole batch at once: check, learn, look up, verdict, output queues.

use super::egress::OutputQueues;
use super::{Bridge, PortId, Verdict};
use crate::port::{Drops, Frame};
use crate::time::Timestamp;

impl Bridge {
    /// Decides about a batch of frames that came in by `ingress` at `now`, as
    /// [`Bridge::handle`] does about one: `out` is emptied and then filled with the frames
    /// that leave by each port, and frames that go nowhere are counted in `drops`, the ingress
    /// port's.
    ///
    /// `frames` holds at most [`BATCH`](crate::port::BATCH) frames; what is beyond is ignored.
    /// `out` must know all ports of the bridge.
    pub fn classify(
        &mut self,
        now: Timestamp,
        ingress: PortId,
        frames: &[Frame<'_>],
        out: &mut OutputQueues,
        drops: &mut Drops,
    ) {
        out.clear();
        for (index, frame) in (0..64).zip(frames) {
            match self.handle(now, ingress, frame.bytes) {
                Verdict::Forward(port) => out.push(port, index),
                Verdict::Flood => {
                    for &port in self.forwarding_ports() {
                        if port != ingress {
                            out.push(port, index);
                        }
                    }
                }
                Verdict::Drop(reason) => drops.add(reason, 1),
            }
        }
    }
}
