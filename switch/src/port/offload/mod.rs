//! Does offloaded work in software: completes checksums and segments super-frames, for ports that
//! cannot pass that work on.

mod checksum;
mod cut;
mod layout;
mod segment;
#[cfg(test)]
mod tests;
mod tunnel;

use std::io;
use std::iter::Peekable;
use std::os::fd::BorrowedFd;

use arrayvec::ArrayVec;

pub(crate) use checksum::complete_sctp;
pub(crate) use cut::{Scratch, send_cut};
pub(crate) use layout::outgoing_header;

use super::{
    Arena, BATCH, Batch, Counters, Frame, FrameLimit, Port, PortData, PortParts, RxStatus,
    Selection, TxReport, TxStatus,
};
use crate::frame::DropReason;

/// Selects all frames of a run, in order.
const IN_ORDER: [u8; BATCH] = {
    let mut indices = [0; BATCH];
    let mut index = 0_u8;
    while (index as usize) < BATCH {
        indices[index as usize] = index;
        index += 1;
    }
    indices
};

/// Wraps a port that takes no offloads or no tag actions: work is done, and tags are changed,
/// before a frame leaves through it.
///
/// Frames that need nothing pass unchanged; the others are finished in memory of this wrapper, in
/// order of arrival. Receiving, and everything else, is left to the inner port.
///
/// Each frame given to [`Port::transmit`] is reported once, with its length before it was
/// segmented: as one sent frame if the inner port accepted every segment, otherwise as one drop,
/// for the reason of the first segment that was lost. Segments that would exceed the inner port's
/// MTU are [`DropReason::EgressTooBig`]; a frame whose headers contradict its offload header, or
/// that requests something unknown, is [`DropReason::EgressOffload`].
pub struct SoftwareOffload {
    inner: Box<dyn Port>,
    scratch: Scratch,
    /// Memory for frames whose tags change.
    rewritten: Scratch,
}

impl SoftwareOffload {
    /// Wraps `inner`.
    #[must_use]
    pub fn new(inner: impl Into<Box<dyn Port>>) -> Self {
        Self {
            inner: inner.into(),
            scratch: Scratch::default(),
            rewritten: Scratch::default(),
        }
    }

    /// Rewrites frames whose tags change, as many at a time as fit into memory.
    fn send_rewritten(&mut self, frames: Selection<'_, '_>, report: &mut TxReport<'_>) -> TxStatus {
        let mut memory = std::mem::take(&mut self.rewritten);
        let mut worst = TxStatus::Done;
        let mut rest = frames.actions().peekable();
        while rest.peek().is_some() {
            let mut run: ArrayVec<Frame<'_>, BATCH> = ArrayVec::new();
            let mut free = memory.memory();
            let mut is_too_long = false;
            while let Some((frame, action)) = rest.peek() {
                let edited = action.edit(frame);
                if edited.len() > free.len() || run.is_full() {
                    is_too_long = run.is_empty();
                    break;
                }
                let (copy, behind) = std::mem::take(&mut free).split_at_mut(edited.len());
                free = behind;
                let _ = edited.write(copy);
                run.push(Frame {
                    bytes: copy,
                    offload: edited.offload,
                });
                rest.next();
            }
            if is_too_long {
                rest.next();
                report.dropped(DropReason::EgressTooBig, 1);
                continue;
            }
            let status = self.finish(Selection::new(&run, &IN_ORDER[..run.len()]), report);
            if status != TxStatus::Done {
                worst = status;
            }
        }
        self.rewritten = memory;
        worst
    }

    /// Sends frames with unchanged tags, after completing those with offloaded work.
    fn finish(&mut self, frames: Selection<'_, '_>, report: &mut TxReport<'_>) -> TxStatus {
        let takes_all = self.inner.takes_offloads();
        if takes_all || frames.iter().all(|frame| frame.offload.is_finished()) {
            return self.inner.transmit(frames, report);
        }
        let mut worst = TxStatus::Done;
        let mut rest = frames.iter().peekable();
        while let Some(&next) = rest.peek() {
            let status = if next.bytes.len() > Scratch::LEN && !next.offload.is_finished() {
                rest.next();
                report.dropped(DropReason::EgressTooBig, 1);
                TxStatus::Done
            } else if next.offload.segmentation().is_some() {
                rest.next();
                self.send_super(next, report)
            } else {
                self.send_run(&mut rest, report)
            };
            if status != TxStatus::Done {
                worst = status;
            }
        }
        worst
    }

