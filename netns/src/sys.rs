//! System calls that no dependency wraps: ioctls and socket options.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use netlink_sys::Socket;

// Numbers of linux/ethtool.h that libc lacks.
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSSET_INFO: u32 = 0x37;
const ETHTOOL_GFEATURES: u32 = 0x3a;
const ETHTOOL_SFEATURES: u32 = 0x3b;
const ETH_SS_FEATURES: u32 = 4;
/// Length of a name in a set of strings (`ETH_GSTRING_LEN`).
const STRING_BYTES: usize = 32;

/// Makes a new process call `prepare` before it executes the program of `command`.
///
/// `prepare` must only make system calls and must not allocate: when the process was forked, other
/// threads may have held locks, such as those of the allocator.
pub(crate) fn before_exec(
    command: &mut Command,
    prepare: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: the caller promises what signal-safety(7) asks for.
    unsafe { command.pre_exec(prepare) };
}

/// Opens the namespace in which a socket was opened (`SIOCGSKNS`, linux/sockios.h).
pub(crate) fn namespace_of(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: SIOCGSKNS takes no argument and returns a new descriptor.
    let fd = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGSKNS) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Returns the kind of a namespace file, as a flag of clone(2) (`NS_GET_NSTYPE`, linux/nsfs.h).
pub(crate) fn kind_of_namespace(file: BorrowedFd<'_>) -> io::Result<libc::c_int> {
    // SAFETY: NS_GET_NSTYPE takes no argument and returns a number.
    let kind = unsafe { libc::ioctl(file.as_raw_fd(), libc::NS_GET_NSTYPE) };
    if kind < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(kind)
}

/// Reports whether a descriptor is an rtnetlink socket.
pub(crate) fn is_route_netlink(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(option(fd, libc::SO_DOMAIN)? == libc::AF_NETLINK
        && option(fd, libc::SO_PROTOCOL)? == libc::NETLINK_ROUTE)
}

/// Reads a socket option that is a number.
fn option(fd: BorrowedFd<'_>, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = libc::socklen_t::try_from(mem::size_of_val(&value)).unwrap_or_default();
    // SAFETY: the kernel writes at most `length` bytes, which is the size of `value`.
    let outcome = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(value)
}

/// Wraps a descriptor that is known to be a netlink socket.
pub(crate) fn netlink_socket(fd: OwnedFd) -> Socket {
    // SAFETY: `into_raw_fd` has given up the descriptor, so it has no other owner.
    unsafe { Socket::from_raw_fd(fd.into_raw_fd()) }
}

/// Returns the descriptor of a netlink socket.
pub(crate) fn descriptor_of(socket: Socket) -> OwnedFd {
    // SAFETY: `into_raw_fd` has given up the descriptor, so it has no other owner.
    unsafe { OwnedFd::from_raw_fd(socket.into_raw_fd()) }
}

/// Returns the cookie of the namespace in which a socket was opened, which is unique until the
/// machine reboots (`SO_NETNS_COOKIE`, Linux 5.14).
pub(crate) fn cookie_of(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut cookie = 0_u64;
    let mut length = libc::socklen_t::try_from(mem::size_of::<u64>()).unwrap_or_default();
    // SAFETY: the kernel writes at most `length` bytes, which is the size of `cookie`.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(cookie)
}

/// Sends a frame out of an interface through a packet socket, without waiting.
///
/// Binds the socket to the interface first instead of passing a destination address, because a
/// system call filter may allow only that.
pub(crate) fn send_frame(socket: BorrowedFd<'_>, interface: u32, frame: &[u8]) -> io::Result<()> {
    // SAFETY: sockaddr_ll is plain data, for which all zeroes is a valid value.
    let mut to: libc::sockaddr_ll = unsafe { mem::zeroed() };
    to.sll_family = libc::sa_family_t::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    to.sll_ifindex = interface.cast_signed();
    let length = libc::socklen_t::try_from(mem::size_of_val(&to)).map_err(io::Error::other)?;
    // SAFETY: the kernel reads the address, whose length is given and which outlives the call.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const to).cast(), length) };
    if bound < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel reads the frame, whose length is given and which outlives the call.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            libc::MSG_DONTWAIT,
        )
    };
    if sent < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Reads the names of all features that the running kernel has, in the order of their bits.
