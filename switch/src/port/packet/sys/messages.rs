//! Receives and sends many messages in one call.

use std::borrow::Cow;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use arrayvec::ArrayVec;

use super::count;
use crate::frame::{Edited, EtherType, MAX_HEAD_LEN, Offload, VlanTag};
use crate::port::BATCH;

#[cfg(not(target_env = "musl"))]
const NO_WAIT: libc::c_int = libc::MSG_DONTWAIT;
#[cfg(target_env = "musl")]
const NO_WAIT: libc::c_uint = libc::MSG_DONTWAIT.cast_unsigned();

/// Room for the one control message that is requested, laid out as the kernel writes it (cmsg(3)).
#[derive(Clone, Copy)]
#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    data: libc::tpacket_auxdata,
}

/// One received message: its beginning is in the buffer that was lent for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Message {
    /// Bytes in the buffer, offload header included; never more than the buffer has.
    pub(in super::super) len: usize,
    /// Whether the message was longer than its buffer, or its control message is missing.
    pub(in super::super) is_truncated: bool,
    /// The VLAN tag that the kernel has moved into metadata.
    pub(in super::super) tag: Option<VlanTag>,
}

/// One message to send: the offload header, in one piece with the first bytes of a frame whose tags
/// change, and the frame or its rest.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Outgoing<'a> {
    front: [u8; Offload::LEN + MAX_HEAD_LEN],
    front_len: usize,
    rest: &'a [u8],
}

impl<'a> Outgoing<'a> {
    /// Wraps a frame with unchanged tags.
    #[inline]
    pub(in super::super) fn new(header: [u8; Offload::LEN], frame: &'a [u8]) -> Self {
        Self::in_front_of(frame, header, &[])
    }

    /// Wraps a frame with changed tags.
    pub(in super::super) fn edited(header: [u8; Offload::LEN], frame: &Edited<'a>) -> Self {
        Self::in_front_of(frame.rest(), header, frame.head())
    }

    #[inline]
    fn in_front_of(rest: &'a [u8], header: [u8; Offload::LEN], head: &[u8]) -> Self {
        let mut front = [0; Offload::LEN + MAX_HEAD_LEN];
        let head = &head[..head.len().min(MAX_HEAD_LEN)];
        front[..Offload::LEN].copy_from_slice(&header);
        front[Offload::LEN..][..head.len()].copy_from_slice(head);
        Self {
            front,
            front_len: Offload::LEN + head.len(),
            rest,
        }
    }

    /// Returns the offload header.
    pub(in super::super) fn header(&self) -> [u8; Offload::LEN] {
        let (header, _) = self.front.split_first_chunk().unwrap_or((&NO_HEADER, &[]));
        *header
    }

    /// Returns the length of the frame.
    #[inline]
    pub(in super::super) const fn len(&self) -> usize {
        self.front_len - Offload::LEN + self.rest.len()
    }

    /// Returns the frame in one piece.
    pub(in super::super) fn frame(&self) -> Cow<'a, [u8]> {
        let head = self.front.get(Offload::LEN..self.front_len);
        match head.unwrap_or_default() {
            [] => Cow::Borrowed(self.rest),
            head => Cow::Owned([head, self.rest].concat()),
        }
    }

    fn front(&self) -> &[u8] {
        self.front.get(..self.front_len).unwrap_or_default()
    }
}

const NO_HEADER: [u8; Offload::LEN] = [0; Offload::LEN];

/// Receives all available messages, one into each of `buffers` from `skip` on, and appends them to
/// `messages`. Does not wait. Returns at least one message, or an error.
#[allow(clippy::unnecessary_cast)] // some C libraries have other types of length
pub(in super::super) fn receive(
    socket: BorrowedFd<'_>,
    buffers: &mut [&mut [u8]],
    skip: usize,
    messages: &mut ArrayVec<Message, BATCH>,
) -> io::Result<()> {
    let mut controls: ArrayVec<Control, BATCH> = ArrayVec::new();
    let mut vectors: ArrayVec<libc::iovec, BATCH> = ArrayVec::new();
    for buffer in buffers.iter_mut().take(messages.remaining_capacity()) {
        let room = buffer.get_mut(skip..).unwrap_or_default();
        vectors.push(io_vector(room.as_mut_ptr(), room.len()));
        // SAFETY: plain numbers, for which all bits zero is a value.
        controls.push(unsafe { mem::zeroed() });
    }
    let mut headers: ArrayVec<libc::mmsghdr, BATCH> = ArrayVec::new();
    for (vector, control) in vectors.iter_mut().zip(&mut controls) {
        let mut header = message_header(vector, 1);
        header.msg_hdr.msg_control = ptr::from_mut(control).cast();
        header.msg_hdr.msg_controllen = size_of::<Control>() as _;
        headers.push(header);
    }
    // SAFETY: there are `headers.len()` headers. Each points to one vector and one control
    // buffer of this function, and the vector to memory that `buffers` lends exclusively, with
    // its length; all of it outlives the call, after which the kernel keeps no pointer.
    let received = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            count(headers.len()),
            NO_WAIT,
            ptr::null_mut(),
        )
    };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    for ((header, control), vector) in headers.iter().zip(&controls).zip(&vectors).take(received) {
        let flags = header.msg_hdr.msg_flags;
        messages.push(Message {
            len: (header.msg_len as usize).min(vector.iov_len),
            is_truncated: flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0,
            tag: control.tag(header.msg_hdr.msg_controllen as usize),
        });
    }
    Ok(())
}

