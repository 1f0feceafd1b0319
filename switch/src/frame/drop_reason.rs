//! Why frames go no further.

use std::fmt;

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
    // What could not leave; counted at the egress port.
    /// Longer than the interface at the other end of the cable takes.
    EgressPeerMtu,
    /// The kernel had no memory for it.
    EgressNoMemory,
    /// A queueing discipline or a filter of the interface dropped it. The kernel's answer is that of
    /// a full queue: the program that reads the interface's own counters tells the two apart.
    EgressFiltered,
    // What the kernel lost between the two ends of a cable; counted at the ingress port by the
    // program that reads the interface's own counters.
    /// The kernel's backlog was full.
    RxBacklog,
    /// Longer than the ingress port's interface takes.
    RxTooLong,
    /// One of the two, the counters do not tell which.
    RxLost,
}

impl DropReason {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 28] = [
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
        Self::EgressPeerMtu,
        Self::EgressNoMemory,
        Self::EgressFiltered,
        Self::RxBacklog,
        Self::RxTooLong,
        Self::RxLost,
    ];

    /// The name of the counter, stable, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.words().0
    }

    /// What it means, in a few words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.words().1
    }

    /// The reason of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// Its name and its meaning: the only place where they stand.
    #[rustfmt::skip]
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Runt => ("runt", "shorter than an Ethernet header"),
            Self::SourceMulticast => ("source_multicast", "sent from a group's address"),
            Self::SourceZero => ("source_zero", "sent from the all-zero address"),
            Self::ReservedDestination => ("reserved_destination",
                "meant for the link itself (see run --forward-reserved)"),
            Self::IngressDown => ("ingress_down", "came in while the port was not forwarding"),
            Self::SamePort => ("same_port", "its station is behind the port it came from"),
            Self::NoEgress => ("no_egress", "there was no other port to send it to"),
            Self::RxOverflow => ("rx_overflow",
                "the port's receive ring was full (run --ring-slots)"),
            Self::RxTruncated => ("rx_truncated", "longer than the receive buffer"),
            Self::RxUnsupportedOffload => ("rx_unsupported_offload",
                "its offload could not be described"),
            Self::RxError => ("rx_error", "could not be received"),
            Self::EgressDown => ("egress_down", "the port was down or gone"),
            Self::EgressFull => ("egress_full", "the port, or the queue behind it, was full"),
            Self::EgressTooBig => ("egress_too_big", "longer than the port's MTU"),
            Self::EgressOffload => ("egress_offload",
                "its checksum or segments could not be finished"),
            Self::EgressError => ("egress_error", "could not be sent"),
            Self::StormBroadcast => ("storm_broadcast", "more broadcasts than the port may let in"),
            Self::StormMulticast => ("storm_multicast",
                "more frames to groups than the port may let in"),
            Self::StormUnknownUnicast => ("storm_unknown_unicast",
                "more frames to unknown stations than the port may let in"),
            Self::StationFlapping => ("station_flapping",
                "its sender moved too often, and was held on another port"),
            Self::LoopBlocked => ("loop_blocked", "the port is blocked, being part of a loop"),
            Self::LoopProbe => ("loop_probe",
                "a probe for loops that came back, or had passed before"),
            Self::EgressPeerMtu => ("egress_peer_mtu",
                "longer than the other end of the cable takes"),
            Self::EgressNoMemory => ("egress_no_memory", "the kernel had no memory for it"),
            Self::EgressFiltered => ("egress_filtered",
                "dropped by a queueing discipline or filter of the interface (tc, nft)"),
            Self::RxBacklog => ("rx_backlog",
                "the kernel's backlog was full (net.core.netdev_max_backlog)"),
            Self::RxTooLong => ("rx_too_long",
                "longer than the port takes: the other end's MTU is larger"),
            Self::RxLost => ("rx_lost",
                "lost before the switch: too long for the port, or the kernel's backlog was full"),
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
