//! Why frames are dropped: one table, from which counters, metrics, `show`, `explain`, captures and
//! docs/drop-reasons.md are derived.

use std::fmt;

/// The port at which a dropped frame is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedAt {
    /// The port on which it arrived.
    Ingress,
    /// The port out of which it was to be sent.
    Egress,
}

/// The component that drops a frame and counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedBy {
    /// The bridge, by its verdict.
    Bridge,
    /// The port, when it fails to receive or send the frame.
    Port,
    /// The kernel, outside the switch; the program that reads the interface's counters counts it.
    Interface,
}

/// Declares the reasons. To add one, add a line at the end and count it where it occurs.
macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $at:ident, $by:ident, $meaning:literal;)+) => {
        /// Why a frame, or one copy of a flooded frame, was dropped. Each reason has its own
        /// counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum DropReason {
            $(
                #[doc = concat!("`", $name, "`: ", $meaning, ".")]
                $(#[$doc])*
                $variant,
            )+
        }

        impl DropReason {
            /// Every reason, in the order of the counters.
            pub const ALL: [Self; [$(Self::$variant),+].len()] = [$(Self::$variant),+];

            /// Returns the name of the counter: stable, in snake case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns the meaning, in a few words.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// Returns the port at which it is counted.
            #[must_use]
            pub const fn counted_at(self) -> CountedAt {
                match self { $(Self::$variant => CountedAt::$at,)+ }
            }

            /// Returns the component that drops the frame and counts it.
            #[must_use]
            pub const fn counted_by(self) -> CountedBy {
                match self { $(Self::$variant => CountedBy::$by,)+ }
            }
        }
    };
}

#[rustfmt::skip]
drop_reasons! {
    Runt, "runt", Ingress, Bridge,
        "shorter than an Ethernet header";
    SourceMulticast, "source_multicast", Ingress, Bridge,
        "its source is a group address";
    SourceZero, "source_zero", Ingress, Bridge,
        "its source is the all-zero address";
    ReservedDestination, "reserved_destination", Ingress, Bridge,
        "its destination is reserved for the link (see run --forward-reserved)";
    IngressDown, "ingress_down", Ingress, Bridge,
        "the ingress port was not forwarding";
    SamePort, "same_port", Ingress, Bridge,
        "its destination is on the port it came from";
    NoEgress, "no_egress", Ingress, Bridge,
        "no other port is forwarding";
    RxOverflow, "rx_overflow", Ingress, Port,
        "the port's receive ring was full (run --ring-slots)";
    RxTruncated, "rx_truncated", Ingress, Port,
        "longer than the receive buffer";
    RxUnsupportedOffload, "rx_unsupported_offload", Ingress, Port,
        "the kernel could not describe its offload";
    RxError, "rx_error", Ingress, Port,
        "could not be received";
    /// Where the bridge knew that before (the station is bound to that port by hand), it is counted at
    /// the ingress port: the frame was not tried.
    EgressDown, "egress_down", Egress, Port,
        "the port was down or gone";
    EgressFull, "egress_full", Egress, Port,
        "the port, or the queue behind it, was full";
    EgressTooBig, "egress_too_big", Egress, Port,
        "longer than the port's MTU";
    EgressOffload, "egress_offload", Egress, Port,
        "its checksum or segments could not be finished";
    EgressError, "egress_error", Egress, Port,
        "could not be sent";
    StormBroadcast, "storm_broadcast", Ingress, Bridge,
        "over the port's limit of broadcasts";
    StormMulticast, "storm_multicast", Ingress, Bridge,
        "over the port's limit of frames to groups";
    StormUnknownUnicast, "storm_unknown_unicast", Ingress, Bridge,
        "over the port's limit of frames to unknown stations";
    /// Not counted any more: such frames pass.
    StationFlapping, "station_flapping", Ingress, Bridge,
        "its source moved too often and was held on another port";
    /// The ingress port, or that to which the station is bound by hand.
    LoopBlocked, "loop_blocked", Ingress, Bridge,
        "the port is blocked because it is part of a loop";
    LoopProbe, "loop_probe", Ingress, Bridge,
        "a loop probe that came back or passed before";
    EgressPeerMtu, "egress_peer_mtu", Egress, Port,
        "longer than the other end of the cable accepts";
    EgressNoMemory, "egress_no_memory", Egress, Port,
        "the kernel had no memory for it";
    /// The kernel's answer is that of a full queue: the program that reads the interface's own counters
    /// tells the two apart.
    EgressFiltered, "egress_filtered", Egress, Interface,
        "dropped by a queueing discipline or filter of the interface (tc, nft)";
    RxBacklog, "rx_backlog", Ingress, Interface,
        "the kernel's backlog was full (net.core.netdev_max_backlog)";
    RxTooLong, "rx_too_long", Ingress, Interface,
        "longer than the port accepts: the MTU of the other end is larger";
    RxLost, "rx_lost", Ingress, Interface,
        "lost before the switch: too long for the port, or the kernel's backlog was full";
}

impl DropReason {
    /// Looks up a reason by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
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
    fn counters_follow_the_table_and_names_are_unique() {
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason}");
            assert_eq!(DropReason::named(reason.as_str()), Some(reason));
        }
    }
}
