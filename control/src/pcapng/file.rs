//! Captures as files, as tcpdump and Wireshark write them: pcap (draft-ietf-opsawg-pcap) in both orders of
//! bytes, with micro- or nanoseconds, also as Kuznetzov has changed it; pcapng
//! (draft-ietf-opsawg-pcapng) with any number of sections and interfaces.
//!
//! A file may be cut off anywhere, and say anything of itself: what is whole in it is given, and nothing is
//! allocated that has not been read.

use std::io::{self, Read};

use pcap_parser::parse_pcap_header;
use pcap_parser::pcapng::{Block, InterfaceDescriptionBlock, parse_block_be, parse_block_le};

use super::{SECTION, option};

/// The longest record that is taken for one (`MAX_BLOCKSIZE` of libpcap).
const LONGEST: usize = 16 << 20;
/// How much is asked for at once.
pub const CHUNK: usize = 64 * 1024;
/// The header of a pcap file.
const HEADER: usize = 24;
/// Kuznetzov's magic number.
const MODIFIED: u32 = 0xa1b2_cd34;
/// What follows the header of a record in Kuznetzov's format: interface, protocol, packet type, and a
/// byte of padding.
const MODIFIED_MORE: usize = 8;
/// What stands in a section header in the order of bytes of its section.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// The packet block, which nobody writes any more.
const OLD_PACKET: u32 = 2;
/// How compressed files begin, and what makes files of them.
const COMPRESSED: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "gunzip"),
    (b"\x28\xb5\x2f\xfd", "unzstd"),
    (b"\xfd7zXZ\0", "unxz"),
    (b"BZh", "bunzip2"),
    (b"\x04\x22\x4d\x18", "unlz4"),
];

/// Why there is no further packet.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// There is nothing in it.
    #[error("is empty: there is no packet in it")]
    Empty,
    /// It is something else.
    #[error("is neither pcap nor pcapng: it begins with the bytes {0}")]
    Other(String),
    /// It is compressed.
    #[error("is compressed: unpack it with '{0}' first")]
    Compressed(&'static str),
    /// It ends inside its own header.
    #[error("is cut off inside its header, after {at} bytes: there is no whole packet in it")]
    NoHeader {
        /// Its length.
        at: u64,
    },
    /// It ends inside a record.
    #[error(
        "is cut off at byte {at}, where {missing} more bytes of a record should follow: {packets} packets before \
         that are whole"
    )]
    Cut {
        /// Whole packets before that.
        packets: u64,
        /// Its length.
        at: u64,
        /// What is missing, as far as it is known.
        missing: usize,
    },
    /// A record is not what it should be.
    #[error("is damaged at byte {at}, after {packets} whole packets: {why}")]
    Damaged {
        /// Whole packets before that.
        packets: u64,
        /// Where the record begins.
        at: u64,
        /// What is wrong.
        why: String,
    },
}

/// A packet of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured<'a> {
    /// What there is of it, without a frame check sequence.
    pub bytes: &'a [u8],
    /// Its length before it was cut.
    pub len: u32,
    /// See [`super::flag`].
    pub flags: u32,
    /// What it begins with: a `LINKTYPE_`.
    pub link: u16,
    /// Its interface, where the file names it.
    pub interface: Option<&'a str>,
}

/// An interface of a file.
#[derive(Debug)]
struct Interface {
    link: u16,
    name: Option<String>,
    /// The longest that is kept of a packet; 0 for all of it.
    snaplen: u32,
    /// The length of the frame check sequence behind each packet.
    fcs: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Classic { big: bool, modified: bool },
    Blocks { big: bool },
}

/// A packet in the buffer.
struct Place {
    start: usize,
    captured: usize,
    len: u32,
    flags: u32,
    interface: usize,
}

/// A file that is read packet by packet.
#[derive(Debug)]
pub struct CaptureFile<R> {
    stream: R,
    buffer: Vec<u8>,
    /// So much of the buffer has been handed out.
    used: usize,
    /// Where the buffer begins in the file.
    offset: u64,
    format: Format,
    interfaces: Vec<Interface>,
    packets: u64,
}

impl<R: Read> CaptureFile<R> {
    /// Bytes of memory that it holds.
    pub fn buffered(&self) -> usize {
        self.buffer.capacity()
    }

    /// Looks at what kind of file it is.
    ///
    /// # Errors
    /// Where it is none of those that are read.
    pub fn open(stream: R) -> Result<Self, FileError> {
        let mut file = Self {
            stream,
            buffer: Vec::new(),
            used: 0,
            offset: 0,
            format: Format::Blocks { big: false },
            interfaces: Vec::new(),
            packets: 0,
        };
        file.fill(HEADER)?;
        let Some(magic) = file.buffer.first_chunk::<4>() else {
            return Err(match file.buffer.len() {
                0 => FileError::Empty,
                _ => other(&file.buffer),
            });
        };
        if u32::from_le_bytes(*magic) == SECTION {
            return Ok(file);
        }
        file.classic(u32::from_le_bytes(*magic))?;
        Ok(file)
    }