impl Control {
    /// Returns the tag of the control message, of which the kernel has written `len` bytes.
    fn tag(&self, len: usize) -> Option<VlanTag> {
        let is_auxiliary = len >= mem::offset_of!(Self, data) + size_of_val(&self.data)
            && self.header.cmsg_level == libc::SOL_PACKET
            && self.header.cmsg_type == libc::PACKET_AUXDATA;
        if !is_auxiliary || self.data.tp_status & libc::TP_STATUS_VLAN_VALID == 0 {
            return None;
        }
        let has_tpid = self.data.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
        Some(VlanTag {
            tpid: if has_tpid {
                self.data.tp_vlan_tpid
            } else {
                EtherType::C_TAG.0
            },
            tci: self.data.tp_vlan_tci,
        })
    }
}

/// Sends as many of `messages` as the kernel accepts, in order, up to a batch. Returns how many
/// those were, at least one, or why it did not accept the first. Does not wait.
pub(in super::super) fn send(
    socket: BorrowedFd<'_>,
    messages: &[Outgoing<'_>],
) -> io::Result<usize> {
    let mut vectors: ArrayVec<[libc::iovec; 2], BATCH> = ArrayVec::new();
    for message in messages.iter().take(BATCH) {
        let (front, rest) = (message.front(), message.rest);
        vectors.push([
            io_vector(front.as_ptr().cast_mut(), front.len()),
            io_vector(rest.as_ptr().cast_mut(), rest.len()),
        ]);
    }
    let mut headers: ArrayVec<libc::mmsghdr, BATCH> = ArrayVec::new();
    for pair in &mut vectors {
        headers.push(message_header(pair.as_mut_ptr(), 2));
    }
    // SAFETY: there are `headers.len()` headers, each with a pointer to two vectors of this
    // function, which point to memory that `messages` borrows, with its length; all of it
    // outlives the call. The kernel only reads it, in spite of the pointers' type.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            count(headers.len()),
            NO_WAIT,
        )
    };
    match usize::try_from(sent) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Ok(sent) => Ok(sent),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Room for the mark of a message (socket(7), `SO_MARK`), laid out as the kernel reads it (cmsg(3)).
#[repr(C)]
struct Mark {
    header: libc::cmsghdr,
    value: u32,
    padding: u32,
}

/// Sends one frame, at least 14 bytes long, with a mark and with an S-tag in front of its own tags.
/// Does not wait.
#[allow(clippy::unnecessary_cast)] // some C libraries have other types of length
pub(in super::super) fn send_aside(
    socket: BorrowedFd<'_>,
    message: &Outgoing<'_>,
    mark: u32,
) -> io::Result<()> {
    const ADDRESSES_LEN: usize = 12;
    let tag = VlanTag {
        tpid: EtherType::S_TAG.0,
        tci: 0,
    }
    .to_bytes();
    let (addresses, rest) = message
        .rest
        .split_at_checked(ADDRESSES_LEN)
        .ok_or(io::ErrorKind::InvalidInput)?;
    let parts: [&[u8]; 4] = [message.front(), addresses, &tag, rest];
    let mut vectors = parts.map(|part| io_vector(part.as_ptr().cast_mut(), part.len()));
    // SAFETY: plain numbers, for which all bits zero is a value.
    let mut control: Mark = unsafe { mem::zeroed() };
    control.header.cmsg_len = (mem::offset_of!(Mark, value) + size_of::<u32>()) as _;
    control.header.cmsg_level = libc::SOL_SOCKET;
    control.header.cmsg_type = libc::SO_MARK;
    control.value = mark;
    let mut header = message_header(vectors.as_mut_ptr(), 4).msg_hdr;
    header.msg_control = ptr::from_mut(&mut control).cast();
    header.msg_controllen = size_of::<Mark>() as _;
    // SAFETY: the header points to four vectors and a control message of this function, and the
    // vectors to memory that is borrowed, with its length; all of it outlives the call. The kernel
    // only reads it, in spite of the pointers' type.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_DONTWAIT) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn io_vector(base: *mut u8, len: usize) -> libc::iovec {
    libc::iovec {
        iov_base: base.cast(),
        iov_len: len,
    }
}

/// Creates a header for the `number` vectors that begin at `vectors`.
fn message_header(vectors: *mut libc::iovec, number: u8) -> libc::mmsghdr {
    // SAFETY: numbers and pointers, for which all bits zero is a value. Some C libraries have
    // private padding here, so that the structure cannot be written out.
    let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
    header.msg_hdr.msg_iov = vectors;
    header.msg_hdr.msg_iovlen = number.into();
    header
}
