//! From the batch into the device.

use std::fs::File;
use std::io::{self, IoSlice, Write};

use crate::frame::{DropReason, EthernetFrame, HEADER_LEN, Offload};
use crate::port::offload::{Scratch, outgoing_header, send_cut};
use crate::port::{Frame, Selection, TxReport, TxStatus};

/// How often one call may ask the kernel again when it has no memory for a frame.
const RETRIES: usize = 8;

/// What it takes to send.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) tun: &'a File,
    pub(super) offloads: bool,
    pub(super) mtu: usize,
}

/// How the attempt to send a frame ended.
enum Attempt {
    Sent,
    Busy,
    Dropped(DropReason),
    Ended(TxStatus),
}

impl Sender<'_> {
    /// Sends all of `frames` in order, and reports each of them. A super-frame that no offload
    /// header describes is cut in `scratch`.
    pub(super) fn transmit(
        self,
        frames: Selection<'_, '_>,
        scratch: &mut Scratch,
        report: &mut TxReport<'_>,
    ) -> TxStatus {
        let mut retries = RETRIES;
        let mut rest = frames.iter();
        while let Some(frame) = rest.next() {
            let status = match outgoing_header(frame) {
                Some(header) => self.send_one(&header, frame, &mut retries, report),
                None => send_cut(
                    frame,
                    self.mtu,
                    scratch.memory(),
                    report,
                    |segments, report| self.send_segments(segments, &mut retries, report),
                ),
            };
            if status != TxStatus::Done {
                report.dropped(DropReason::EgressDown, rest.count());
                return status;
            }
        }
        TxStatus::Done
    }

    /// Sends frames that need nothing more, until the link ends.
    fn send_segments(
        self,
        segments: &[Frame<'_>],
        retries: &mut usize,
        report: &mut TxReport<'_>,
    ) -> TxStatus {
        let header = Offload::NONE.to_bytes();
        let mut statuses = segments
            .iter()
            .map(|segment| self.send_one(&header, segment, retries, report));
        statuses
            .find(|status| *status != TxStatus::Done)
            .unwrap_or(TxStatus::Done)
    }

    /// Sends one frame and reports it.
    fn send_one(
        self,
        header: &[u8; Offload::LEN],
        frame: &Frame<'_>,
        retries: &mut usize,
        report: &mut TxReport<'_>,
    ) -> TxStatus {
        let mut attempt = self.attempt(header, frame);
        while matches!(attempt, Attempt::Busy) && *retries > 0 {
            *retries -= 1;
            attempt = self.attempt(header, frame);
        }
        match attempt {
            Attempt::Sent => report.sent(1, frame.bytes.len()),
            Attempt::Busy => report.dropped(DropReason::EgressFull, 1),
            Attempt::Dropped(reason) => report.dropped(reason, 1),
            Attempt::Ended(status) => {
                report.dropped(DropReason::EgressDown, 1);
                return status;
            }
        }
        TxStatus::Done
    }

    fn attempt(self, header: &[u8; Offload::LEN], frame: &Frame<'_>) -> Attempt {
        if self.is_too_big(frame) {
            return Attempt::Dropped(DropReason::EgressTooBig);
        }
        let Err(error) = self.send(header, frame) else {
            return Attempt::Sent;
        };
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS | libc::EINTR) => Attempt::Busy,
            Some(libc::ENOMEM) => Attempt::Dropped(DropReason::EgressNoMemory),
            Some(libc::EIO) => Attempt::Ended(TxStatus::LinkDown),
            Some(libc::EBADFD) => Attempt::Ended(TxStatus::LinkGone),
            Some(libc::EINVAL) if !frame.offload.is_finished() => {
                Attempt::Dropped(DropReason::EgressOffload)
            }
            _ => Attempt::Dropped(DropReason::EgressError),
        }
    }

    /// Writes one frame, which the kernel takes whole or not at all.
    fn send(mut self, header: &[u8; Offload::LEN], frame: &Frame<'_>) -> io::Result<()> {
        if self.offloads {
            let parts = [IoSlice::new(header), IoSlice::new(frame.bytes)];
            self.tun.write_vectored(&parts).map(drop)
        } else {
            self.tun.write(frame.bytes).map(drop)
        }
    }

    /// Whether a frame that is no super-frame has a packet, behind all tags, that is longer than
    /// the MTU. The kernel would take it: the limit is the switch's to keep.
    pub(super) fn is_too_big(self, frame: &Frame<'_>) -> bool {
        let bytes = frame.bytes;
        bytes.len() > self.mtu + HEADER_LEN && frame.offload.segmentation().is_none() && {
            let view = EthernetFrame::new_checked(bytes).ok();
            let link_len = view
                .and_then(|view| view.network())
                .map_or(HEADER_LEN, |(_, offset)| offset);
            bytes.len() > self.mtu + link_len
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_do_not_count_towards_the_mtu() {
        let tun = File::open("/dev/null").unwrap();
        let sender = Sender {
            tun: &tun,
            offloads: false,
            mtu: 100,
        };
        let is_too_big = |behind_addresses: &[u8], len| {
            let mut bytes = [&[2; 12], behind_addresses].concat();
            bytes.resize(len, 0);
            sender.is_too_big(&Frame::finished(&bytes))
        };
        assert!(!is_too_big(&[8, 0], 114));
        assert!(is_too_big(&[8, 0], 115));
        assert!(!is_too_big(&[0x81, 0, 0, 1, 8, 0], 118));
        assert!(is_too_big(&[0x81, 0, 0, 1, 8, 0], 119));
        assert!(!is_too_big(&[0x88, 0xa8, 0, 1, 0x81, 0, 0, 1, 8, 0], 122));
    }
}
