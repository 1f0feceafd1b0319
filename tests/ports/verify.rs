//! Whether a captured frame is complete: every length and every checksum in it, recomputed.

use crate::harness::icmp::checksum;

/// What a frame was, once all in it was found right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tcp,
    Udp,
    Sctp,
    /// Something without a checksum that is known here.
    Other,
}

fn number(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
}

/// Checks a frame; panics, with what is wrong, where it is incomplete.
pub(super) fn verify(frame: &[u8]) -> Kind {
    let mut network = 14;
    while matches!(number(frame, network - 2), 0x8100 | 0x88a8) {
        network += 4;
    }
    let packet = &frame[network..];
    let (protocol, pseudo_addresses, transport) = match number(frame, network - 2) {
        0x0800 => {
            let header_len = usize::from(packet[0] & 15) * 4;
            assert_eq!(
                checksum(&packet[..header_len]),
                0,
                "IPv4 header: {frame:02x?}"
            );
            if number(packet, 6) & 0x3fff != 0 {
                return Kind::Other; // a fragment
            }
            let total_len = number(packet, 2);
            (packet[9], &packet[12..20], &packet[header_len..total_len])
        }
        0x86dd => {
            let end = 40 + number(packet, 4);
            (packet[6], &packet[8..40], &packet[40..end])
        }
        _ => return Kind::Other,
    };
    let len = (transport.len() as u32).to_be_bytes();
    let summed = [pseudo_addresses, &[0, protocol], &len, transport].concat();
    match protocol {
        6 => assert_eq!(checksum(&summed), 0, "TCP checksum: {frame:02x?}"),
        17 => {
            assert_eq!(number(transport, 4), transport.len(), "UDP length");
            assert_ne!(number(transport, 6), 0, "a UDP checksum is missing");
            assert_eq!(checksum(&summed), 0, "UDP checksum: {frame:02x?}");
        }
        132 => {
            let mut zeroed = transport.to_vec();
            zeroed[8..12].fill(0);
            let crc = crc32c::crc32c(&zeroed).to_le_bytes();
            assert_eq!(transport[8..12], crc, "SCTP checksum: {frame:02x?}");
        }
        _ => return Kind::Other,
    }
    match protocol {
        6 => Kind::Tcp,
        17 => Kind::Udp,
        _ => Kind::Sctp,
    }
}
