//! Blocks, appended to a vector that is used again and again: nothing is allocated for a packet.

use std::time::Duration;

use super::link_type::ETHERNET;
use super::{INTERFACE, PACKET, SECTION, STATISTICS, option};

/// One packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The interface's number, in the order of the blocks that describe them.
    pub interface: u32,
    /// When, since 1970.
    pub time: Duration,
    /// Its length before it was cut.
    pub len: u32,
    /// What there is of it.
    pub bytes: &'a [u8],
    /// See [`super::flag`].
    pub flags: u32,
    /// How many were lost before it on the same interface.
    pub lost_before: u32,
    /// Comments; empty ones are left out.
    pub comments: &'a [String],
}

/// What was captured on an interface.
#[derive(Clone, Copy, Debug)]
pub struct Statistics {
    /// The interface's number.
    pub interface: u32,
    /// When the capture began, since 1970.
    pub start: Duration,
    /// When it ended.
    pub end: Duration,
    /// Packets that passed the filter.
    pub frames: u64,
    /// Those that were lost among them.
    pub lost: u64,
}

/// Begins a section.
pub fn section(out: &mut Vec<u8>) {
    const BYTE_ORDER: u32 = 0x1a2b_3c4d;
    block(out, SECTION, |out| {
        out.extend(BYTE_ORDER.to_ne_bytes());
        out.extend(1_u16.to_ne_bytes()); // version 1.0
        out.extend(0_u16.to_ne_bytes());
        out.extend(u64::MAX.to_ne_bytes()); // of unknown length
        text(out, option::SHB_OS, "Linux");
        let program = concat!("vswitch ", env!("CARGO_PKG_VERSION"));
        text(out, option::SHB_USERAPPL, program);
        end_of_options(out);
    });
}

/// Describes the next interface, of which at most `snap_len` bytes of a packet are kept.
pub fn interface(out: &mut Vec<u8>, name: &str, description: Option<&str>, snap_len: u32) {
    const NANOSECONDS: u8 = 9;
    block(out, INTERFACE, |out| {
        out.extend(ETHERNET.to_ne_bytes());
        out.extend(0_u16.to_ne_bytes());
        out.extend(snap_len.to_ne_bytes());
        text(out, option::IF_NAME, name);
        if let Some(description) = description {
            text(out, option::IF_DESCRIPTION, description);
        }
        value(out, option::IF_TSRESOL, &[NANOSECONDS]);
        end_of_options(out);
    });
}

/// A packet.
pub fn packet(out: &mut Vec<u8>, packet: &Packet<'_>) {
    block(out, PACKET, |out| {
        out.extend(packet.interface.to_ne_bytes());
        out.extend(stamp(packet.time));
        out.extend(number(packet.bytes.len()).to_ne_bytes());
        out.extend(packet.len.to_ne_bytes());
        out.extend_from_slice(packet.bytes);
        pad(out, packet.bytes.len());
        value(out, option::EPB_FLAGS, &packet.flags.to_ne_bytes());
        if packet.lost_before > 0 {
            let lost = u64::from(packet.lost_before).to_ne_bytes();
            value(out, option::EPB_DROPCOUNT, &lost);
        }
        for comment in packet.comments.iter().filter(|comment| !comment.is_empty()) {
            text(out, option::COMMENT, comment);
        }
        end_of_options(out);
    });
}

/// Ends what is told of an interface.
pub fn statistics(out: &mut Vec<u8>, statistics: &Statistics) {
    block(out, STATISTICS, |out| {
        out.extend(statistics.interface.to_ne_bytes());
        out.extend(stamp(statistics.end));
        value(out, option::ISB_STARTTIME, &stamp(statistics.start));
        value(out, option::ISB_ENDTIME, &stamp(statistics.end));
        let Statistics { frames, lost, .. } = *statistics;
        for (code, count) in [
            (option::ISB_IFRECV, frames),
            (option::ISB_IFDROP, lost),
            (option::ISB_FILTERACCEPT, frames),
            (option::ISB_USRDELIV, frames.saturating_sub(lost)),
        ] {
            value(out, code, &count.to_ne_bytes());
        }
        end_of_options(out);
    });
}

