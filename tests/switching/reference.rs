//! Checksums of packets, computed in the plainest way: what the switch's own are held against.

use crate::harness::icmp::checksum;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// A TCP segment or UDP datagram in an untagged frame, taken apart.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub(super) protocol: u8,
    /// From its own header on.
    pub(super) transport: &'a [u8],
    /// The addresses, source first, as they stand in the IP header.
    pub(super) addresses: &'a [u8],
}

/// Takes a frame apart; `None` if it holds something else. Checks the checksum of an IPv4 header,
/// and that the packet is as long as it says.
pub(super) fn parse(frame: &[u8]) -> Option<Packet<'_>> {
    let ip = frame.get(14..)?;
    let (protocol, addresses, header, total) = match frame.get(12..14)? {
        [0x08, 0x00] => {
            let header = usize::from(ip[0] & 0x0f) * 4;
            assert_eq!(checksum(&ip[..header]), 0, "the IPv4 header's checksum");
            (ip[9], 12..20, header, be16(&ip[2..4]))
        }
        [0x86, 0xdd] => (ip[6], 8..40, 40, 40 + be16(&ip[4..6])),
        _ => return None,
    };
    if protocol != TCP && protocol != UDP {
        return None;
    }
    assert!(total <= ip.len(), "a packet of {total} bytes is cut off");
    Some(Packet {
        protocol,
        transport: &ip[header..total],
        addresses: &ip[addresses],
    })
}

impl Packet<'_> {
    /// The checksum over pseudo-header and transport as they stand: zero if it is right.
    pub(super) fn checksum(&self) -> u16 {
        let mut sum = pseudo_header(self.addresses, self.protocol, self.transport.len());
        sum.extend(self.transport);
        checksum(&sum)
    }

    /// Whether the checksum is right; one that the sender left to the device (`partial`) is
    /// right if it holds the sum of the pseudo-header.
    pub(super) fn is_right(&self, partial: bool) -> bool {
        if !partial {
            return self.checksum() == 0;
        }
        let at = if self.protocol == TCP { 16 } else { 6 };
        let sum = pseudo_header(self.addresses, self.protocol, self.transport.len());
        be16(&self.transport[at..at + 2]) == usize::from(!checksum(&sum))
    }
}

fn pseudo_header(addresses: &[u8], protocol: u8, length: usize) -> Vec<u8> {
    let mut bytes = addresses.to_vec();
    bytes.extend((length as u32).to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    bytes
}

/// Two bytes in the order of the wire.
pub(super) fn be16(bytes: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// A frame with an IP packet, its transport checksum filled in; `at` is its place in the
/// transport header.
pub(super) fn ip_frame(
    [dst, src]: [[u8; 6]; 2],
    addresses: &[u8],
    protocol: u8,
    transport: &[u8],
    at: usize,
) -> Vec<u8> {
    let mut transport = transport.to_vec();
    let mut summed = pseudo_header(addresses, protocol, transport.len());
    summed.extend(&transport);
    transport[at..at + 2].copy_from_slice(&checksum(&summed).to_be_bytes());
    let mut frame = [dst, src].concat();
    let length = transport.len() as u16;
    if addresses.len() == 8 {
        let [high, low] = (length + 20).to_be_bytes();
        let mut header = vec![0x45, 0, high, low, 0, 0, 0x40, 0, 64, protocol, 0, 0];
        header.extend(addresses);
        let sum = checksum(&header).to_be_bytes();
        header[10..12].copy_from_slice(&sum);
        frame.extend([0x08, 0x00]);
        frame.extend(header);
    } else {
        let [high, low] = length.to_be_bytes();
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, high, low, protocol, 255]);
        frame.extend(addresses);
    }
    frame.extend(transport);
    frame
}
