//! Receives from the socket into the batch.

use std::os::fd::AsFd;

use arrayvec::ArrayVec;

use super::source::Source;
use super::standstill::Standstill;
use super::sys::{self, Message, Ring, Whereabouts};
use crate::frame::{DropReason, Offload, TAG_LEN, VlanTag};
use crate::port::offload::complete_sctp;
use crate::port::{Arena, BATCH, Batch, Counters, Frame};

/// Offset of a frame in its buffer. In front of it are the offload header and, once that was read,
/// the room into which the addresses move when a VLAN tag is put back between them and the rest.
const FRAME_AT: usize = 16;
const HEADER_AT: usize = FRAME_AT - Offload::LEN;
/// The length of the two addresses, which a tag follows.
const ADDRESSES_LEN: usize = 12;

/// The most frames of one batch that come from the socket's queue in addition to a ring: mostly
/// super-frames. This many are still in the CPU's cache when they are sent (8 × 64 KiB; with all 64
/// of a batch, TCP over one connection has a tenth less throughput).
const LARGE_TOGETHER: usize = 8;

/// The result of emptying a socket's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Emptied {
    /// The batch is full, or there were too many errors: there may be more frames.
    No,
    /// The queue is empty.
    Yes,
}

/// Receives from the ring, and from the socket the frames that were too large for it, until the
/// batch is full or the ring is empty.
///
/// A ring reports no error. The socket is queried for an error if no frame has arrived, and for
/// losses: both also wake the thread. A ring that turns out to have stalled is abandoned in the
/// next call.
pub(super) fn from_ring<'a>(
    source: &mut Source,
    ring: &'a mut Ring,
    standstill: &mut Standstill,
    arena: &'a mut Arena,
    batch: &mut Batch<'a>,
    counters: &mut Counters,
) -> Emptied {
    let mut slots = ring.slots();
    let mut buffers = arena.buffers();
    let mut looked_at = 0;
    let mut large = 0;
    while looked_at < BATCH && large < LARGE_TOGETHER && !batch.is_full() {
        match slots.peek() {
            None => {
                if batch.is_empty() {
                    source.expect_error();
                }
                if looked_at == 0 {
                    standstill.ask(&slots, source, counters);
                }
                return if standstill.has_jammed() {
                    Emptied::No
                } else {
                    Emptied::Yes
                };
            }
            Some(Whereabouts::Slot) => {
                looked_at += 1;
                let frame = slots
                    .take()
                    .ok_or(DropReason::RxError)
                    .and_then(|filled| accept(filled.message, filled.buffer));
                match frame {
                    Ok(frame) => batch.push(frame),
                    Err(reason) => counters.drops.add(reason, 1),
                }
            }
            Some(Whereabouts::Queue) => {
                let room = batch.remaining_capacity().min(LARGE_TOGETHER - large);
                let queued = slots.queued(room);
                let buffers = buffers.by_ref().take(queued).collect();
                let (_, taken) = empty(source, buffers, batch, counters);
                slots.skip(queued);
                // Each frame comes with its slot; if the kernel ever breaks that rule, this counter
                // shows it.
                counters
                    .drops
                    .add(DropReason::RxError, (queued - taken) as u64);
                looked_at += queued;
                large += queued;
            }
            Some(Whereabouts::Nowhere) => {
                looked_at += 1;
                slots.skip(1);
                counters.drops.add(DropReason::RxOverflow, 1);
            }
        }
    }
    Emptied::No
}

/// Receives from the socket until the batch is full or the queue is empty.
pub(super) fn from_socket<'a>(
    source: &mut Source,
    arena: &'a mut Arena,
    batch: &mut Batch<'a>,
    counters: &mut Counters,
) -> Emptied {
    let buffers = arena.buffers().take(batch.remaining_capacity()).collect();
    let (emptied, _) = empty(source, buffers, batch, counters);
    emptied
}

/// Fills `buffers` from the socket's queue until it is empty. Returns how many messages it took.
///
/// It does not stop at a call that returned fewer messages than requested: the kernel ends such a
/// call at the first error, keeps the error for the next call, and sends no wakeup for it
/// (`do_recvmmsg`). Only EAGAIN means that the queue is empty.
fn empty<'a>(
    source: &mut Source,
    mut buffers: ArrayVec<&'a mut [u8], BATCH>,
    batch: &mut Batch<'a>,
    counters: &mut Counters,
) -> (Emptied, usize) {
    let room = buffers.len();
    let mut messages: ArrayVec<Message, BATCH> = ArrayVec::new();
    let mut errors = 0;
    while !buffers.is_empty() && errors < BATCH {
        messages.clear();
        let socket = source.socket().as_fd();
        match sys::receive(socket, &mut buffers, HEADER_AT, &mut messages) {
            Ok(()) => {
                for (message, buffer) in messages.iter().zip(buffers.drain(..messages.len())) {
                    match accept(*message, buffer) {
                        Ok(frame) => batch.push(frame),
                        Err(reason) => counters.drops.add(reason, 1),
                    }
                }
            }
            Err(error) => {
                errors += 1;
                match error.raw_os_error() {
                    Some(libc::EAGAIN) => return (Emptied::Yes, room - buffers.len()),
                    Some(libc::EINTR) => {}
                    Some(libc::ENETDOWN | libc::ENXIO | libc::ENODEV) => source.expect_down(),
                    // A frame whose offload `virtio_net_hdr_from_skb` cannot describe, such as
                    // segmentation of SCTP; it is lost, and so is its place.
                    Some(libc::EINVAL) => {
                        buffers.pop();
                        counters.drops.add(DropReason::RxUnsupportedOffload, 1);
                    }
                    _ => counters.drops.add(DropReason::RxError, 1),
                }
            }
        }
    }
    // Only errors: retrying at once could loop forever. The link is checked instead.
    if batch.is_empty() && errors == BATCH {
        source.expect_down();
        return (Emptied::Yes, room - buffers.len());
    }
    (Emptied::No, room - buffers.len())
}