    /// Sends frames that are not segmented, up to the next super-frame, a frame that cannot be
    /// finished, the end of the scratch memory, or a full batch.
    fn send_run<'s, 'f: 's>(
        &mut self,
        frames: &mut Peekable<impl Iterator<Item = &'s Frame<'f>>>,
        report: &mut TxReport<'_>,
    ) -> TxStatus {
        let mut cannot_finish = false;
        let mut run: ArrayVec<Frame<'_>, BATCH> = ArrayVec::new();
        let mut free = self.scratch.memory();
        while let Some(frame) = frames.next_if(|frame| {
            frame.offload.is_finished()
                || frame.offload.segmentation().is_none() && frame.bytes.len() <= free.len()
        }) {
            if frame.offload.needs_checksum() {
                let (copy, rest) = free.split_at_mut(frame.bytes.len());
                free = rest;
                copy.copy_from_slice(frame.bytes);
                if checksum::complete(copy, &frame.offload).is_err() {
                    cannot_finish = true;
                    break;
                }
                run.push(Frame::finished(copy));
            } else {
                run.push(Frame::finished(frame.bytes));
            }
            if run.is_full() {
                break;
            }
        }
        let status = send_all(self.inner.as_mut(), &run, report);
        if cannot_finish {
            report.dropped(DropReason::EgressOffload, 1);
        }
        status
    }

    /// Sends one super-frame as its segments.
    fn send_super(&mut self, frame: &Frame<'_>, report: &mut TxReport<'_>) -> TxStatus {
        let inner = self.inner.as_mut();
        let mtu = inner.mtu();
        let scratch = self.scratch.memory();
        send_cut(frame, mtu, scratch, report, |segments, report| {
            send_all(inner, segments, report)
        })
    }
}

/// Sends all of `frames`, if there are any.
fn send_all(port: &mut dyn Port, frames: &[Frame<'_>], report: &mut TxReport<'_>) -> TxStatus {
    if frames.is_empty() {
        return TxStatus::Done;
    }
    port.transmit(Selection::new(frames, &IN_ORDER[..frames.len()]), report)
}

impl Port for SoftwareOffload {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn driver(&self) -> &'static str {
        self.inner.driver()
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.fd()
    }

    fn mtu(&self) -> usize {
        self.inner.mtu()
    }

    fn limit(&self) -> FrameLimit {
        self.inner.limit()
    }

    fn finishes_offloads(&self) -> bool {
        true
    }

    fn takes_offloads(&self) -> bool {
        true
    }

    fn takes_tag_actions(&self) -> bool {
        true
    }

    fn receive<'a>(
        &'a mut self,
        arena: &'a mut Arena,
        batch: &mut Batch<'a>,
        counters: &mut Counters,
    ) -> RxStatus {
        self.inner.receive(arena, batch, counters)
    }

    fn transmit(&mut self, frames: Selection<'_, '_>, report: &mut TxReport<'_>) -> TxStatus {
        if frames.keeps_tags() {
            self.finish(frames, report)
        } else {
            self.send_rewritten(frames, report)
        }
    }

    fn release(&mut self) {
        self.inner.release();
    }

    fn expect_error(&mut self) {
        self.inner.expect_error();
    }

    fn set_tags_aside(&mut self, mark: Option<u32>) {
        self.inner.set_tags_aside(mark);
    }

    fn set_peer_mtu(&mut self, mtu: Option<usize>) {
        self.inner.set_peer_mtu(mtu);
    }

    fn parts(&self) -> io::Result<Option<PortParts>> {
        self.inner.parts()
    }

    fn data(&mut self) -> Option<PortData> {
        self.inner.data()
    }

    fn is_gone(&self) -> bool {
        self.inner.is_gone()
    }

    fn give_back(&mut self) -> io::Result<()> {
        self.inner.give_back()
    }

    fn collect_losses(&mut self, counters: &mut Counters) {
        self.inner.collect_losses(counters);
    }
}
