//! The verdict about a frame.

use crate::frame::{DropReason, PortId};

/// What the bridge decided about one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it out of this port.
    Forward(PortId),
    /// Send it out of every forwarding port except the one on which it arrived.
    Flood,
    /// Drop it for this reason.
    Drop(DropReason),
}
