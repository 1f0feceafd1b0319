//! What becomes of a frame.

use std::fmt;

use super::PortId;

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

/// Why a frame, or one copy of a flooded frame, went no further. Each has its own counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DropReason {
    // What came in and may not pass; counted at the ingress port.
    /// Shorter than an Ethernet header.
    Runt,
    /// The source is a group address, broadcast included.
    SourceMulticast,
    /// The source is all zero.
    SourceZero,
    /// The destination is reserved for the link itself (`01-80-C2-00-00-00` to `-0F`).
    ReservedDestination,
    /// The ingress port is not forwarding.
    IngressDown,
    /// The destination is known to be behind the ingress port.
    SamePort,
    /// There is no other forwarding port to send it to.
    NoEgress,
    // What came in damaged or not at all; counted at the ingress port.
    /// The kernel's receive queue was full.
    RxOverflow,
    /// Longer than any receive buffer.
    RxTruncated,
    /// The kernel could not describe the sender's offload.
    RxUnsupportedOffload,
    /// Any other failure of receiving.
    RxError,
    // What could not leave; counted at the egress port.
    /// The egress port's link is down or gone. Where the bridge knew that before (the station is
    /// bound to that port by hand), it is counted at the ingress port: the frame was not tried.
    EgressDown,
    /// The egress port, or the station's queue behind it, was full.
    EgressFull,
    /// Longer than the egress port's MTU.
    EgressTooBig,
    /// Checksum or segmentation could not be finished in software.
    EgressOffload,
    /// Any other failure of sending.
    EgressError,
    // What came in and was too much, or harmful; counted at the ingress port.
    /// More broadcasts than the port may let in.
    StormBroadcast,
    /// More frames to groups than the port may let in.
    StormMulticast,
    /// More frames to unknown stations than the port may let in.
    StormUnknownUnicast,
    /// The source has moved too often, and is held on another port. Not counted any more: such
    /// frames pass.
    StationFlapping,
    /// The ingress port, or that to which the station is bound by hand, is blocked, being part of
    /// a loop.
    LoopBlocked,
    /// A probe for loops: one of this switch that came back, or one of another switch that passed
    /// before, or has to give way.
    LoopProbe,
}

impl DropReason {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 22] = [
        Self::Runt,
        Self::SourceMulticast,
        Self::SourceZero,
        Self::ReservedDestination,
        Self::IngressDown,
        Self::SamePort,
        Self::NoEgress,
        Self::RxOverflow,
        Self::RxTruncated,
        Self::RxUnsupportedOffload,
        Self::RxError,
        Self::EgressDown,
        Self::EgressFull,
        Self::EgressTooBig,
        Self::EgressOffload,
        Self::EgressError,
        Self::StormBroadcast,
        Self::StormMulticast,
        Self::StormUnknownUnicast,
        Self::StationFlapping,
        Self::LoopBlocked,
        Self::LoopProbe,
    ];

    /// The name of the counter, stable, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Runt => "runt",
            Self::SourceMulticast => "source_multicast",
            Self::SourceZero => "source_zero",
            Self::ReservedDestination => "reserved_destination",
            Self::IngressDown => "ingress_down",
            Self::SamePort => "same_port",
            Self::NoEgress => "no_egress",
            Self::RxOverflow => "rx_overflow",
            Self::RxTruncated => "rx_truncated",
            Self::RxUnsupportedOffload => "rx_unsupported_offload",
            Self::RxError => "rx_error",
            Self::EgressDown => "egress_down",
            Self::EgressFull => "egress_full",
            Self::EgressTooBig => "egress_too_big",
            Self::EgressOffload => "egress_offload",
            Self::EgressError => "egress_error",
            Self::StormBroadcast => "storm_broadcast",
            Self::StormMulticast => "storm_multicast",
            Self::StormUnknownUnicast => "storm_unknown_unicast",
            Self::StationFlapping => "station_flapping",
            Self::LoopBlocked => "loop_blocked",
            Self::LoopProbe => "loop_probe",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_reasons_follows_the_counters() {
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason}");
        }
    }
}
