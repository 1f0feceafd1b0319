//! pcapng files (draft-ietf-opsawg-pcapng): what the daemon writes and the commands read.
//!
//! The blocks are written in this machine's order of bytes, which each section tells.

pub mod file;
mod frame;
pub mod link_type;
mod read;
#[doc(hidden)]
pub mod trial;
mod write;

pub use frame::{Frame, Interface, Told, read};
pub use read::{BlockError, Blocks, split_first};
pub use write::{Packet, Statistics, interface, packet, section, statistics};

/// Section header block.
pub const SECTION: u32 = 0x0a0d_0d0a;
/// Interface description block.
pub const INTERFACE: u32 = 1;
/// Interface statistics block.
pub const STATISTICS: u32 = 5;
/// Enhanced packet block.
pub const PACKET: u32 = 6;

/// Bits of `epb_flags`.
pub mod flag {
    /// The frame came in.
    pub const INBOUND: u32 = 1;
    /// The frame went out.
    pub const OUTBOUND: u32 = 2;
    /// Its destination is one station.
    pub const UNICAST: u32 = 1 << 2;
    /// Its destination is a group.
    pub const MULTICAST: u32 = 2 << 2;
    /// Its destination is everybody.
    pub const BROADCAST: u32 = 3 << 2;
    /// Its checksum is still to be filled in.
    pub const CHECKSUM_NOT_READY: u32 = 1 << 9;
    /// Its checksum was verified.
    pub const CHECKSUM_VALID: u32 = 1 << 10;
    /// It is still to be cut into segments.
    pub const TO_BE_SEGMENTED: u32 = 1 << 11;
}

/// Numbers of options.
pub mod option {
    /// The last one.
    pub const END: u16 = 0;
    /// A comment, in any block.
    pub const COMMENT: u16 = 1;
    /// Of a section: the operating system.
    pub const SHB_OS: u16 = 3;
    /// Of a section: the program.
    pub const SHB_USERAPPL: u16 = 4;
    /// Of an interface.
    pub const IF_NAME: u16 = 2;
    /// Of an interface.
    pub const IF_DESCRIPTION: u16 = 3;
    /// Of an interface: the unit of its time stamps.
    pub const IF_TSRESOL: u16 = 9;
    /// Of an interface: the length of its frame check sequences.
    pub const IF_FCSLEN: u16 = 13;
    /// Of a packet.
    pub const EPB_FLAGS: u16 = 2;
    /// Of a packet: how many were lost before it.
    pub const EPB_DROPCOUNT: u16 = 4;
    /// Of statistics.
    pub const ISB_STARTTIME: u16 = 2;
    /// Of statistics.
    pub const ISB_ENDTIME: u16 = 3;
    /// Of statistics.
    pub const ISB_IFRECV: u16 = 4;
    /// Of statistics.
    pub const ISB_IFDROP: u16 = 5;
    /// Of statistics.
    pub const ISB_FILTERACCEPT: u16 = 6;
    /// Of statistics.
    pub const ISB_USRDELIV: u16 = 8;
}
