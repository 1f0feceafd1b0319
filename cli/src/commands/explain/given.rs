//! The frame that is to be explained.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use pcap_parser::pcapng::Block;
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Linktype, PcapBlockOwned, PcapError, create_reader};
use vswitch_switch::wire::EtherType;

use crate::args::ExplainArgs;
use crate::commands::WrongUsage;
use crate::pcapng::flag;
use crate::values;

/// The length of a frame that is given by its addresses: the shortest on a wire.
const SHORT: u32 = 60;
/// Room for the longest block.
const BUFFER: usize = 1 << 20;
/// The longest frame that is filled up to its length before it was cut.
const LONGEST: u32 = 262_144;

/// A frame, and the port that it would come in by.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) port: String,
    pub(super) bytes: Vec<u8>,
    pub(super) super_frame: bool,
    pub(super) checksum_unfinished: bool,
}

/// One packet of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Packet {
    bytes: Vec<u8>,
    /// Its interface, where the file names it.
    interface: Option<String>,
    flags: u32,
}

impl Given {
    /// The frame of these arguments.
    ///
    /// # Errors
    /// Where there is none.
    pub(super) fn new(args: &ExplainArgs) -> anyhow::Result<Self> {
        let port = args.port.clone();
        if let Some(path) = &args.pcap {
            let packet = read(path, args.packet)?;
            let Some(port) = port.or(packet.interface) else {
                return Err(WrongUsage(format!(
                    "{} does not tell by which port packet {} came in: say so with --port",
                    path.display(),
                    args.packet
                ))
                .into());
            };
            return Ok(Self {
                port,
                bytes: packet.bytes,
                super_frame: packet.flags & flag::TO_BE_SEGMENTED != 0,
                checksum_unfinished: packet.flags & flag::CHECKSUM_NOT_READY != 0,
            });
        }
        let bytes = match &args.hex {
            Some(text) => values::hex(text).map_err(WrongUsage)?,
            None => compose(args),
        };
        Ok(Self {
            port: port.unwrap_or_default(),
            bytes,
            ..Self::default()
        })
    }
}

/// A frame of the addresses that are given.
fn compose(args: &ExplainArgs) -> Vec<u8> {
    let mac = |mac: Option<vswitch_switch::wire::MacAddr>| mac.unwrap_or_default().0;
    let mut bytes = [mac(args.dst), mac(args.src)].concat();
    if let Some(vlan) = args.vlan.filter(|vlan| *vlan > 0) {
        bytes.extend(EtherType::C_TAG.0.to_be_bytes());
        bytes.extend(vlan.to_be_bytes());
    }
    let ethertype = args.ethertype.unwrap_or(EtherType::IPV4.0);
    bytes.extend(ethertype.to_be_bytes());
    let length = usize::try_from(args.length.unwrap_or(SHORT)).unwrap_or(usize::MAX);
    bytes.resize(length.max(bytes.len()), 0);
    bytes
}

/// Packet `number` of a file, from 1 on.
fn read(path: &Path, number: u64) -> anyhow::Result<Packet> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    find(file, BUFFER, path, number)
}

/// The same of what is in the file at `path`, with room for blocks of this size.
fn find(file: impl Read + Send, room: usize, path: &Path, number: u64) -> anyhow::Result<Packet> {
    let shown = path.display();
    let mut reader = match create_reader(room, file) {
        Ok(reader) => reader,
        Err(error) => bail!("{shown} is neither pcap nor pcapng: {}", why(&error)),
    };
    let mut packets = Packets::default();
    loop {
        match reader.next() {
            Ok((used, block)) => {
                if let Some(packet) = packets.take(&block)? {
                    packets.count += 1;
                    if packets.count == number {
                        return packets.ethernet(packet, path);
                    }
                }
                reader.consume(used);
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::Incomplete(_)) => {
                if reader.refill().is_err() || reader.reader_exhausted() {
                    break;
                }
            }
            Err(error) => bail!(
                "{shown} is damaged after packet {}: {}",
                packets.count,
                why(&error)
            ),
        }
    }
    bail!(
        "{shown} has {} packets, and no number {number}",
        packets.count
    )
}

/// What the library says, without the bytes that it says it of.
fn why<I: Sized>(error: &PcapError<I>) -> String {
    match error {
        PcapError::Eof | PcapError::UnexpectedEof => "it ends too early".to_owned(),
        PcapError::BufferTooSmall | PcapError::Incomplete(_) => "a block is too long".to_owned(),
        PcapError::ReadError => "it cannot be read".to_owned(),
        _ => "its blocks are not as they should be".to_owned(),
    }
}

/// What is known of a file so far.
#[derive(Default)]
struct Packets {
    count: u64,
    /// Kinds and names of the interfaces; of a pcap file there is one without a name.
    interfaces: Vec<(Linktype, Option<String>)>,
}

/// A packet, and the number of its interface.
type Numbered = (Packet, usize);

