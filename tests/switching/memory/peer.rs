//! A station in memory that answers who it is, and takes in one TCP connection: so little of each
//! protocol as a stack needs that has everything to say and nothing to hear.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vswitch_switch::port::memory::Cable;

use super::super::lab::mac;
use super::super::reference::{self, Packet, be16, ip_frame};
use super::MTU_BYTES;
use crate::harness::PATIENCE;

const OWN_MAC: [u8; 6] = mac(0xfe);
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP6: u8 = 58;
const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// The station.
pub(super) struct Peer {
    cable: Cable,
    own: IpAddr,
}

impl Peer {
    /// One that speaks this version of IP.
    pub(super) fn new(cable: Cable, version: u8) -> Self {
        let own = if version == 4 {
            Ipv4Addr::new(10, 0, 0, 0xfe).into()
        } else {
            Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0xfe).into()
        };
        Self { cable, own }
    }

    pub(super) fn address(&self) -> IpAddr {
        self.own
    }

    pub(super) fn send(&self, frame: &[u8]) {
        self.cable.send(frame).unwrap();
    }

    /// The next frame with TCP or UDP in it, which has to be one that a port without offloads can
    /// take: not too long, and with its checksums right.
    fn next_frame(&mut self, protocol: u8) -> Vec<u8> {
        loop {
            let frame = self.cable.recv_timeout(PATIENCE).expect("a frame");
            assert!(frame.offload.is_finished(), "{:?}", frame.offload);
            let frame = frame.bytes;
            assert!(frame.len() <= 14 + MTU_BYTES, "{} bytes", frame.len());
            if let Some(answer) = self.answer_who_is(&frame) {
                self.send(&answer);
            }
            if let Some(packet) = reference::parse(&frame) {
                assert_eq!(packet.checksum(), 0, "{packet:02x?}");
                if packet.protocol == protocol {
                    return frame;
                }
            }
        }
    }

    /// The payload of the next datagram.
    pub(super) fn next_datagram(&mut self) -> Vec<u8> {
        let frame = self.next_frame(UDP);
        let packet = reference::parse(&frame).expect("a datagram");
        assert_eq!(be16(&packet.transport[4..6]), packet.transport.len());
        assert_ne!(packet.transport[6..8], [0, 0], "no checksum at all");
        packet.transport[8..].to_vec()
    }

    /// Takes in a connection to its end, and gives its bytes.
    pub(super) fn receive_stream(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut next: Option<u32> = None;
        loop {
            let frame = self.next_frame(TCP);
            let packet = reference::parse(&frame).expect("a segment");
            let sequence = be32(&packet.transport[4..8]);
            let flags = packet.transport[13];
            let payload = &packet.transport[usize::from(packet.transport[12] >> 4) * 4..];
            if flags & SYN != 0 {
                next = Some(sequence.wrapping_add(1));
                self.acknowledge(&frame, &packet, SYN | ACK, sequence.wrapping_add(1));
                continue;
            }
            let expected = next.expect("SYN comes first");
            if sequence == expected {
                bytes.extend(payload);
                let end = sequence.wrapping_add(payload.len() as u32);
                next = Some(end.wrapping_add(u32::from(flags & FIN != 0)));
            }
            if !payload.is_empty() || flags & FIN != 0 {
                self.acknowledge(&frame, &packet, ACK, next.unwrap_or(expected));
            }
            if flags & FIN != 0 && sequence == expected {
                return bytes;
            }
        }
    }

    /// Acknowledges all up to `next` (RFC 9293, 3.1). Of sequence numbers of its own the station
    /// has used one, for its SYN.
    fn acknowledge(&self, frame: &[u8], packet: &Packet<'_>, flags: u8, next: u32) {
        let header = packet.transport;
        let is_syn = flags & SYN != 0;
        let mut segment = [&header[2..4], &header[..2]].concat();
        segment.extend(u32::from(!is_syn).to_be_bytes());
        segment.extend(next.to_be_bytes());
        let words: u8 = if is_syn { 7 } else { 5 };
        segment.extend([words << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
        if is_syn {
            // A segment size, and a window of 2^7 times what it says (RFC 7323, 2.2).
            segment.extend([2, 4, 5, 0xb4 - 20, 1, 3, 3, 7]);
        }
        let (src, dst) = packet.addresses.split_at(packet.addresses.len() / 2);
        let addresses = [dst, src].concat();
        let macs = [frame[6..12].try_into().unwrap(), OWN_MAC];
        self.send(&ip_frame(macs, &addresses, TCP, &segment, 16));
    }

    /// A datagram to somebody.
    pub(super) fn datagram(&self, dst: [u8; 6], to: IpAddr, port: u16, payload: &[u8]) -> Vec<u8> {
        let mut datagram = 7_u16.to_be_bytes().to_vec();
        datagram.extend(port.to_be_bytes());
        datagram.extend((payload.len() as u16 + 8).to_be_bytes());
        datagram.extend([0, 0]);
        datagram.extend(payload);
        let addresses = [octets(self.own), octets(to)].concat();
        ip_frame([dst, OWN_MAC], &addresses, UDP, &datagram, 6)
    }

    /// The answer to an ARP request (RFC 826) or a neighbour solicitation (RFC 4861, 4.4).
    fn answer_who_is(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let own = octets(self.own);
        let asker: [u8; 6] = frame.get(6..12)?.try_into().ok()?;
        let is_arp = frame.get(12..14)? == [8, 6] && frame.get(20..22)? == [0, 1];
        if is_arp && *frame.get(38..42)? == own {
            let mut answer = [&asker[..], &OWN_MAC, &frame[12..20], &[0, 2]].concat();
            answer.extend(OWN_MAC);
            answer.extend(&own);
            answer.extend(&frame[22..32]);
            return Some(answer);
        }
        let is_icmp = frame.get(12..14)? == [0x86, 0xdd] && *frame.get(20)? == ICMP6;
        if is_icmp && *frame.get(54)? == 135 && *frame.get(62..78)? == own {
            // Solicited, and overriding what was known; with the target's own address behind.
            let mut message = vec![136, 0, 0, 0, 0x60, 0, 0, 0];
            message.extend(&own);
            message.extend([2, 1]);
            message.extend(OWN_MAC);
            let addresses = [&own, &frame[22..38]].concat();
            return Some(ip_frame([asker, OWN_MAC], &addresses, ICMP6, &message, 2));
        }
        None
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

fn be32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
