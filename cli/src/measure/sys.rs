//! The one socket option of TCP that no library wraps.

use std::mem::{MaybeUninit, size_of};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

/// Segments that this connection has sent again, from `TCP_INFO` (tcp(7)); `None` where the
/// kernel does not tell.
pub(crate) fn total_retransmits(stream: &TcpStream) -> Option<u32> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: `info` is valid for `length` bytes, of which the kernel writes at most that many,
    // and both outlive the call.
    let status = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if status != 0 {
        return None;
    }
    // SAFETY: all fields are integers, zero before the call, so every bit pattern is valid.
    Some(unsafe { info.assume_init() }.tcpi_total_retrans)
}