impl Packets {
    fn take(&mut self, block: &PcapBlockOwned<'_>) -> anyhow::Result<Option<Numbered>> {
        Ok(match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.interfaces.push((header.network, None));
                None
            }
            PcapBlockOwned::Legacy(block) => Some((whole(block.data, block.origlen, 0), 0)),
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.interfaces.clear();
                None
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(block)) => {
                let name = block.if_name().and_then(Result::ok).map(str::to_owned);
                self.interfaces.push((block.linktype, name));
                None
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                let flags = block.options.iter().find(|option| option.code.0 == 2);
                let flags = flags.and_then(|option| option.value.first_chunk::<4>());
                let flags = flags.map_or(0, |bytes| {
                    if block.big_endian() {
                        u32::from_be_bytes(*bytes)
                    } else {
                        u32::from_le_bytes(*bytes)
                    }
                });
                let interface = usize::try_from(block.if_id)?;
                Some((whole(block.packet_data(), block.origlen, flags), interface))
            }
            PcapBlockOwned::NG(Block::SimplePacket(block)) => {
                Some((whole(block.packet_data(), block.origlen, 0), 0))
            }
            PcapBlockOwned::NG(_) => None,
        })
    }

    fn ethernet(&self, packet: Numbered, path: &Path) -> anyhow::Result<Packet> {
        let (mut packet, interface) = packet;
        let number = self.count;
        let Some((kind, name)) = self.interfaces.get(interface) else {
            bail!(
                "{} does not describe the interface of packet {number}",
                path.display()
            );
        };
        if *kind != Linktype::ETHERNET {
            bail!("packet {number} of {} is no Ethernet frame", path.display());
        }
        // One that went out came in elsewhere.
        let is_outbound = packet.flags & 3 == flag::OUTBOUND;
        packet.interface = name.clone().filter(|_| !is_outbound);
        Ok(packet)
    }
}

/// A packet of its full length: what was cut off is of no concern to a switch.
fn whole(data: &[u8], len: u32, flags: u32) -> Packet {
    let mut bytes = data.to_vec();
    let len = usize::try_from(len.min(LONGEST)).unwrap_or(0);
    bytes.resize(bytes.len().max(len), 0);
    Packet {
        bytes,
        interface: None,
        flags,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::pcapng;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn a_packet_of_a_capture_knows_its_port() {
        let mut out = Vec::new();
        pcapng::section(&mut out);
        pcapng::interface(&mut out, "mario-vsw", None, 10);
        for flags in [flag::OUTBOUND, flag::INBOUND | flag::TO_BE_SEGMENTED] {
            let packet = pcapng::Packet {
                interface: 0,
                time: Duration::ZERO,
                len: 20,
                bytes: b"0123456789",
                flags,
                lost_before: 0,
                comments: &[],
            };
            pcapng::packet(&mut out, &packet);
        }
        let file = file(&out);
        let packet = read(file.path(), 2).unwrap();
        assert_eq!(packet.interface.as_deref(), Some("mario-vsw"));
        assert_eq!(packet.bytes, b"0123456789\0\0\0\0\0\0\0\0\0\0");
        assert!(packet.flags & flag::TO_BE_SEGMENTED != 0);
        assert_eq!(read(file.path(), 1).unwrap().interface, None, "it went out");
        let error = read(file.path(), 3).unwrap_err().to_string();
        assert!(error.ends_with("has 2 packets, and no number 3"), "{error}");
    }

    #[test]
    fn a_pcap_file_is_read_in_either_order_of_bytes() {
        for (magic, number) in [
            (
                0xa1b2_c3d4_u32.to_be_bytes(),
                u32::to_be_bytes as fn(u32) -> [u8; 4],
            ),
            (0xa1b2_c3d4_u32.to_le_bytes(), u32::to_le_bytes),
        ] {
            let mut out = magic.to_vec();
            out.extend(match number(1) {
                [1, ..] => [2, 0, 4, 0],
                _ => [0, 2, 0, 4],
            });
            for field in [0, 0, 65_535, 1, 7, 8, 4, 4] {
                out.extend(number(field));
            }
            out.extend(*b"abcd");
            assert_eq!(read(file(&out).path(), 1).unwrap().bytes, b"abcd");
        }
    }

    #[test]
    fn what_is_no_capture_is_told_in_a_sentence() {
        for bytes in [
            &b""[..],
            b"x",
            b"hello, this is no capture at all",
            &[0; 100],
        ] {
            let error = read(file(bytes).path(), 1).unwrap_err().to_string();
            assert!(!error.contains('\n') && error.len() < 200, "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_file_makes_it_panic(bytes: Vec<u8>, start in 0..3_usize) {
            let mut out = Vec::new();
            match start {
                0 => pcapng::section(&mut out),
                1 => out.extend(0xa1b2_c3d4_u32.to_le_bytes()),
                _ => {}
            }
            out.extend(bytes);
            let _ = find(&out[..], 4096, Path::new("f"), 1);
        }
    }
}
