//! What becomes of a frame.

use crate::frame::{DropReason, PortId};

/// What the bridge decided about one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Out of this one port.
    Forward(PortId),
    /// Out of every forwarding port but the one it came in by.
    Flood,
    /// Nowhere, for this reason.
    Drop(DropReason),
}
