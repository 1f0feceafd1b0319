//! A slow and simple parser of segments, which shares no code with what made them.

const TCP: u8 = 6;
/// IPv6 extension headers with a length field (RFC 8200, 4; RFC 6275; RFC 7401; RFC 5533).
const EXTENSIONS: [u8; 6] = [0, 43, 60, 135, 139, 140];

/// Panics if a length or a checksum of the packet in `frame` is wrong.
pub(super) fn check(frame: &[u8]) {
    let mut network = 14;
    while matches!(number(frame, network - 2), 0x8100 | 0x88a8) {
        network += 4;
    }
    let packet = &frame[network..];
    let (protocol, transport, addresses) = match number(frame, network - 2) {
        0x0800 => {
            let len = usize::from(packet[0] & 15) * 4;
            assert_eq!(usize::from(number(packet, 2)), packet.len(), "IPv4 length");
            assert_eq!(sum(&[&packet[..len]]), 0xffff, "IPv4 header checksum");
            (packet[9], &packet[len..], &packet[12..20])
        }
        0x86dd => {
            let len = packet.len() - 40;
            assert_eq!(usize::from(number(packet, 4)), len, "IPv6 length");
            let (mut next, mut at) = (packet[6], 40);
            while EXTENSIONS.contains(&next) {
                next = packet[at];
                at += 8 * (usize::from(packet[at + 1]) + 1);
            }
            (next, &packet[at..], &packet[8..40])
        }
        other => panic!("a segment that is no IP packet: {other:04x}"),
    };
    let len = u32::try_from(transport.len()).unwrap_or_default();
    let pseudo = [&[0, 0, 0, protocol][..], &len.to_be_bytes()].concat();
    assert_eq!(sum(&[addresses, &pseudo, transport]), 0xffff, "checksum");
    if protocol != TCP {
        assert_eq!(usize::from(number(transport, 4)), transport.len(), "length");
        assert_ne!(number(transport, 6), 0, "UDP without a checksum");
    }
}

/// Returns the one's complement sum of `parts`, of which all but the last have even length.
fn sum(parts: &[&[u8]]) -> u32 {
    let mut sum = 0;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or_default());
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

fn number(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    #[test]
    #[should_panic(expected = "IPv4 header checksum")]
    fn a_wrong_checksum_is_seen() {
        let mut frame = vec![0; 54];
        (frame[12], frame[14], frame[17], frame[23]) = (8, 0x45, 40, 6);
        super::check(&frame);
    }
}
