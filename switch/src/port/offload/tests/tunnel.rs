//! Super-frames inside tunnels, as a sender's stack makes them.

use proptest::prelude::*;

use super::flow::{Flow, flow};
use super::reader::{read, sum};
use super::{check_segments, finish, one_sent};
use crate::frame::{DropReason, Offload};
use crate::port::Frame;

/// The headers between the two packets, and how they express their length.
#[derive(Clone, Copy, Debug)]
enum Carrier {
    /// VXLAN (RFC 7348), Geneve (RFC 8926) and the like: UDP, a header of that many bytes, and a
    /// whole frame.
    Udp { checksum: bool, header_len: usize },
    /// GRE (RFC 2784) with a whole frame behind it.
    Gre { checksum: bool, key: bool },
    /// The packet alone (RFC 2003, RFC 4213).
    Ip,
}

/// A packet that carries another.
#[derive(Clone, Copy, Debug)]
struct Tunnel {
    carrier: Carrier,
    is_v6: bool,
    tagged: bool,
    identification: u16,
}

fn tunnel() -> impl Strategy<Value = Tunnel> {
    let carrier = prop_oneof![
        (any::<bool>(), 0..10_usize).prop_map(|(checksum, words)| Carrier::Udp {
            checksum,
            header_len: 8 + 4 * words,
        }),
        (any::<bool>(), any::<bool>()).prop_map(|(checksum, key)| Carrier::Gre { checksum, key }),
        Just(Carrier::Ip),
    ];
    (carrier, any::<bool>(), any::<bool>(), any::<u16>()).prop_map(
        |(carrier, is_v6, tagged, identification)| Tunnel {
            carrier,
            is_v6,
            tagged,
            identification,
        },
    )
}

impl Tunnel {
    const EXAMPLE: Self = Self {
        carrier: Carrier::Udp {
            checksum: false,
            header_len: 8,
        },
        is_v6: false,
        tagged: false,
        identification: 0xffff,
    };

    fn protocol(self, inner_is_v6: bool) -> u8 {
        match self.carrier {
            Carrier::Udp { .. } => 17,
            Carrier::Gre { .. } => 47,
            Carrier::Ip if inner_is_v6 => 41,
            Carrier::Ip => 4,
        }
    }

    /// Addresses, tag and EtherType.
    fn link(self) -> Vec<u8> {
        let mut link = vec![2, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 4];
        if self.tagged {
            link.extend([0x88, 0xa8, 0, 7]);
        }
        link.extend(if self.is_v6 { [0x86, 0xdd] } else { [8, 0] });
        link
    }

    /// Returns the headers between the outer network header and the payload, and how much of the
    /// inner frame the payload is.
    fn carrier_header(self, carried_len: usize) -> Vec<u8> {
        match self.carrier {
            Carrier::Udp { header_len, .. } => {
                let len = (8 + header_len + carried_len) as u16;
                let mut header = vec![0x12, 0x34, 0x12, 0xb5];
                header.extend(len.to_be_bytes());
                header.extend([0, 0]);
                header.extend((0..header_len).map(|n| n as u8 | 0x40));
                header
            }
            Carrier::Gre { checksum, key } => {
                let flags = u8::from(checksum) << 7 | u8::from(key) << 5;
                let mut header = vec![flags, 0, 0x65, 0x58];
                header.extend(vec![0xaa; usize::from(checksum) * 4]);
                header.extend(vec![0x45; usize::from(key) * 4]); // a key like an IPv4 header
                header
            }
            Carrier::Ip => Vec::new(),
        }
    }

    /// The super-frame of a flow, carried.
    fn around(self, flow: &Flow) -> (Vec<u8>, Offload) {
        let (frame, offload) = flow.super_frame();
        let carried = match self.carrier {
            Carrier::Ip => &frame[flow.link().len()..],
            _ => &frame[..],
        };
        let mut header = self.carrier_header(carried.len());
        let len = (header.len() + carried.len()) as u16;
        let addresses: Vec<u8> = (1..=if self.is_v6 { 32 } else { 8 }).collect();
        let protocol = self.protocol(flow.is_v6);
        let network = if self.is_v6 {
            let [high, low] = len.to_be_bytes();
            [&[0x60, 0, 0, 0, high, low, protocol, 64][..], &addresses].concat()
        } else {
            let [high, low] = (20 + len).to_be_bytes();
            let [id_high, id_low] = self.identification.to_be_bytes();
            let start = [
                0x45, 0, high, low, id_high, id_low, 0, 0, 64, protocol, 0, 0,
            ];
            [&start[..], &addresses].concat()
        };
        if let Carrier::Udp { checksum: true, .. } = self.carrier {
            // The pseudo-header's sum alone, as `udp_set_csum` leaves it.
            let pseudo = sum(&[&addresses, &[0, protocol], &len.to_be_bytes()]);
            header[6..8].copy_from_slice(&pseudo.to_be_bytes());
        }
        let before = [self.link(), network, header].concat();
        let moved = before.len() + carried.len() - frame.len();
        let offload = Offload {
            csum_start: (usize::from(offload.csum_start) + moved) as u16,
            ..offload
        };
        ([&before, carried].concat(), offload)
    }

