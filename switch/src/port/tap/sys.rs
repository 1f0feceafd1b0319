//! The requests of `/dev/net/tun` (`include/uapi/linux/if_tun.h`), for which no safe wrapper
//! exists.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::frame::Offload;
use crate::port::sys::RequestName;

nix::ioctl_write_ptr_bad!(set_interface, libc::TUNSETIFF, libc::ifreq);
nix::ioctl_read_bad!(get_interface, libc::TUNGETIFF, libc::ifreq);
nix::ioctl_write_ptr_bad!(set_header_len, libc::TUNSETVNETHDRSZ, libc::c_int);
nix::ioctl_write_int_bad!(set_offload, libc::TUNSETOFFLOAD);
nix::ioctl_write_int_bad!(set_persist, libc::TUNSETPERSIST);

/// Makes the descriptor a TAP device: of this name, or of one that the kernel chooses; gives the
/// name that it got.
pub(super) fn attach(
    tun: BorrowedFd<'_>,
    name: Option<RequestName>,
    offloads: bool,
) -> io::Result<RequestName> {
    let mut request = name.map_or_else(RequestName::unnamed, RequestName::request);
    let header = if offloads { libc::IFF_VNET_HDR } else { 0 };
    // All of these flags lie within sixteen bits.
    #[expect(clippy::cast_possible_truncation)]
    let flags = (libc::IFF_TAP | libc::IFF_NO_PI | header) as libc::c_short;
    request.ifr_ifru.ifru_flags = flags;
    // SAFETY: the kernel reads one `ifreq`, and writes the name into it, before the call
    // returns; `request` is a variable of this function that is mutable.
    unsafe { set_interface(tun.as_raw_fd(), &raw mut request) }?;
    Ok(RequestName::of(&request))
}

/// The flags of the device (`IFF_PERSIST` and others).
pub(super) fn flags(tun: BorrowedFd<'_>) -> io::Result<libc::c_int> {
    let mut request = RequestName::unnamed();
    // SAFETY: the kernel writes one `ifreq`, for the length of the call.
    unsafe { get_interface(tun.as_raw_fd(), &raw mut request) }?;
    // SAFETY: the kernel has set this member, and any bits are an integer.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok(flags.into())
}

/// Sets whether the device outlives its last descriptor.
pub(super) fn set_persistent(tun: BorrowedFd<'_>, persistent: bool) -> io::Result<()> {
    // SAFETY: the argument is a number.
    unsafe { set_persist(tun.as_raw_fd(), persistent.into()) }?;
    Ok(())
}

/// The present name of the TAP device.
pub(super) fn name(tun: BorrowedFd<'_>) -> io::Result<RequestName> {
    let mut request = RequestName::unnamed();
    // SAFETY: the kernel writes one `ifreq`, for the length of the call.
    unsafe { get_interface(tun.as_raw_fd(), &raw mut request) }?;
    Ok(RequestName::of(&request))
}

/// Takes no offloads: every frame comes complete.
pub(super) fn disable_offloads(tun: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the argument is a number.
    unsafe { set_offload(tun.as_raw_fd(), 0) }?;
    Ok(())
}

/// Takes all offloads that the kernel knows, with a header of [`Offload::LEN`] before each frame.
pub(super) fn enable_offloads(tun: BorrowedFd<'_>) -> io::Result<()> {
    const BASIC: libc::c_uint =
        libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
    const WITH_USO: libc::c_uint = BASIC | libc::TUN_F_USO4 | libc::TUN_F_USO6;

    let header_len = libc::c_int::try_from(Offload::LEN).map_err(io::Error::other)?;
    // SAFETY: the kernel reads one integer.
    unsafe { set_header_len(tun.as_raw_fd(), &raw const header_len) }?;
    for flags in [WITH_USO, BASIC] {
        // SAFETY: the argument is a number.
        match unsafe { set_offload(tun.as_raw_fd(), flags.cast_signed()) } {
            Ok(_) => return Ok(()),
            // Before Linux 6.2 there was no USO.
            Err(nix::errno::Errno::EINVAL) if flags == WITH_USO => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
