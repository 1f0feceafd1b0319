//! pcapng files (draft-ietf-opsawg-pcapng): what the daemon writes and the commands read.
//!
//! The blocks are written in this machine's order of bytes, which each section tells.

pub(crate) mod file;
mod frame;
pub(crate) mod link_type;
mod read;
mod write;

pub(crate) use frame::{Frame, Interface, Told, read};
pub(crate) use read::{BlockError, Blocks, split_first};
pub(crate) use write::{Packet, Statistics, interface, packet, section, statistics};

/// Section header block.
pub(crate) const SECTION: u32 = 0x0a0d_0d0a;
/// Interface description block.
pub(crate) const INTERFACE: u32 = 1;
/// Interface statistics block.
pub(crate) const STATISTICS: u32 = 5;
/// Enhanced packet block.
pub(crate) const PACKET: u32 = 6;

/// Bits of `epb_flags`.
pub(crate) mod flag {
    /// The frame came in.
    pub(crate) const INBOUND: u32 = 1;
    /// The frame went out.
    pub(crate) const OUTBOUND: u32 = 2;
    /// Its destination is one station.
    pub(crate) const UNICAST: u32 = 1 << 2;
    /// Its destination is a group.
    pub(crate) const MULTICAST: u32 = 2 << 2;
    /// Its destination is everybody.
    pub(crate) const BROADCAST: u32 = 3 << 2;
    /// Its checksum is still to be filled in.
    pub(crate) const CHECKSUM_NOT_READY: u32 = 1 << 9;
    /// Its checksum was verified.
    pub(crate) const CHECKSUM_VALID: u32 = 1 << 10;
    /// It is still to be cut into segments.
    pub(crate) const TO_BE_SEGMENTED: u32 = 1 << 11;
}

/// Numbers of options.
pub(crate) mod option {
    /// The last one.
    pub(crate) const END: u16 = 0;
    /// A comment, in any block.
    pub(crate) const COMMENT: u16 = 1;
    /// Of a section: the operating system.
    pub(crate) const SHB_OS: u16 = 3;
    /// Of a section: the program.
    pub(crate) const SHB_USERAPPL: u16 = 4;
    /// Of an interface.
    pub(crate) const IF_NAME: u16 = 2;
    /// Of an interface.
    pub(crate) const IF_DESCRIPTION: u16 = 3;
    /// Of an interface: the unit of its time stamps.
    pub(crate) const IF_TSRESOL: u16 = 9;
    /// Of an interface: the length of its frame check sequences.
    pub(crate) const IF_FCSLEN: u16 = 13;
    /// Of a packet.
    pub(crate) const EPB_FLAGS: u16 = 2;
    /// Of a packet: how many were lost before it.
    pub(crate) const EPB_DROPCOUNT: u16 = 4;
    /// Of statistics.
    pub(crate) const ISB_STARTTIME: u16 = 2;
    /// Of statistics.
    pub(crate) const ISB_ENDTIME: u16 = 3;
    /// Of statistics.
    pub(crate) const ISB_IFRECV: u16 = 4;
    /// Of statistics.
    pub(crate) const ISB_IFDROP: u16 = 5;
    /// Of statistics.
    pub(crate) const ISB_FILTERACCEPT: u16 = 6;
    /// Of statistics.
    pub(crate) const ISB_USRDELIV: u16 = 8;
}