/// Makes a frame of the message in `buffer`, which begins at [`HEADER_AT`].
fn accept(message: Message, buffer: &mut [u8]) -> Result<Frame<'_>, DropReason> {
    if message.is_truncated {
        return Err(DropReason::RxTruncated);
    }
    let end = HEADER_AT + message.len;
    let header = buffer[HEADER_AT..].first_chunk();
    let (Some(header), true) = (header, end >= FRAME_AT && end <= buffer.len()) else {
        return Err(DropReason::RxError);
    };
    let mut offload = Offload::from_bytes(*header);
    let mut begin = FRAME_AT;
    if let Some(tag) = message.tag {
        let addresses = FRAME_AT..FRAME_AT + ADDRESSES_LEN;
        if end < addresses.end {
            return Err(DropReason::Runt);
        }
        begin -= TAG_LEN;
        buffer.copy_within(addresses, begin);
        let tag_at = begin + ADDRESSES_LEN;
        buffer[tag_at..tag_at + TAG_LEN].copy_from_slice(&tag.to_bytes());
        offload = offload.shifted(4);
    }
    let bytes = &mut buffer[begin..end];
    complete_sctp(bytes, &mut offload);
    Ok(Frame { bytes, offload })
}

/// A message as a kernel might deliver it, for fuzzing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FromKernel<'a> {
    /// The offload header.
    pub(crate) header: [u8; Offload::LEN],
    /// The tag in the metadata.
    pub(crate) tag: Option<VlanTag>,
    /// The beginning of the frame.
    pub(crate) bytes: &'a [u8],
    /// The number of bytes that follow.
    pub(crate) padding: usize,
    /// By how much the message is shorter than it claims.
    pub(crate) missing: u16,
    /// Whether the kernel reports it as truncated.
    pub(crate) is_truncated: bool,
}

/// Lays out such a message in `buffer` and converts it.
pub(crate) fn as_received<'a>(
    given: &FromKernel<'_>,
    buffer: &'a mut Vec<u8>,
) -> Result<Frame<'a>, DropReason> {
    buffer.clear();
    buffer.resize(HEADER_AT, 0);
    buffer.extend_from_slice(&given.header);
    buffer.extend_from_slice(given.bytes);
    let whole = buffer.len() + given.padding;
    buffer.resize(whole.min(Arena::BUFFER_LEN), 0x5a);
    let message = Message {
        len: (whole - HEADER_AT).saturating_sub(given.missing.into()),
        is_truncated: given.is_truncated,
        tag: given.tag,
    };
    accept(message, buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buffer as the kernel leaves it: offload header and frame.
    fn buffer(offload: Offload, frame: &[u8]) -> (Message, Vec<u8>) {
        let mut bytes = vec![0xee; HEADER_AT];
        bytes.extend(offload.to_bytes());
        bytes.extend(frame);
        bytes.extend([0xee; 9]);
        let message = Message {
            len: Offload::LEN + frame.len(),
            is_truncated: false,
            tag: None,
        };
        (message, bytes)
    }

    #[test]
    fn a_tag_returns_between_the_addresses_and_the_rest() {
        let partial = Offload {
            flags: Offload::NEEDS_CSUM,
            csum_start: 34,
            csum_offset: 16,
            ..Offload::NONE
        };
        let (message, mut bytes) = buffer(partial, b"ddddddssssssEEpayload");
        let tag = Some(VlanTag {
            tpid: 0x88a8,
            tci: 0x2064,
        });
        let frame = accept(Message { tag, ..message }, &mut bytes).unwrap();
        assert_eq!(frame.bytes, b"ddddddssssss\x88\xa8\x20\x64EEpayload");
        assert_eq!(frame.offload.csum_start, 38);
    }

    #[test]
    fn a_frame_without_a_tag_stays_where_it_is() {
        let (message, mut bytes) = buffer(Offload::NONE, b"ddddddssssssEE");
        let frame = accept(message, &mut bytes).unwrap();
        assert_eq!(frame.bytes, b"ddddddssssssEE");
        assert!(frame.offload.is_finished());
    }

    #[test]
    fn lengths_that_lie_are_counted_not_believed() {
        let (message, mut bytes) = buffer(Offload::NONE, b"dddd");
        let tag = Some(VlanTag {
            tpid: 0x8100,
            tci: 1,
        });
        let reason = |message, bytes: &mut [u8]| accept(message, bytes).map(|_| ()).unwrap_err();
        let tagged = Message { tag, ..message };
        assert_eq!(reason(tagged, &mut bytes), DropReason::Runt);
        for len in [0, 9, bytes.len()] {
            let lying = Message { len, ..message };
            assert_eq!(reason(lying, &mut bytes), DropReason::RxError, "{len}");
        }
        let cut = Message {
            is_truncated: true,
            ..message
        };
        assert_eq!(reason(cut, &mut bytes), DropReason::RxTruncated);
    }
}
