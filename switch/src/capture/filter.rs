//! Filters frames for a capture.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::frame::{EtherType, EthernetFrame, MacAddr};

/// The direction in which a frame passes a port, as seen from the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Into the switch.
    In,
    /// Out of the switch.
    Out,
}

/// Selects frames that meet all conditions; without conditions, all frames. It runs for every
/// frame, on the forwarding thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Names of ports; empty for all, including ports that are added later.
    pub ports: Vec<String>,
    /// Only frames in this direction.
    pub direction: Option<Direction>,
    /// Only frames from or to one of these MAC addresses; empty for all.
    pub macs: Vec<MacAddr>,
    /// Only frames in this VLAN, by the outermost tag; 0 for untagged frames.
    pub vlan: Option<u16>,
    /// Only frames of this EtherType, after all tags.
    pub ethertype: Option<EtherType>,
    /// Only frames with this IP protocol, version 4 or 6; fragments included.
    pub protocol: Option<u8>,
    /// Only frames from or to one of these IP addresses, or ARP messages about them; empty for all.
    pub addresses: Vec<IpAddr>,
}

impl Filter {
    const ARP: EtherType = EtherType(0x0806);

    /// Reports whether the filter selects a port of this name.
    #[must_use]
    pub fn wants_port(&self, name: &str) -> bool {
        self.ports.is_empty() || self.ports.iter().any(|wanted| wanted == name)
    }

    /// Reports whether the filter selects a frame in that direction.
    #[must_use]
    pub fn wants(&self, direction: Direction, frame: &[u8]) -> bool {
        if self.direction.is_some_and(|wanted| wanted != direction) {
            return false;
        }
        self.is_unconditional() || self.wants_bytes(frame)
    }

    fn is_unconditional(&self) -> bool {
        self.macs.is_empty() && self.vlan.is_none() && !self.looks_inside()
    }

    const fn looks_inside(&self) -> bool {
        self.ethertype.is_some() || self.protocol.is_some() || !self.addresses.is_empty()
    }

    fn wants_bytes(&self, bytes: &[u8]) -> bool {
        // A runt has none of the fields that a condition could match.
        let Ok(frame) = EthernetFrame::new_checked(bytes) else {
            return false;
        };
        let is_one = |mac: &MacAddr| *mac == frame.src() || *mac == frame.dst();
        if !self.macs.is_empty() && !self.macs.iter().any(is_one) {
            return false;
        }
        if self.vlan.is_some_and(|vlan| vlan != frame.vlan().get()) {
            return false;
        }
        !self.looks_inside()
            || frame
                .network()
                .is_some_and(|(ethertype, at)| self.wants_packet(ethertype, &bytes[at..]))
    }

    fn wants_packet(&self, ethertype: EtherType, packet: &[u8]) -> bool {
        if self.ethertype.is_some_and(|wanted| wanted != ethertype) {
            return false;
        }
        if self.protocol.is_none() && self.addresses.is_empty() {
            return true;
        }
        let Some(header) = Network::of(ethertype, packet) else {
            return false;
        };
        let is_one = |address: &IpAddr| header.addresses.contains(address);
        self.protocol
            .is_none_or(|wanted| header.protocol == Some(wanted))
            && (self.addresses.is_empty() || self.addresses.iter().any(is_one))
    }
}

/// The fields of a network header that conditions match.
struct Network {
    addresses: [IpAddr; 2],
    protocol: Option<u8>,
}

impl Network {
    fn of(ethertype: EtherType, packet: &[u8]) -> Option<Self> {
        let v4 = |at: usize| {
            let octets: &[u8; 4] = packet.get(at..)?.first_chunk()?;
            Some(IpAddr::V4(Ipv4Addr::from(*octets)))
        };
        let v6 = |at: usize| {
            let octets: &[u8; 16] = packet.get(at..)?.first_chunk()?;
            Some(IpAddr::V6(Ipv6Addr::from(*octets)))
        };
        Some(match ethertype {
            EtherType::IPV4 => Self {
                addresses: [v4(12)?, v4(16)?],
                protocol: Some(*packet.get(9)?),
            },
            EtherType::IPV6 => Self {
                addresses: [v6(8)?, v6(24)?],
                protocol: last_protocol(packet),
            },
            // ARP for IPv4 over Ethernet (RFC 826): sender and target.
            Filter::ARP if packet.get(2..6) == Some(&[8, 0, 6, 4]) => Self {
                addresses: [v4(14)?, v4(24)?],
                protocol: None,
            },
            _ => return None,
        })
    }
}

