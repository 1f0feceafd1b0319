//! Sends a batch to the socket.

use std::os::fd::AsFd;

use arrayvec::ArrayVec;
use socket2::Socket;

use super::sys::{self, Outgoing};
use crate::frame::{DropReason, Edited, Offload, TAG_LEN};
use crate::port::offload::{Scratch, outgoing_header, send_cut};
use crate::port::{BATCH, Frame, FrameLimit, Selection, TxReport, TxStatus};

/// How often one call may retry when a queue behind the interface is full. A peer whose MTU is too
/// small reports "full" for every frame, permanently, so this limits the retries of the whole
/// batch.
const RETRIES: usize = 8;

/// The transmit state of a packet port, besides its socket.
#[derive(Debug, Default)]
pub(super) struct WayOut {
    /// Whether an interface was still full after a call's retries. There is no retry again until it
    /// has accepted a frame, so that it does not delay other ports.
    pub(super) is_stuck: bool,
    /// The MTU of the interface at the other end of the veth pair, if it is known.
    pub(super) peer_mtu: Option<usize>,
    /// The mark of frames whose outer tag becomes metadata, if the interface supports that.
    pub(super) aside_mark: Option<u32>,
    /// Memory for segmenting super-frames.
    pub(super) scratch: Scratch,
    /// Memory for a frame whose tags change and that cannot be sent in pieces.
    pub(super) whole: Vec<u8>,
}

/// The meaning of a kernel error for the first unsent frame.
enum Judgement {
    AskAgain,
    Cut,
    Drop(DropReason),
    End(TxStatus),
}

/// One call.
struct Call<'a> {
    socket: &'a Socket,
    limit: FrameLimit,
    is_stuck: &'a mut bool,
    aside_mark: Option<u32>,
    /// How many retries are left.
    retries: usize,
}

/// Sends all of `frames` in order, and reports each of them.
pub(super) fn transmit(
    socket: &Socket,
    limit: FrameLimit,
    way_out: &mut WayOut,
    frames: Selection<'_, '_>,
    report: &mut TxReport<'_>,
) -> TxStatus {
    let mut call = Call {
        socket,
        limit,
        retries: if way_out.is_stuck { 0 } else { RETRIES },
        is_stuck: &mut way_out.is_stuck,
        aside_mark: way_out.aside_mark,
    };
    if frames.keeps_tags() {
        call.send_all(frames.iter().take(BATCH), &mut way_out.scratch, report)
    } else {
        call.send_edited(frames, &mut way_out.scratch, &mut way_out.whole, report)
    }
}