    /// Reads the header of a pcap file.
    fn classic(&mut self, magic: u32) -> Result<(), FileError> {
        let modified = [MODIFIED, MODIFIED.swap_bytes()].contains(&magic);
        let mut header = self.buffer.get(..HEADER).map(<[u8]>::to_vec);
        if let Some(header) = header.as_mut().filter(|_| modified) {
            // The fields are the ordinary ones; the library knows one of the two orders alone.
            let plain = 0xa1b2_c3d4_u32;
            let bytes = if magic == MODIFIED {
                plain.to_le_bytes()
            } else {
                plain.to_be_bytes()
            };
            header[..4].copy_from_slice(&bytes);
        }
        let known = [0xa1b2_c3d4, 0xa1b2_3c4d, MODIFIED];
        if !known
            .iter()
            .any(|known| [*known, known.swap_bytes()].contains(&magic))
        {
            return Err(other(&self.buffer));
        }
        let at = self.buffer.len() as u64;
        let parsed = header.as_deref().map(parse_pcap_header);
        let Some(Ok((_, header))) = parsed else {
            return Err(FileError::NoHeader { at });
        };
        let field = header.network.0.cast_unsigned();
        self.interfaces.push(Interface {
            link: low_half(field),
            name: None,
            snaplen: 0,
            fcs: fcs_of_link_type(field),
        });
        self.format = Format::Classic {
            big: header.is_bigendian(),
            modified,
        };
        self.used = HEADER;
        Ok(())
    }