/// Returns the protocol after the extension headers of an IPv6 packet (RFC 8200, 4).
fn last_protocol(packet: &[u8]) -> Option<u8> {
    const FRAGMENT: u8 = 44;
    let mut next = *packet.get(6)?;
    let mut at = 40;
    // Hop-by-hop options, routing, fragment, destination options, mobility, HIP, shim6.
    while matches!(next, 0 | 43 | FRAGMENT | 60 | 135 | 139 | 140) {
        let header = packet.get(at..at + 2)?;
        at += match next {
            FRAGMENT => 8,
            _ => (usize::from(header[1]) + 1) * 8,
        };
        next = header[0];
    }
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ICMP: u8 = 1;
    const UDP: u8 = 17;

    fn frame(behind_addresses: &[u8]) -> Vec<u8> {
        [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], behind_addresses].concat()
    }

    fn ipv4(protocol: u8) -> Vec<u8> {
        let mut packet = vec![0x45; 20];
        packet[9] = protocol;
        packet[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        [&[8, 0][..], &packet].concat()
    }

    fn wants(filter: &Filter, behind_addresses: &[u8]) -> bool {
        filter.wants(Direction::In, &frame(behind_addresses))
    }

    #[test]
    fn without_conditions_everything_is_wanted() {
        let all = Filter::default();
        assert!(all.wants(Direction::Out, b"runt"));
        assert!(all.wants_port("any"));
        let some = Filter {
            ports: vec!["a".into(), "b".into()],
            direction: Some(Direction::In),
            ..Filter::default()
        };
        assert!(some.wants_port("b") && !some.wants_port("c"));
        assert!(some.wants(Direction::In, b"") && !some.wants(Direction::Out, b""));
    }

    #[test]
    fn stations_and_vlans_are_told_apart() {
        let of = |mac| Filter {
            macs: vec![MacAddr([2, 0, 0, 0, 0, mac])],
            ..Filter::default()
        };
        assert!(wants(&of(1), &[8, 0]) && wants(&of(2), &[8, 0]) && !wants(&of(3), &[8, 0]));
        assert!(!of(1).wants(Direction::In, &[2, 0, 0, 0, 0, 1]), "a runt");
        let tagged = [0x81, 0, 0x20, 100, 8, 0];
        for (vlan, expected) in [
            (100, [true, false]),
            (0, [false, true]),
            (5, [false, false]),
        ] {
            let filter = Filter {
                vlan: Some(vlan),
                ..Filter::default()
            };
            let got = [wants(&filter, &tagged), wants(&filter, &[8, 0])];
            assert_eq!(got, expected, "{vlan}");
        }
    }

    #[test]
    fn protocols_and_addresses_are_looked_up_behind_tags() {
        let filter = Filter {
            ethertype: Some(EtherType::IPV4),
            protocol: Some(ICMP),
            addresses: vec!["10.0.0.2".parse().unwrap()],
            ..Filter::default()
        };
        assert!(wants(&filter, &ipv4(ICMP)));
        assert!(wants(
            &filter,
            &[&[0x81, 0, 0, 1][..], &ipv4(ICMP)].concat()
        ));
        assert!(!wants(&filter, &ipv4(UDP)));
        assert!(!wants(&filter, &ipv4(ICMP)[..21]), "cut short");
        let other = Filter {
            addresses: vec!["10.0.0.3".parse().unwrap()],
            ..Filter::default()
        };
        assert!(!wants(&other, &ipv4(ICMP)));
        let arp = [
            &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1][..],
            &[2, 0, 0, 0, 0, 2, 10, 0, 0, 9],
            &[0, 0, 0, 0, 0, 0, 10, 0, 0, 3],
        ]
        .concat();
        assert!(wants(&other, &arp));
    }

    #[test]
    fn the_protocol_of_ipv6_is_behind_its_extensions() {
        let mut packet = vec![0; 40];
        packet[0] = 0x60;
        packet[6] = 0;
        packet.extend([44, 0, 0, 0, 0, 0, 0, 0]); // hop by hop, then a fragment header
        packet.extend([UDP, 255, 0, 8, 0, 0, 0, 1]);
        assert_eq!(last_protocol(&packet), Some(UDP));
        for len in 0..packet.len() - 7 {
            assert_ne!(last_protocol(&packet[..len]), Some(UDP), "{len}");
        }
    }
}
