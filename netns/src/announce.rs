//! Announces the addresses of an interface to its neighbours.
//!
//! # Theory of operation
//!
//! A host keeps a neighbour's MAC address for as long as the neighbour seems to answer. When a new
//! interface takes over an IP address, up to half a minute can pass before the neighbours resolve
//! it again. So the new holder announces the address unasked:
//!
//! - IPv4: a broadcast ARP request whose sender and target are the address (RFC 5227 3, which
//!   explains why it is a request and not a reply). Linux updates an existing entry, even one that
//!   was confirmed just before (`arp_process` in net/ipv4/arp.c), and does not create a missing
//!   one.
//! - IPv6: a neighbour advertisement to all nodes with the Override flag (RFC 4861 7.2.6). It
//!   carries the Router flag where the interface forwards; without the flag, the neighbours would
//!   no longer use the interface as a router.
//!
//! The frames leave through a packet socket in the namespace, as if its own IP stack had sent them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};

use socket2::{Domain, Protocol, Socket, Type};

use crate::address::Address;
use crate::link::{Link, MacBytes};
use crate::namespace::{Namespace, NamespaceError};
use crate::sys;

const BROADCAST: MacBytes = [0xff; 6];
/// The Ethernet address of [`ALL_NODES`] (RFC 2464 7).
const ALL_NODES_MAC: MacBytes = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const ICMPV6: u8 = 58;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const ROUTER: u8 = 0x80;
const OVERRIDE: u8 = 0x20;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
/// Length of an advertisement: 24 bytes and one option of 8 bytes.
const ADVERTISEMENT_BYTES: u8 = 32;

/// A packet socket that sends announcements in the namespace where it was opened, and receives
/// nothing. Opening it needs `CAP_NET_RAW`; using it needs no capability.
#[derive(Debug)]
pub struct Announcer(OwnedFd);

impl Announcer {
    /// Opens a socket for the interfaces of the calling thread's namespace.
    pub fn open() -> io::Result<Self> {
        // A packet socket of protocol 0 receives no frames (packet(7)).
        let none = Protocol::from(0);
        Ok(Self(
            Socket::new(Domain::PACKET, Type::RAW, Some(none))?.into(),
        ))
    }

    /// Opens a socket for the interfaces of `namespace`.
    pub fn open_in(namespace: &Namespace) -> Result<Self, NamespaceError> {
        let _inside = namespace.enter()?;
        Self::open().map_err(|error| NamespaceError::io("open a packet socket", &error))
    }

    /// Takes over a socket that another process opened with [`Announcer::open_in`].
    #[must_use]
    pub const fn from_descriptor(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Returns the socket, to hand it to another process.
    #[must_use]
    pub fn into_descriptor(self) -> OwnedFd {
        self.0
    }

    /// Announces that `link` has `address`. Does nothing if the interface is down or takes no part
    /// in neighbour discovery.
    pub fn announce(&self, link: &Link, address: IpAddr) -> io::Result<()> {
        let (Some(mac), true, true) = (link.mac, link.up, link.arp) else {
            return Ok(());
        };
        let send = |frame: &[u8]| sys::send_frame(self.0.as_fd(), link.index, frame);
        match address {
            IpAddr::V4(address) => send(&arp_announcement(mac, address)),
            IpAddr::V6(address) => send(&advertisement(mac, address, link.ipv6_forwarding)),
        }
    }
}

/// Reports whether an address is in use and may be announced: duplicate address detection has
/// finished and found no other station with the address (RFC 4862 5.4).
#[must_use]
pub fn is_announceable(address: &Address) -> bool {
    let ip = address.net.addr();
    !address.tentative && !address.duplicate && !ip.is_loopback() && !ip.is_unspecified()
}

/// Builds an ARP announcement (RFC 826, RFC 5227 3).
fn arp_announcement(mac: MacBytes, address: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet(BROADCAST, mac, ETHERTYPE_ARP);
    // Hardware type Ethernet, protocol IPv4, lengths of both kinds of address, operation request.
    frame.extend([0, 1, 0x08, 0x00, 6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend(address.octets());
    frame.extend([0; 6]);
    frame.extend(address.octets());
    frame
}

/// Builds an unsolicited neighbour advertisement (RFC 4861 4.4, 7.2.6).
fn advertisement(mac: MacBytes, address: Ipv6Addr, is_router: bool) -> Vec<u8> {
    let mut flags = OVERRIDE;
    if is_router {
        flags |= ROUTER;
    }
    let mut message = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
    message.extend(address.octets());
    // The option's length is in units of 8 bytes.
    message.extend([TARGET_LINK_LAYER_ADDRESS, 1]);
    message.extend(mac);
    let sum = checksum(address, ALL_NODES, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());

    let mut frame = ethernet(ALL_NODES_MAC, mac, ETHERTYPE_IPV6);
    // Version 6. Hop limit 255: receivers refuse a smaller one, which shows that a router forwarded
    // it.
    frame.extend([0x60, 0, 0, 0, 0, ADVERTISEMENT_BYTES, ICMPV6, 255]);
    frame.extend(address.octets());
    frame.extend(ALL_NODES.octets());
    frame.extend(message);
    frame
}

fn ethernet(to: MacBytes, from: MacBytes, ethertype: [u8; 2]) -> Vec<u8> {
    [&to[..], &from, &ethertype].concat()
}

/// Computes the checksum of an `ICMPv6` message with its pseudo-header (RFC 4443 2.3, RFC 8200
/// 8.1).
fn checksum(from: Ipv6Addr, to: Ipv6Addr, message: &[u8]) -> u16 {
    let mut summed = [from.octets(), to.octets()].concat();
    summed.extend([0, 0, 0, ADVERTISEMENT_BYTES, 0, 0, 0, ICMPV6]);
    summed.extend(message);
    let mut sum: u32 = 0;
    for pair in summed.chunks_exact(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    }
    while let (low, high @ 1..) = (sum & 0xffff, sum >> 16) {
        sum = low + high;
    }
    let [.., high, low] = (!sum).to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacBytes = [2, 0, 0, 0, 0, 1];

    #[test]
    fn an_arp_announcement_is_a_request_for_ones_own_address() {
        let frame = arp_announcement(MAC, Ipv4Addr::new(10, 0, 0, 1));
        let expected = [
            &[0xff; 6][..],
            &MAC,
            &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
            &MAC,
            &[10, 0, 0, 1],
            &[0; 6],
            &[10, 0, 0, 1],
        ];
        assert_eq!(frame, expected.concat());
    }

    #[test]
    fn an_advertisement_is_to_all_nodes_and_overrides() {
        let address: Ipv6Addr = "fd00::1".parse().unwrap();
        for (is_router, flags) in [(false, 0x20), (true, 0xa0)] {
            let frame = advertisement(MAC, address, is_router);
            assert_eq!(frame.len(), 14 + 40 + 32);
            assert_eq!(frame[..6], [0x33, 0x33, 0, 0, 0, 1]);
            assert_eq!(frame[54], 136);
            assert_eq!(frame[58], flags);
            assert_eq!(frame[62..78], address.octets());
            assert_eq!(frame[78..], [2, 1, 2, 0, 0, 0, 0, 1]);
            // The sum over a message that contains its checksum is zero.
            assert_eq!(checksum(address, ALL_NODES, &frame[54..]), 0);
        }
    }
}