pub(crate) fn feature_names(socket: impl AsFd, interface: &str) -> io::Result<Vec<String>> {
    // struct ethtool_sset_info: command, reserved, mask of 64 bits, one length.
    let mut info = [ETHTOOL_GSSET_INFO, 0, 1 << ETH_SS_FEATURES, 0, 0];
    if cfg!(target_endian = "big") {
        info.swap(2, 3);
    }
    ethtool(socket.as_fd(), interface, &mut info)?;
    let count = info[4] as usize;
    // struct ethtool_gstrings: command, set, length, the strings. The kernel writes all the names
    // that it has. Their number is fixed at build time and is the one that it has just returned.
    let mut strings = vec![0_u32; 3 + count * STRING_BYTES / 4];
    strings[..3].copy_from_slice(&[ETHTOOL_GSTRINGS, ETH_SS_FEATURES, info[4]]);
    ethtool(socket.as_fd(), interface, &mut strings)?;
    let bytes: Vec<u8> = strings[3..]
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect();
    Ok(bytes
        .chunks(STRING_BYTES)
        .map(crate::answer::text_of)
        .collect())
}

/// Reads whether each feature may be changed, and whether it is enabled, in the order of the names.
pub(crate) fn features(
    socket: impl AsFd,
    interface: &str,
    count: usize,
) -> io::Result<Vec<(bool, bool)>> {
    let blocks = count.div_ceil(32);
    // struct ethtool_gfeatures: command, number of blocks, and for each block the words
    // available, requested, active and never changed. The kernel writes no more blocks than
    // the number given.
    let mut words = vec![0_u32; 2 + 4 * blocks];
    words[0] = ETHTOOL_GFEATURES;
    words[1] = u32::try_from(blocks).map_err(io::Error::other)?;
    ethtool(socket.as_fd(), interface, &mut words)?;
    let bit = |feature: usize, word: usize| {
        words[2 + 4 * (feature / 32) + word] & (1 << (feature % 32)) != 0
    };
    Ok((0..count)
        .map(|feature| (bit(feature, 0), bit(feature, 2)))
        .collect())
}

/// Requests that features, given by their numbers, be disabled.
pub(crate) fn switch_features_off(
    socket: impl AsFd,
    interface: &str,
    count: usize,
    features: &[usize],
) -> io::Result<()> {
    let blocks = count.div_ceil(32);
    // struct ethtool_sfeatures: command, number of blocks, and for each block the words valid
    // and requested. The kernel only reads it.
    let mut words = vec![0_u32; 2 + 2 * blocks];
    words[0] = ETHTOOL_SFEATURES;
    words[1] = u32::try_from(blocks).map_err(io::Error::other)?;
    for feature in features {
        words[2 + 2 * (feature / 32)] |= 1 << (feature % 32);
    }
    ethtool(socket.as_fd(), interface, &mut words)
}

/// Executes an ethtool command. `words` holds its structure, with room for all that the kernel
/// writes.
fn ethtool(socket: BorrowedFd<'_>, interface: &str, words: &mut [u32]) -> io::Result<()> {
    // SAFETY: ifreq is plain data, for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    if interface.len() > room {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name[..room].iter_mut().zip(interface.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_data = words.as_mut_ptr().cast();
    // SAFETY: SIOCETHTOOL reads the ifreq and the structure that its data points to, and writes
    // to that structure as much as the callers above have made room for; both outlive the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    // ETHTOOL_SFEATURES returns positive bits if it could not apply all of the request.
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
