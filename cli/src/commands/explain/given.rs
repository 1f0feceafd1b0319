//! The frame that is to be explained.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use vswitch_switch::frame::EtherType;

use crate::args::ExplainArgs;
use crate::commands::WrongUsage;
use vswitch_control::pcapng::file::{CaptureFile, Captured};
use vswitch_control::pcapng::{flag, link_type};
use vswitch_control::values;

/// The length of a frame that is given by its addresses: the shortest on a wire.
const SHORT: u32 = 60;
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
    let mac = |mac: Option<vswitch_switch::frame::MacAddr>| mac.unwrap_or_default().0;
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
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
    find(file, number).map_err(|error| anyhow!("{shown} {error}"))
}

/// The same of what is in a file.
fn find(file: impl Read, number: u64) -> anyhow::Result<Packet> {
    let mut file = CaptureFile::open(file)?;
    let mut count = 0;
    while let Some(packet) = file.next_packet()? {
        count += 1;
        if count == number {
            return ethernet(&packet, number);
        }
    }
    bail!("has {count} packets, and no number {number}")
}

fn ethernet(packet: &Captured<'_>, number: u64) -> anyhow::Result<Packet> {
    if packet.link != link_type::ETHERNET {
        bail!(
            "has other frames than those of Ethernet: the link type of packet {number} is {}{}",
            link_type::name(packet.link),
            link_type::remedy(packet.link)
        );
    }
    // One that went out came in elsewhere.
    let is_outbound = packet.flags & 3 == flag::OUTBOUND;
    Ok(Packet {
        bytes: whole(packet.bytes, packet.len),
        interface: packet.interface.filter(|_| !is_outbound).map(str::to_owned),
        flags: packet.flags,
    })
}

/// A packet of its full length: what was cut off is of no concern to a switch.
fn whole(data: &[u8], len: u32) -> Vec<u8> {
    let mut bytes = data.to_vec();
    let len = usize::try_from(len.min(LONGEST)).unwrap_or(0);
    bytes.resize(bytes.len().max(len), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use vswitch_control::pcapng;

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
    fn what_is_no_capture_or_of_no_ethernet_is_told_in_a_sentence() {
        for bytes in [
            &b""[..],
            b"x",
            b"hello, this is no capture at all",
            &[0; 100],
        ] {
            let error = read(file(bytes).path(), 1).unwrap_err().to_string();
            assert!(!error.contains('\n') && error.len() < 200, "{error}");
        }
        let mut out = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
        out.extend([2, 0, 4, 0]);
        for field in [0, 0, 65_535, 113_u32, 7, 8, 4, 4] {
            out.extend(field.to_le_bytes());
        }
        out.extend(*b"abcd");
        let error = read(file(&out).path(), 1).unwrap_err().to_string();
        assert!(
            error.contains("LINKTYPE_LINUX_SLL (113)") && error.contains("'any'"),
            "{error}"
        );
    }
}
