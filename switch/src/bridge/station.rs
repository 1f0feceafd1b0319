//! What the outside sees of the forwarding database.

use std::time::Duration;

use super::PortId;
use crate::frame::{MacAddr, VlanId};

/// One entry of the forwarding database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// The VLAN it was seen in; [`VlanId::NONE`] for untagged frames, and for all frames where
    /// learning is shared.
    pub vlan: VlanId,
    /// Its address.
    pub mac: MacAddr,
    /// The port it is behind.
    pub port: PortId,
    /// How long nothing was heard from it; `None` for a static entry. At most 1/256 of the
    /// ageing time less than the truth, and never more than it.
    pub age: Option<Duration>,
}

/// Where a listing of stations goes on; the default is its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor(pub(super) u32);

/// Why a static entry was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StaticError {
    /// Groups have no place of their own.
    #[error("cannot add {0} as a station: it is a group address; give the address of one station")]
    GroupAddress(MacAddr),
    /// No station may use it.
    #[error("cannot add {0} as a station: no station may use that address; give another")]
    ZeroAddress(MacAddr),
    /// There is no such port.
    #[error("cannot add {0} as a station: the switch has no port {1}; add the port first")]
    UnknownPort(MacAddr, PortId),
    /// Static entries alone fill the table.
    #[error(
        "cannot add {0} as a station: all {1} places of the table hold static entries; \
         remove one or raise the limit"
    )]
    TableFull(MacAddr, usize),
}
