//! Queries the kernel about an interface by `ioctl` on any socket, or on the socket of a TAP
//! descriptor, in its namespace (netdevice(7)).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

nix::ioctl_readwrite_bad!(get_name, libc::SIOCGIFNAME, libc::ifreq);
nix::ioctl_readwrite_bad!(get_index, libc::SIOCGIFINDEX, libc::ifreq);
nix::ioctl_readwrite_bad!(get_hardware, libc::SIOCGIFHWADDR, libc::ifreq);
nix::ioctl_readwrite_bad!(get_flags, libc::SIOCGIFFLAGS, libc::ifreq);
nix::ioctl_readwrite_bad!(get_mtu, libc::SIOCGIFMTU, libc::ifreq);

/// The name in an interface request, checked and padded with zeros.
#[derive(Clone, Copy)]
pub(super) struct RequestName([libc::c_char; libc::IFNAMSIZ]);

impl RequestName {
    /// Checks `name` as the kernel does (`dev_valid_name`): 1 to 15 bytes, neither `.` nor
    /// `..`, no `/`, no `:`, no white space, no zero byte.
    pub(super) fn new(name: &str) -> Option<Self> {
        let is_bad = |byte: &u8| matches!(byte, 0 | b'/' | b':') || byte.is_ascii_whitespace();
        if !(1..libc::IFNAMSIZ).contains(&name.len())
            || matches!(name, "." | "..")
            || name.as_bytes().iter().any(is_bad)
        {
            return None;
        }
        let mut padded = [0; libc::IFNAMSIZ];
        for (to, from) in padded.iter_mut().zip(name.bytes()) {
            *to = libc::c_char::from_ne_bytes([from]);
        }
        Some(Self(padded))
    }

    /// Creates a request without an interface name.
    pub(super) fn unnamed() -> libc::ifreq {
        Self([0; libc::IFNAMSIZ]).request()
    }

    /// Creates a request for the interface of this name.
    pub(super) fn request(self) -> libc::ifreq {
        libc::ifreq {
            ifr_name: self.0,
            ifr_ifru: libc::__c_anonymous_ifr_ifru {
                // The longest member that has no padding: nothing is left uninitialised.
                ifru_newname: [0; libc::IFNAMSIZ],
            },
        }
    }

    /// Returns the name that the kernel wrote into `request`.
    pub(super) fn of(request: &libc::ifreq) -> Self {
        Self(request.ifr_name)
    }
}

impl std::fmt::Display for RequestName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.0.map(|byte| byte.to_ne_bytes()[0]);
        let end = bytes.iter().position(|&byte| byte == 0);
        f.write_str(&String::from_utf8_lossy(
            &bytes[..end.unwrap_or(bytes.len())],
        ))
    }
}

/// Returns the index of the interface of this name.
pub(super) fn index_of(socket: BorrowedFd<'_>, name: RequestName) -> io::Result<u32> {
    let mut request = name.request();
    // SAFETY: the kernel reads and writes one `ifreq`, for the length of the call.
    unsafe { get_index(socket.as_raw_fd(), &raw mut request) }?;
    // SAFETY: the kernel has set this member, and any bits are an integer.
    let index = unsafe { request.ifr_ifru.ifru_ifindex };
    u32::try_from(index).map_err(io::Error::other)
}

/// Returns the present name of the interface with this index.
pub(super) fn name_of(socket: BorrowedFd<'_>, index: u32) -> io::Result<RequestName> {
    let mut request = RequestName::unnamed();
    request.ifr_ifru.ifru_ifindex = i32::try_from(index).map_err(io::Error::other)?;
    // SAFETY: the kernel reads and writes one `ifreq`, for the length of the call.
    unsafe { get_name(socket.as_raw_fd(), &raw mut request) }?;
    Ok(RequestName::of(&request))
}

/// Returns the ARP hardware type (`ARPHRD_*`) of the interface of this name.
pub(super) fn hardware_type(socket: BorrowedFd<'_>, name: RequestName) -> io::Result<u16> {
    let mut request = name.request();
    // SAFETY: the kernel reads and writes one `ifreq`, for the length of the call.
    unsafe { get_hardware(socket.as_raw_fd(), &raw mut request) }?;
    // SAFETY: the kernel has set this member, and any bits are a `sockaddr`.
    Ok(unsafe { request.ifr_ifru.ifru_hwaddr.sa_family })
}

/// Reports whether the interface of this name is up (`IFF_UP`).
pub(super) fn is_up(socket: BorrowedFd<'_>, name: RequestName) -> io::Result<bool> {
    let mut request = name.request();
    // SAFETY: the kernel reads and writes one `ifreq`, for the length of the call.
    unsafe { get_flags(socket.as_raw_fd(), &raw mut request) }?;
    // SAFETY: the kernel has set this member, and any bits are an integer.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok(i32::from(flags) & libc::IFF_UP != 0)
}

/// Returns the MTU in bytes of the interface of this name.
pub(super) fn mtu(socket: BorrowedFd<'_>, name: RequestName) -> io::Result<usize> {
    let mut request = name.request();
    // SAFETY: the kernel reads and writes one `ifreq`, for the length of the call.
    unsafe { get_mtu(socket.as_raw_fd(), &raw mut request) }?;
    // SAFETY: the kernel has set this member, and any bits are an integer.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    usize::try_from(mtu).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_the_kernel_does() {
        for good in ["a", "eth0", "fifteen-bytes..", "veth@x"] {
            assert_eq!(RequestName::new(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "a:1",
            "a\0",
            "a\n",
            "sixteen-bytes...",
        ] {
            assert!(RequestName::new(bad).is_none(), "{bad:?}");
        }
    }
}