impl Call<'_> {
    /// Sends frames with unchanged tags; segments them or moves a tag into metadata where
    /// necessary.
    fn send_all<'s, 'f: 's>(
        &mut self,
        mut rest: impl Iterator<Item = &'s Frame<'f>>,
        scratch: &mut Scratch,
        report: &mut TxReport<'_>,
    ) -> TxStatus {
        loop {
            let mut outgoing: ArrayVec<Outgoing<'_>, BATCH> = ArrayVec::new();
            // A super-frame that the kernel cannot segment, or a frame whose outer tag becomes
            // metadata.
            let mut special = None;
            for frame in rest.by_ref() {
                let header = outgoing_header(frame).filter(|_| !self.sets_aside(frame));
                let Some(header) = header else {
                    special = Some(frame);
                    break;
                };
                outgoing.push(Outgoing::new(header, frame.bytes));
            }
            let mut status = self.send(&outgoing, scratch, report);
            let Some(frame) = special else {
                return status;
            };
            if status == TxStatus::Done && self.sets_aside(frame) {
                status = self.set_aside(frame, report);
            } else if status == TxStatus::Done {
                status = self.cut(frame, scratch, report);
            } else {
                report.dropped(DropReason::EgressDown, 1);
            }
            if status != TxStatus::Done {
                report.dropped(DropReason::EgressDown, rest.count());
                return status;
            }
        }
    }

    /// Sends frames of which some leave with changed tags.
    fn send_edited(
        &mut self,
        frames: Selection<'_, '_>,
        scratch: &mut Scratch,
        whole: &mut Vec<u8>,
        report: &mut TxReport<'_>,
    ) -> TxStatus {
        let mut rest = frames.actions().take(BATCH);
        loop {
            let mut outgoing: ArrayVec<Outgoing<'_>, BATCH> = ArrayVec::new();
            let mut special = None;
            for (frame, action) in rest.by_ref() {
                let edited = action.edit(frame);
                let Some(header) = self.edited_header(frame, &edited) else {
                    special = Some(edited);
                    break;
                };
                outgoing.push(Outgoing::edited(header, &edited));
            }
            let mut status = self.send(&outgoing, scratch, report);
            let Some(edited) = special else {
                return status;
            };
            if status == TxStatus::Done {
                whole.clear();
                whole.extend_from_slice(edited.head());
                whole.extend_from_slice(edited.rest());
                let frame = Frame {
                    bytes: whole,
                    offload: edited.offload,
                };
                status = self.send_all([&frame].into_iter(), scratch, report);
            } else {
                report.dropped(DropReason::EgressDown, 1);
            }
            if status != TxStatus::Done {
                report.dropped(DropReason::EgressDown, rest.count());
                return status;
            }
        }
    }

    /// Returns the offload header of a frame that leaves as `edited`; `None` if it must be
    /// segmented or may need a tag in metadata.
    fn edited_header(&self, frame: &Frame<'_>, edited: &Edited<'_>) -> Option<[u8; Offload::LEN]> {
        let is_long = self.limit.sets_tags_aside && edited.len() > self.limit.peer_len();
        if is_long && edited.offload.segmentation().is_none() {
            return None;
        }
        let header = Offload::from_bytes(outgoing_header(frame)?);
        Some(header.as_edited(frame.bytes.len(), edited.len()).to_bytes())
    }

    /// Sends frames as they are; those that the kernel cannot segment, as their segments.
    fn send(
        &mut self,
        mut rest: &[Outgoing<'_>],
        scratch: &mut Scratch,
        report: &mut TxReport<'_>,
    ) -> TxStatus {
        while let Some((first, behind)) = rest.split_first() {
            match sys::send(self.socket.as_fd(), rest) {
                Ok(sent) => {
                    let (done, left) = rest.split_at(sent.min(rest.len()));
                    let bytes = done.iter().map(Outgoing::len).sum();
                    report.sent(done.len(), bytes);
                    *self.is_stuck = false;
                    rest = left;
                }
                Err(error) => match self.judge(error.raw_os_error().unwrap_or(0), first) {
                    Judgement::AskAgain => std::thread::yield_now(),
                    Judgement::Cut => {
                        let bytes = first.frame();
                        let frame = Frame {
                            bytes: &bytes,
                            offload: Offload::from_bytes(first.header()),
                        };
                        rest = behind;
                        let status = self.cut(&frame, scratch, report);
                        if status != TxStatus::Done {
                            report.dropped(DropReason::EgressDown, rest.len());
                            return status;
                        }
                    }
                    Judgement::Drop(reason) => {
                        report.dropped(reason, 1);
                        rest = behind;
                    }
                    Judgement::End(status) => {
                        report.dropped(DropReason::EgressDown, rest.len());
                        return status;
                    }
                },
            }
        }
        TxStatus::Done
    }

    /// Reports whether the outer tag of this frame becomes metadata. A super-frame is accepted at
    /// any length.
    #[inline]
    fn sets_aside(&self, frame: &Frame<'_>) -> bool {
        self.limit.sets_aside(frame.bytes) && frame.offload.segmentation().is_none()
    }

    /// Sends a frame with one extra tag, and the mark by which the interface removes it.
    fn set_aside(&mut self, frame: &Frame<'_>, report: &mut TxReport<'_>) -> TxStatus {
        let mark = self.aside_mark.unwrap_or_default();
        let header = frame.offload.shifted(4).to_bytes();
        let outgoing = Outgoing::new(header, frame.bytes);
        // The frame as the other end sees it.
        let seen = Outgoing::new(header, frame.bytes.get(TAG_LEN..).unwrap_or_default());
        while let Err(error) = sys::send_aside(self.socket.as_fd(), &outgoing, mark) {
            match self.judge(error.raw_os_error().unwrap_or(0), &seen) {
                Judgement::AskAgain => std::thread::yield_now(),
                Judgement::Drop(reason) => {
                    report.dropped(reason, 1);
                    return TxStatus::Done;
                }
                Judgement::Cut => {
                    report.dropped(DropReason::EgressOffload, 1);
                    return TxStatus::Done;
                }
                Judgement::End(status) => {
                    report.dropped(DropReason::EgressDown, 1);
                    return status;
                }
            }
        }
        report.sent(1, frame.bytes.len());
        *self.is_stuck = false;
        TxStatus::Done
    }

    /// Sends a super-frame as its segments.
    fn cut(
        &mut self,
        frame: &Frame<'_>,
        scratch: &mut Scratch,
        report: &mut TxReport<'_>,
    ) -> TxStatus {
        let memory = scratch.memory();
        let mtu = self.limit.payload_bytes();
        send_cut(frame, mtu, memory, report, |segments, report| {
            let outgoing: ArrayVec<Outgoing<'_>, BATCH> = segments
                .iter()
                .map(|segment| Outgoing::new(Offload::NONE.to_bytes(), segment.bytes))
                .collect();
            // They are complete frames: none of them is segmented again.
            self.send(&outgoing, &mut Scratch::default(), report)
        })
    }

    fn judge(&mut self, errno: i32, first: &Outgoing<'_>) -> Judgement {
        let offload = Offload::from_bytes(first.header());
        let is_super = offload.segmentation().is_some();
        match errno {
            libc::ENOBUFS if !is_super && first.len() > self.limit.peer_len() => {
                Judgement::Drop(self.limit.peer_refusal())
            }
            libc::ENOBUFS | libc::EAGAIN | libc::ENOMEM | libc::EINTR if self.retries > 0 => {
                self.retries -= 1;
                Judgement::AskAgain
            }
            libc::ENOBUFS | libc::EAGAIN | libc::EINTR => {
                *self.is_stuck = true;
                Judgement::Drop(DropReason::EgressFull)
            }
            // `validate_xmit_skb` and `virtio_net_hdr_to_skb`: the kernel cannot segment it.
            libc::ENOMEM | libc::EINVAL if is_super => Judgement::Cut,
            libc::ENOMEM => Judgement::Drop(DropReason::EgressNoMemory),
            libc::EMSGSIZE => Judgement::Drop(DropReason::EgressTooBig),
            libc::EINVAL if !offload.is_finished() => Judgement::Drop(DropReason::EgressOffload),
            libc::ENETDOWN => Judgement::End(TxStatus::LinkDown),
            libc::ENXIO | libc::ENODEV => Judgement::End(TxStatus::LinkGone),
            _ => Judgement::Drop(DropReason::EgressError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(len: usize) -> Outgoing<'static> {
        Outgoing::new([0; Offload::LEN], &[0; 60][..len])
    }

    /// Returns the final meaning of `errno` for `frame`, and how often it is retried before.
    fn judged(retries: usize, errno: i32, frame: &Outgoing<'_>) -> (usize, Option<DropReason>) {
        let socket = Socket::new(socket2::Domain::UNIX, socket2::Type::DGRAM, None).unwrap();
        let mut call = Call {
            socket: &socket,
            limit: FrameLimit {
                peer_mtu_bytes: Some(41),
                ..FrameLimit::of(1500)
            },
            is_stuck: &mut false,
            aside_mark: None,
            retries,
        };
        let mut asked = 0;
        loop {
            match call.judge(errno, frame) {
                Judgement::AskAgain => asked += 1,
                Judgement::Drop(reason) => return (asked, Some(reason)),
                Judgement::Cut => return (asked, None),
                Judgement::End(_) => panic!("no end of the link"),
            }
        }
    }

    #[test]
    fn patience_with_a_full_queue_is_bounded_and_a_stuck_one_gets_none() {
        let short = outgoing(59);
        let full = Some(DropReason::EgressFull);
        assert_eq!(judged(RETRIES, libc::ENOBUFS, &short), (RETRIES, full));
        assert_eq!(judged(0, libc::ENOBUFS, &short), (0, full));
    }

    #[test]
    fn a_queue_that_is_full_to_the_end_is_stuck_whatever_the_frame_is() {
        let socket = Socket::new(socket2::Domain::UNIX, socket2::Type::DGRAM, None).unwrap();
        for (retries, expected) in [(1, false), (0, true)] {
            let mut is_stuck = false;
            let mut call = Call {
                socket: &socket,
                limit: FrameLimit::of(1500),
                is_stuck: &mut is_stuck,
                aside_mark: None,
                retries,
            };
            call.judge(libc::ENOBUFS, &outgoing(60));
            assert_eq!(is_stuck, expected);
        }
    }

    #[test]
    fn each_refusal_has_its_reason() {
        let mut header = Offload::NONE;
        header.gso_type = Offload::GSO_TCP_V4;
        let super_frame = Outgoing::new(header.to_bytes(), &[0; 60]);
        let too_long = Some(DropReason::EgressPeerMtu);
        assert_eq!(judged(RETRIES, libc::ENOBUFS, &outgoing(60)), (0, too_long));
        let full = Some(DropReason::EgressFull);
        assert_eq!(
            judged(0, libc::ENOBUFS, &super_frame).1,
            full,
            "any length is taken"
        );
        let no_memory = Some(DropReason::EgressNoMemory);
        assert_eq!(judged(3, libc::ENOMEM, &outgoing(60)), (3, no_memory));
        assert_eq!(judged(3, libc::ENOMEM, &super_frame), (3, None));
        assert_eq!(judged(3, libc::EINVAL, &super_frame), (0, None));
        assert_eq!(
            judged(0, libc::EMSGSIZE, &outgoing(60)).1,
            Some(DropReason::EgressTooBig)
        );
    }
}