/// A block with its type and its length, which stands at both ends.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.to_ne_bytes());
    out.extend([0; 4]);
    body(out);
    let len = number(out.len() - start + 4).to_ne_bytes();
    out.extend(len);
    out[start + 4..start + 8].copy_from_slice(&len);
}

/// A time stamp: its upper half first, whatever the order of bytes.
fn stamp(time: Duration) -> [u8; 8] {
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let bytes = nanoseconds.to_be_bytes();
    let [a, b, c, d, e, f, g, h] = bytes;
    let [high, low] =
        [[a, b, c, d], [e, f, g, h]].map(|half| u32::from_be_bytes(half).to_ne_bytes());
    let ([a, b, c, d], [e, f, g, h]) = (high, low);
    [a, b, c, d, e, f, g, h]
}

fn text(out: &mut Vec<u8>, code: u16, text: &str) {
    // An option's length has 16 bits; none of our texts is near that.
    let end = text.floor_char_boundary_at(4096);
    value(out, code, &text.as_bytes()[..end]);
}

fn value(out: &mut Vec<u8>, code: u16, bytes: &[u8]) {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend(code.to_ne_bytes());
    out.extend(len.to_ne_bytes());
    out.extend_from_slice(&bytes[..usize::from(len)]);
    pad(out, bytes.len());
}

fn end_of_options(out: &mut Vec<u8>) {
    out.extend(option::END.to_ne_bytes());
    out.extend(0_u16.to_ne_bytes());
}

/// Fills up to a multiple of four.
fn pad(out: &mut Vec<u8>, len: usize) {
    out.extend([0; 3].iter().take(len.wrapping_neg() % 4));
}

fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// `str::floor_char_boundary`, which is not in the oldest compiler that builds this.
trait Boundary {
    fn floor_char_boundary_at(&self, most: usize) -> usize;
}

impl Boundary for str {
    fn floor_char_boundary_at(&self, most: usize) -> usize {
        let mut end = self.len().min(most);
        while !self.is_char_boundary(end) {
            end -= 1;
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcap_parser::pcapng::{Block, parse_block_be, parse_block_le};
    use pcap_parser::traits::PcapNGPacketBlock;

    fn parse(bytes: &[u8]) -> (&[u8], Block<'_>) {
        if cfg!(target_endian = "little") {
            parse_block_le(bytes).unwrap()
        } else {
            parse_block_be(bytes).unwrap()
        }
    }

    #[test]
    fn another_reader_finds_what_was_written() {
        let time = Duration::new(1_700_000_000, 123_456_789);
        let mut out = Vec::new();
        section(&mut out);
        interface(&mut out, "mario-vsw", Some("namespace mario"), 262_144);
        for len in 0..9 {
            packet(
                &mut out,
                &Packet {
                    interface: 0,
                    time,
                    len: 100,
                    bytes: &[7; 9][..len],
                    flags: 5,
                    lost_before: 3,
                    comments: &["dropped: source_zero".to_owned(), String::new()],
                },
            );
        }
        let (rest, header) = parse(&out);
        assert!(matches!(header, Block::SectionHeader(header) if header.options.len() == 3));
        let (mut rest, described) = parse(rest);
        let Block::InterfaceDescription(described) = described else {
            panic!("{described:?}");
        };
        assert_eq!(described.if_tsresol, 9);
        assert_eq!(described.if_name(), Some(Ok("mario-vsw")));
        assert_eq!(described.if_description(), Some(Ok("namespace mario")));
        for len in 0..9 {
            let Block::EnhancedPacket(packet) = parse(rest).1 else {
                panic!("no packet");
            };
            assert!(!packet.big_endian() || cfg!(target_endian = "big"));
            assert_eq!(packet.packet_data(), &[7; 9][..len]);
            assert_eq!(packet.origlen, 100);
            assert_eq!(
                packet.decode_ts(0, 1_000_000_000),
                (1_700_000_000, 123_456_789)
            );
            let codes: Vec<u16> = packet.options.iter().map(|option| option.code.0).collect();
            assert_eq!(codes, [2, 4, 1, 0]);
            rest = parse(rest).0;
        }
        assert!(rest.is_empty());
    }
}
