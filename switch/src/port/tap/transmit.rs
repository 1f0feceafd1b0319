//! Sends a batch to the TAP device.

use std::fs::File;
use std::io::{self, IoSlice, Write};

use crate::frame::{DropReason, Edited, EthernetFrame, HEADER_LEN, Offload, TagAction};
use crate::port::offload::{Scratch, outgoing_header, send_cut};
use crate::port::{Frame, Selection, TxReport, TxStatus};

/// How often one call may retry when the kernel has no memory for a frame.
const RETRIES: usize = 8;

/// The state needed to send.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) tun: &'a File,
    pub(super) offloads: bool,
    pub(super) mtu: usize,
}

/// The result of an attempt to send a frame.
enum Attempt {
    Sent,
    Busy,
    Dropped(DropReason),
    Ended(TxStatus),
}

impl Sender<'_> {
    /// Sends all of `frames` in order, and reports each of them. A super-frame that no offload
    /// header describes is segmented in `scratch`.
    pub(super) fn transmit(
        self,
        frames: Selection<'_, '_>,
        scratch: &mut Scratch,
        report: &mut TxReport<'_>,
    ) -> TxStatus {
        let mut retries = RETRIES;
        let mut rest = frames.actions();
        while let Some((frame, action)) = rest.next() {
            let edited = action.edit(frame);
            let status = match outgoing_header(frame) {
                // Tags do not count: a packet that is too long is too long with any tags.
                Some(_) if self.is_too_big(frame) => {
                    report.dropped(DropReason::EgressTooBig, 1);
                    TxStatus::Done
                }
                Some(header) => {
                    let header = Offload::from_bytes(header);
                    let header = header.as_edited(frame.bytes.len(), edited.len());
                    self.send_one(&header, &edited, &mut retries, report)
                }
                None => self.cut(&edited, scratch, &mut retries, report),
            };
            if status != TxStatus::Done {
                report.dropped(DropReason::EgressDown, rest.count());
                return status;
            }
        }
        TxStatus::Done
    }

    /// Sends a super-frame as its segments.
    fn cut(
        self,
        edited: &Edited<'_>,
        scratch: &mut Scratch,
        retries: &mut usize,
        report: &mut TxReport<'_>,
    ) -> TxStatus {
        let whole = edited.whole();
        let frame = Frame {
            bytes: &whole,
            offload: edited.offload,
        };
        let memory = scratch.memory();
        send_cut(&frame, self.mtu, memory, report, |segments, report| {
            self.send_segments(segments, retries, report)
        })
    }

    /// Sends frames that need no segmentation, until the link ends.
    fn send_segments(
        self,
        segments: &[Frame<'_>],
        retries: &mut usize,
        report: &mut TxReport<'_>,
    ) -> TxStatus {
        let mut statuses = segments.iter().map(|segment| {
            let segment = TagAction::Keep.edit(segment);
            self.send_one(&Offload::NONE, &segment, retries, report)
        });
        statuses
            .find(|status| *status != TxStatus::Done)
            .unwrap_or(TxStatus::Done)
    }

    /// Sends one frame and reports it.
    fn send_one(
        self,
        header: &Offload,
        frame: &Edited<'_>,
        retries: &mut usize,
        report: &mut TxReport<'_>,
    ) -> TxStatus {
        let mut attempt = self.attempt(header, frame);
        while matches!(attempt, Attempt::Busy) && *retries > 0 {
            *retries -= 1;
            attempt = self.attempt(header, frame);
        }
        match attempt {
            Attempt::Sent => report.sent(1, frame.len()),
            Attempt::Busy => report.dropped(DropReason::EgressFull, 1),
            Attempt::Dropped(reason) => report.dropped(reason, 1),
            Attempt::Ended(status) => {
                report.dropped(DropReason::EgressDown, 1);
                return status;
            }
        }
        TxStatus::Done
    }

    fn attempt(self, header: &Offload, frame: &Edited<'_>) -> Attempt {
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

    /// Writes one frame, which the kernel accepts whole or not at all.
    fn send(mut self, header: &Offload, frame: &Edited<'_>) -> io::Result<()> {
        let header = header.to_bytes();
        let parts = [&header, frame.head(), frame.rest()].map(IoSlice::new);
        let parts = if self.offloads { &parts } else { &parts[1..] };
        self.tun.write_vectored(parts).map(drop)
    }

    /// Reports whether a frame that is not a super-frame has a packet, after all tags, that exceeds
    /// the MTU. The kernel would accept it, so the switch must enforce the limit.
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
