//! Frame vocabulary of bridge and ports: frames, their headers, their ports and their drop reasons.
//!
//! Everything else in this crate builds on this module, and it builds on nothing else. It does no
//! I/O, does not allocate and does not panic, whatever the bytes.

mod batch;
mod counters;
mod drop_reason;
mod ethernet;
mod mac;
mod offload;
mod outcome;
mod port_id;
mod tag_action;
mod time;
mod vlan;

pub use batch::{BATCH, Batch, Frame, Selection, TagActions};
pub use counters::{Counters, Drops, Traffic};
pub use drop_reason::{CountedAt, CountedBy, DropReason};
pub use ethernet::{EtherType, EthernetFrame, HEADER_LEN, Runt};
pub use mac::{MacAddr, ParseMacError};
pub use offload::{Offload, Segmentation};
pub use outcome::Outcome;
pub use port_id::PortId;
pub(crate) use tag_action::MAX_HEAD_LEN;
pub use tag_action::{Edited, TagAction};
pub use time::Timestamp;
pub use vlan::{TAG_LEN, VlanId, VlanTag};
