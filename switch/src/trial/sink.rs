//! A port that checks the frames it is given.

use std::os::fd::BorrowedFd;

use super::reader;
use crate::bridge::DropReason;
use crate::frame::{HEADER_LEN, TAG_LEN};
use crate::port::{
    Arena, Batch, Counters, Frame, Port, RxStatus, Selection, TxReport, TxStatus, outgoing_header,
};

/// The frames that a sink expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// Frames with offloads, whose headers are written as for a kernel.
    Offloads,
    /// Finished frames.
    Finished,
    /// Finished frames that were cut from super-frames, so the switch wrote all of their checksums.
    Segments,
}

/// The destination of frames, which checks each.
pub(super) struct Sink {
    pub(super) wants: Wants,
    pub(super) mtu_bytes: usize,
}

impl Sink {
    fn check(&self, frame: &Frame<'_>) {
        assert!(frame.bytes.len() >= HEADER_LEN, "a runt leaves");
        if self.wants == Wants::Offloads {
            let Some(written) = outgoing_header(frame) else {
                return; // The switch segments it in software.
            };
            let kept = frame.offload.to_bytes();
            // Only the length of the headers may be corrected.
            assert_eq!(
                (&written[..2], &written[4..]),
                (&kept[..2], &kept[4..]),
                "an offload header is changed"
            );
            return;
        }
        assert!(frame.offload.is_finished(), "{:?}", frame.offload);
        if self.wants == Wants::Segments {
            reader::check(frame.bytes);
        }
    }
}

impl Port for Sink {
    fn name(&self) -> &'static str {
        "sink"
    }

    fn driver(&self) -> &'static str {
        "sink"
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn mtu(&self) -> usize {
        self.mtu_bytes
    }

    fn takes_offloads(&self) -> bool {
        self.wants == Wants::Offloads
    }

    fn receive<'a>(
        &'a mut self,
        _: &'a mut Arena,
        _: &mut Batch<'a>,
        _: &mut Counters,
    ) -> RxStatus {
        RxStatus::Drained
    }

    fn transmit(&mut self, frames: Selection<'_, '_>, report: &mut TxReport<'_>) -> TxStatus {
        for frame in frames.iter() {
            self.check(frame);
            let fits = frame.bytes.len() <= self.mtu_bytes + HEADER_LEN + TAG_LEN
                || frame.offload.segmentation().is_some();
            if fits {
                report.sent(1, frame.bytes.len());
            } else {
                report.dropped(DropReason::EgressTooBig, 1);
            }
        }
        TxStatus::Done
    }
}
