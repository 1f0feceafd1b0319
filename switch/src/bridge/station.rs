//! The public view of the forwarding database.

use std::time::Duration;

use super::PortId;
use crate::frame::{MacAddr, VlanId};

/// One entry of the forwarding database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// The VLAN in which it was seen; [`VlanId::NONE`] for untagged frames, and for all frames if
    /// learning is shared.
    pub vlan: VlanId,
    /// Its address.
    pub mac: MacAddr,
    /// The port on which it was seen.
    pub port: PortId,
    /// How long it has been silent; `None` for a static entry. Exact or up to 1/256 of the ageing
    /// time too small.
    pub age: Option<Duration>,
}

/// The position at which a listing of stations continues; the default is the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor(pub(super) u32);

/// Reports why a static entry was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StaticError {
    /// A group address is not a station.
    #[error("cannot add {0} as a station: it is a group address; give the address of one station")]
    GroupAddress(MacAddr),
    /// No station can have this address.
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
