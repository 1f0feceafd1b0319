//! Checked views of bytes from the wire: no allocation, no panic.

mod ethernet;
mod mac;
mod offload;
mod vlan;

pub use ethernet::{EtherType, EthernetFrame, HEADER_LEN, Runt};
pub use mac::{MacAddr, ParseMacError};
pub use offload::{Offload, Segmentation};
pub use vlan::{TAG_LEN, VlanId, VlanTag};
