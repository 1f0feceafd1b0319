//! Messages that descriptors come with (`SCM_RIGHTS`, unix(7)).

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};

/// The most that the kernel lets come with one message (`SCM_MAX_FD`, `include/net/scm.h`).
const MOST: usize = 253;

/// A message that was received.
#[derive(Debug)]
pub struct Received {
    /// Its bytes in the buffer; none at the end of the connection.
    pub length: usize,
    /// What came with it, closed where a program is started. None where there was no number left for
    /// one of them.
    pub descriptors: Vec<OwnedFd>,
    /// Whether there was no number left in this process for what came with it (`RLIMIT_NOFILE`).
    pub lacks_descriptors: bool,
    /// Whether the buffer was too short.
    pub is_too_long: bool,
}

/// Receives one message into `buffer`.
///
/// # Errors
/// What the system says.
pub fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    flags: RecvFlags,
) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let message = loop {
        match recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, flags) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    let mut descriptors: Vec<OwnedFd> = control
        .drain()
        .filter_map(|part| match part {
            RecvAncillaryMessage::ScmRights(received) => Some(received),
            _ => None,
        })
        .flatten()
        .collect();
    // The kernel hands over those for which there is a number, and says that there were more.
    let lacks_descriptors = message.flags.contains(ReturnFlags::CTRUNC);
    if lacks_descriptors {
        descriptors.clear();
    }
    Ok(Received {
        length: message.bytes,
        descriptors,
        lacks_descriptors,
        is_too_long: message.flags.contains(ReturnFlags::TRUNC),
    })
}
