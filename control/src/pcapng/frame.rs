//! What a block tells, as far as the commands want to know.

use std::borrow::Cow;
use std::time::Duration;

use pcap_parser::PcapNGOption;
use pcap_parser::pcapng::{
    Block, EnhancedPacketBlock, InterfaceDescriptionBlock, InterfaceStatisticsBlock,
    parse_block_be, parse_block_le,
};
use pcap_parser::traits::PcapNGPacketBlock;

use super::{flag, option};

/// An interface of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// What is behind it.
    pub description: Option<String>,
}

/// A frame of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The number of its interface.
    pub interface: u32,
    /// When, since 1970.
    pub time: Duration,
    /// Its length before it was cut.
    pub len: u32,
    /// What there is of it.
    pub bytes: &'a [u8],
    /// See [`flag`].
    pub flags: u32,
    /// How many were lost before it on its interface.
    pub lost_before: u64,
    /// What is said of it.
    pub comments: Vec<String>,
}

impl Frame<'_> {
    /// Whether it came in, as seen from the switch; if not, it went out.
    pub const fn is_inbound(&self) -> bool {
        self.flags & 3 == flag::INBOUND
    }

    /// Whether the bit is set.
    pub const fn has(&self, bit: u32) -> bool {
        self.flags & bit != 0
    }
}

/// A block of a stream that this program has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// The next interface.
    Interface(Interface),
    /// A frame.
    Frame(Frame<'a>),
    /// How many frames passed an interface's filter, and were lost among them.
    Statistics(u64, u64),
    /// Something else.
    Other,
}

/// Reads a whole block, which is in this machine's order of bytes.
pub fn read(block: &[u8]) -> Told<'_> {
    let parse = if cfg!(target_endian = "big") {
        parse_block_be
    } else {
        parse_block_le
    };
    match parse(block) {
        Ok((_, Block::InterfaceDescription(block))) => Told::Interface(interface(&block)),
        Ok((_, Block::EnhancedPacket(block))) => Told::Frame(frame(&block, block_data(&block))),
        Ok((_, Block::InterfaceStatistics(block))) => statistics(&block),
        _ => Told::Other,
    }
}

fn block_data<'a>(block: &EnhancedPacketBlock<'a>) -> &'a [u8] {
    let len = usize::try_from(block.caplen).unwrap_or(usize::MAX);
    block.data.get(..len).unwrap_or(block.data)
}

fn interface(block: &InterfaceDescriptionBlock<'_>) -> Interface {
    Interface {
        name: text(&block.options, option::IF_NAME).unwrap_or_default(),
        description: text(&block.options, option::IF_DESCRIPTION),
    }
}

fn frame<'a>(block: &EnhancedPacketBlock<'a>, bytes: &'a [u8]) -> Frame<'a> {
    debug_assert_eq!(bytes, block.packet_data());
    let nanoseconds = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
    let flags = value::<4>(&block.options, option::EPB_FLAGS);
    let comments = block
        .options
        .iter()
        .filter(|has| has.code.0 == option::COMMENT);
    Frame {
        interface: block.if_id,
        time: Duration::from_nanos(nanoseconds),
        len: block.origlen,
        bytes,
        flags: flags.map_or(0, u32::from_ne_bytes),
        lost_before: value::<8>(&block.options, option::EPB_DROPCOUNT)
            .map_or(0, u64::from_ne_bytes),
        comments: comments.map(|has| as_text(&has.value)).collect(),
    }
}

fn statistics(block: &InterfaceStatisticsBlock<'_>) -> Told<'static> {
    let count = |code| value::<8>(&block.options, code).map_or(0, u64::from_ne_bytes);
    Told::Statistics(count(option::ISB_FILTERACCEPT), count(option::ISB_IFDROP))
}

fn find<'a>(options: &'a [PcapNGOption<'_>], code: u16) -> Option<&'a Cow<'a, [u8]>> {
    let found = options.iter().find(|option| option.code.0 == code);
    found.map(|option| &option.value)
}

fn value<const LEN: usize>(options: &[PcapNGOption<'_>], code: u16) -> Option<[u8; LEN]> {
    find(options, code)?.first_chunk().copied()
}

fn text(options: &[PcapNGOption<'_>], code: u16) -> Option<String> {
    find(options, code).map(|value| as_text(value))
}

/// Text as it is in an option: padded, and perhaps ended by a zero.
fn as_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches('\0')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcapng::{Packet, Statistics};

    #[test]
    fn what_was_written_is_read() {
        let mut out = Vec::new();
        crate::pcapng::interface(&mut out, "mario-vsw", Some("namespace mario"), 100);
        let expected = Interface {
            name: "mario-vsw".into(),
            description: Some("namespace mario".into()),
        };
        assert_eq!(read(&out), Told::Interface(expected));
        out.clear();
        let comments = ["one".to_owned(), "dropped: runt".to_owned()];
        let packet = Packet {
            interface: 3,
            time: Duration::new(1_700_000_000, 7),
            len: 1514,
            bytes: b"hello",
            flags: flag::OUTBOUND | flag::UNICAST,
            lost_before: 2,
            comments: &comments,
        };
        crate::pcapng::packet(&mut out, &packet);
        let Told::Frame(frame) = read(&out) else {
            panic!("no frame");
        };
        assert_eq!(
            (frame.interface, frame.time, frame.len),
            (3, packet.time, 1514)
        );
        assert_eq!(frame.bytes, b"hello");
        assert_eq!(frame.flags, packet.flags);
        assert!(!frame.is_inbound() && frame.has(flag::UNICAST));
        assert_eq!((frame.lost_before, frame.comments), (2, comments.to_vec()));
        out.clear();
        let statistics = Statistics {
            interface: 0,
            start: Duration::ZERO,
            end: Duration::ZERO,
            frames: 9,
            lost: 4,
        };
        crate::pcapng::statistics(&mut out, &statistics);
        assert_eq!(read(&out), Told::Statistics(9, 4));
        assert_eq!(read(&out[..7]), Told::Other);
    }
}