    /// The next packet; none at the end.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn next_packet(&mut self) -> Result<Option<Captured<'_>>, FileError> {
        let place = loop {
            self.offset += self.used as u64;
            self.buffer.drain(..self.used);
            self.used = 0;
            self.fill(1)?;
            if self.buffer.is_empty() {
                return Ok(None);
            }
            let place = match self.format {
                Format::Classic { big, modified } => Some(self.record(big, modified)?),
                Format::Blocks { .. } => self.block()?,
            };
            if let Some(place) = place {
                break place;
            }
        };
        let Some(interface) = self.interfaces.get(place.interface) else {
            return Err(self.damaged("the interface of its next packet is not described"));
        };
        self.packets += 1;
        let fcs = match place.flags >> 5 & 0xf {
            0 => interface.fcs,
            of_packet => of_packet,
        };
        let len = place.len.saturating_sub(fcs);
        let captured = place
            .captured
            .min(usize::try_from(len).unwrap_or(usize::MAX));
        Ok(Some(Captured {
            bytes: &self.buffer[place.start..place.start + captured],
            len,
            flags: place.flags,
            link: interface.link,
            interface: interface.name.as_deref(),
        }))
    }

    /// Takes a record of a pcap file off.
    fn record(&mut self, big: bool, modified: bool) -> Result<Place, FileError> {
        let more = if modified { MODIFIED_MORE } else { 0 };
        self.need(16 + more)?;
        let number = number(big);
        let field = |at: usize| {
            self.buffer[at..]
                .first_chunk()
                .map_or(0, |four| number(*four))
        };
        let (mut captured, mut len) = (field(8), field(12));
        if captured > len {
            // As files of before 1998 have it.
            std::mem::swap(&mut captured, &mut len);
        }
        let length = usize::try_from(captured).unwrap_or(usize::MAX);
        if length > LONGEST {
            return Err(self.damaged(&format!("its next packet would have {captured} bytes")));
        }
        let start = 16 + more;
        self.need(start + length)?;
        self.used = start + length;
        Ok(Place {
            start,
            captured: length,
            len,
            flags: 0,
            interface: 0,
        })
    }

    /// Takes a block of a pcapng file off; the packet that is in it, if there is one.
    fn block(&mut self) -> Result<Option<Place>, FileError> {
        self.need(12)?;
        let field = |at: usize| self.buffer[at..].first_chunk().copied().unwrap_or_default();
        let [first, second, third] = [0, 4, 8].map(field);
        if u32::from_le_bytes(first) == SECTION {
            self.section(third)?;
        }
        let big = self.format == Format::Blocks { big: true };
        let number = number(big);
        let (kind, len) = (number(first), number(second));
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len < 12 || !len.is_multiple_of(4) || len > LONGEST {
            return Err(self.damaged(&format!("its next block would have {len} bytes")));
        }
        self.need(len)?;
        self.used = len;
        if kind == OLD_PACKET {
            return self.old_packet(big, len);
        }
        let parse = if big { parse_block_be } else { parse_block_le };
        let block = &self.buffer[..len];
        let at = |data: &[u8]| data.as_ptr().addr() - block.as_ptr().addr();
        match parse(block) {
            Ok((_, Block::InterfaceDescription(block))) => {
                let interface = described(&block);
                self.interfaces.push(interface);
                Ok(None)
            }
            Ok((_, Block::EnhancedPacket(packet))) => {
                let flags = packet
                    .options
                    .iter()
                    .find(|has| has.code.0 == option::EPB_FLAGS);
                let flags = flags.and_then(|has| has.value.first_chunk().copied());
                Ok(Some(Place {
                    start: at(packet.data),
                    captured: bounded(packet.caplen, packet.data),
                    len: packet.origlen.max(packet.caplen),
                    flags: flags.map_or(0, number),
                    interface: usize::try_from(packet.if_id).unwrap_or(usize::MAX),
                }))
            }
            Ok((_, Block::SimplePacket(packet))) => {
                let kept = self.interfaces.first().map_or(0, |first| first.snaplen);
                let kept = if kept == 0 { u32::MAX } else { kept };
                Ok(Some(Place {
                    start: at(packet.data),
                    captured: bounded(packet.origlen.min(kept), packet.data),
                    len: packet.origlen,
                    flags: 0,
                    interface: 0,
                }))
            }
            Ok(_) => Ok(None),
            Err(_) => {
                self.used = 0;
                Err(self.damaged("a block is not as it should be"))
            }
        }
    }

    /// Begins a section whose byte order is told by these bytes.
    fn section(&mut self, order: [u8; 4]) -> Result<(), FileError> {
        let big = match order {
            order if u32::from_be_bytes(order) == BYTE_ORDER => true,
            order if u32::from_le_bytes(order) == BYTE_ORDER => false,
            _ => return Err(self.damaged("a section does not say its order of bytes")),
        };
        self.format = Format::Blocks { big };
        self.interfaces.clear();
        Ok(())
    }

    fn old_packet(&mut self, big: bool, block: usize) -> Result<Option<Place>, FileError> {
        /// What stands before the bytes of the packet.
        const START: usize = 28;
        if block < START + 4 {
            self.used = 0;
            return Err(self.damaged("a packet is shorter than its header"));
        }
        let number = number(big);
        let field = |at: usize| {
            self.buffer[at..]
                .first_chunk()
                .map_or(0, |four| number(*four))
        };
        let (captured, len) = (field(20), field(24));
        let interface = if big {
            field(8) >> 16
        } else {
            field(8) & 0xffff
        };
        Ok(Some(Place {
            start: START,
            captured: bounded(captured, &self.buffer[START..block - 4]),
            len: len.max(captured),
            flags: 0,
            interface: usize::try_from(interface).unwrap_or(usize::MAX),
        }))
    }

    /// Reads until there are `wanted` bytes in the buffer, which is not more than [`LONGEST`], or
    /// until the end.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        while self.buffer.len() < wanted {
            let filled = self.buffer.len();
            self.buffer.resize(filled + CHUNK, 0);
            let read = loop {
                match self.stream.read(&mut self.buffer[filled..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            self.buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// The same, where it is an error that the file ends before.
    fn need(&mut self, wanted: usize) -> Result<(), FileError> {
        self.fill(wanted)?;
        match wanted.checked_sub(self.buffer.len()) {
            None | Some(0) => Ok(()),
            Some(missing) => Err(FileError::Cut {
                packets: self.packets,
                at: self.offset + self.buffer.len() as u64,
                missing,
            }),
        }
    }

    fn damaged(&self, why: &str) -> FileError {
        FileError::Damaged {
            packets: self.packets,
            at: self.offset,
            why: why.to_owned(),
        }
    }
}

fn described(block: &InterfaceDescriptionBlock<'_>) -> Interface {
    let name = block.if_name().and_then(Result::ok).map(str::to_owned);
    let fcs = block
        .options
        .iter()
        .find(|has| has.code.0 == option::IF_FCSLEN);
    let fcs = fcs.and_then(|has| has.value.first()).copied();
    Interface {
        link: low_half(block.linktype.0.cast_unsigned()),
        name,
        snaplen: block.snaplen,
        // In bits, by the letter; programs write octets.
        fcs: match fcs.unwrap_or(0) {
            octets @ 0..16 => octets.into(),
            bits => u32::from(bits) / 8,
        },
    }
}

/// The upper bits of the link type in the header of a pcap file (draft-ietf-opsawg-pcap, 4): the
/// length of the frame check sequence in units of 16 bits, where the bit P says that it is known.
fn fcs_of_link_type(field: u32) -> u32 {
    const P: u32 = 1 << 26;
    if field & P == 0 { 0 } else { (field >> 28) * 2 }
}

fn low_half(field: u32) -> u16 {
    let [_, _, high, low] = field.to_be_bytes();
    u16::from_be_bytes([high, low])
}

fn number(big: bool) -> fn([u8; 4]) -> u32 {
    if big {
        u32::from_be_bytes
    } else {
        u32::from_le_bytes
    }
}

fn bounded(captured: u32, data: &[u8]) -> usize {
    usize::try_from(captured).map_or(data.len(), |captured| captured.min(data.len()))
}

fn other(bytes: &[u8]) -> FileError {
    let compressed = COMPRESSED
        .iter()
        .find(|(magic, _)| bytes.starts_with(magic));
    if let Some((_, program)) = compressed {
        return FileError::Compressed(program);
    }
    let first: Vec<String> = bytes
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    FileError::Other(first.join(" "))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