    /// Removes the tunnel from a piece and returns the inner frame; panics if anything is wrong.
    fn unwrap(self, index: usize, flow: &Flow, piece: &[u8]) -> Vec<u8> {
        let link = self.link();
        assert_eq!(piece[..link.len()], link);
        let packet = &piece[link.len()..];
        let number = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
        let (network_len, addresses) = if self.is_v6 {
            assert_eq!(usize::from(number(4)), packet.len() - 40, "payload length");
            (40, &packet[8..40])
        } else {
            assert_eq!(usize::from(number(2)), packet.len(), "total length");
            let expected = self.identification.wrapping_add(index as u16);
            assert_eq!(number(4), expected, "identification");
            assert_eq!(sum(&[&packet[..20]]), 0xffff, "header checksum");
            (20, &packet[12..20])
        };
        let carrier = &packet[network_len..];
        let header = self.carrier_header(0);
        match self.carrier {
            Carrier::Udp { checksum, .. } => {
                let len = (carrier.len() as u16).to_be_bytes();
                assert_eq!(carrier[4..6], len, "UDP length");
                if checksum {
                    assert_ne!(carrier[6..8], [0, 0]);
                    assert_eq!(sum(&[addresses, &[0, 17], &len, carrier]), 0xffff);
                } else {
                    assert_eq!(carrier[6..8], [0, 0], "none before, none behind");
                }
                assert_eq!(carrier[8..header.len()], header[8..]);
            }
            Carrier::Gre { checksum, .. } => {
                assert_eq!(carrier[..4], header[..4]);
                if checksum {
                    assert_eq!(sum(&[carrier]), 0xffff, "GRE checksum");
                }
            }
            Carrier::Ip => return [flow.link(), carrier.to_vec()].concat(),
        }
        carrier[header.len()..].to_vec()
    }
}

proptest! {
    #[test]
    fn each_piece_is_a_whole_packet_in_a_whole_packet(flow in flow(), tunnel in tunnel()) {
        let (bytes, offload) = tunnel.around(&flow);
        let (out, counters) = finish(&[Frame { bytes: &bytes, offload }], 65_535);
        prop_assert_eq!(counters.drops.total(), 0);
        prop_assert_eq!(counters.tx, one_sent(bytes.len()), "the super-frame counts once");
        let packets: Vec<_> = out
            .iter()
            .enumerate()
            .map(|(index, piece)| read(&tunnel.unwrap(index, &flow, piece)))
            .collect();
        let expected = flow.payload.len().div_ceil(usize::from(flow.gso_size)).max(1);
        prop_assert_eq!(packets.len(), expected);
        check_segments(&flow, &packets);
    }

    #[test]
    fn damaged_tunnels_count_once(
        flow in flow(),
        tunnel in tunnel(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        csum_start in any::<Option<u16>>(),
    ) {
        let (mut bytes, mut offload) = tunnel.around(&flow);
        let headers = bytes.len() - flow.payload.len();
        for (at, value) in damage {
            bytes[at.index(headers)] = value;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        offload.csum_start = csum_start.unwrap_or(offload.csum_start);
        let (out, counters) = finish(&[Frame { bytes: &bytes, offload }], 1500);
        prop_assert_eq!(counters.tx.frames + counters.drops.total(), 1);
        prop_assert!(counters.tx.frames == 1 || out.is_empty());
    }
}

#[test]
fn the_mtu_limits_the_packet_outside() {
    // Pieces of 1,000 bytes, 40 of headers; 14 of a link header, 8 and 8 and 20 outside.
    let (bytes, offload) = Tunnel::EXAMPLE.around(&Flow::example());
    let frame = Frame {
        bytes: &bytes,
        offload,
    };
    let (out, counters) = finish(&[frame], 1089);
    assert!(out.is_empty());
    assert_eq!(counters.drops.get(DropReason::EgressTooBig), 1);
    assert_eq!(finish(&[frame], 1090).1.tx.frames, 1);
}

#[test]
fn what_cannot_be_repeated_is_not_cut() {
    let gre = Tunnel {
        carrier: Carrier::Gre {
            checksum: false,
            key: false,
        },
        ..Tunnel::EXAMPLE
    };
    let (mut bytes, offload) = gre.around(&Flow::example());
    // A sequence number, and the version of PPTP, which has a length.
    for flags in [[0x10, 0], [0x20, 1]] {
        bytes[34..36].copy_from_slice(&flags);
        let (out, counters) = finish(
            &[Frame {
                bytes: &bytes,
                offload,
            }],
            1500,
        );
        assert!(out.is_empty());
        assert_eq!(counters.drops.get(DropReason::EgressOffload), 1);
    }
}

#[test]
fn a_header_that_ends_behind_the_frame_is_not_read() {
    let ip = Tunnel {
        carrier: Carrier::Ip,
        ..Tunnel::EXAMPLE
    };
    let (mut bytes, mut offload) = ip.around(&Flow::example());
    // Both have link and IP headers only. The checksum would begin four bytes after them, where an
    // inner header with an option would end.
    // inner header with an option would end.
    bytes.truncate(14 + 20 + 20);
    offload.csum_start = 14 + 20 + 24;
    let frame = Frame {
        bytes: &bytes,
        offload,
    };
    let (out, counters) = finish(&[frame], 1500);
    assert!(out.is_empty());
    assert_eq!(counters.drops.get(DropReason::EgressOffload), 1);
}
