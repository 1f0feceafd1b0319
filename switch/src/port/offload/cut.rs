//! Sends a super-frame as its segments, which count as one frame.

use arrayvec::ArrayVec;

use super::segment::SuperFrame;
use crate::frame::DropReason;
use crate::port::{BATCH, Counters, Frame, TxReport, TxStatus};

/// Memory for finished frames, which a port allocates when it first has to finish one: room for a
/// few super-frames, small enough for a second-level cache.
#[derive(Debug, Default)]
pub(crate) struct Scratch(Option<Box<[u8]>>);

impl Scratch {
    /// Its length.
    pub(crate) const LEN: usize = 4 * 65_536;

    /// Returns all of it, with its previous contents.
    pub(crate) fn memory(&mut self) -> &mut [u8] {
        self.0
            .get_or_insert_with(|| vec![0; Self::LEN].into_boxed_slice())
    }
}

/// Segments `frame` and makes `send` send the segments in order, up to a batch at a time.
///
/// It is reported once, with its length before it was segmented: as sent if every segment was sent,
/// else as dropped for the reason of the first segment that was lost. `mtu` limits the segments.
pub(crate) fn send_cut(
    frame: &Frame<'_>,
    mtu: usize,
    scratch: &mut [u8],
    report: &mut TxReport<'_>,
    mut send: impl FnMut(&[Frame<'_>], &mut TxReport<'_>) -> TxStatus,
) -> TxStatus {
    let Some(cut) = SuperFrame::new_checked(frame.bytes, &frame.offload) else {
        report.dropped(DropReason::EgressOffload, 1);
        return TxStatus::Done;
    };
    if cut.longest_packet() > mtu {
        report.dropped(DropReason::EgressTooBig, 1);
        return TxStatus::Done;
    }
    let mut of_segments = Counters::default();
    let mut status = TxStatus::Done;
    let mut next = 0;
    while next < cut.count() && status == TxStatus::Done {
        let mut run: ArrayVec<Frame<'_>, BATCH> = ArrayVec::new();
        let mut free = &mut scratch[..];
        while next < cut.count() && !run.is_full() && cut.longest() <= free.len() {
            let len = cut.write(next, free);
            let (segment, rest) = free.split_at_mut(len);
            run.push(Frame::finished(segment));
            free = rest;
            next += 1;
        }
        status = send(&run, &mut TxReport::new(&mut of_segments));
    }
    match of_segments.drops.iter().next() {
        Some((reason, _)) => report.dropped(reason, 1),
        None => report.sent(1, frame.bytes.len()),
    }
    status
}
