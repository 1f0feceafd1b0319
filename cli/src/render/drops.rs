//! Drops by reason, in words.

use super::table::{Column, WARNING, paint, table};
use super::units::count;
use crate::protocol::PortView;

/// What a reason means. A daemon of another version may know more of them.
pub(crate) fn meaning(reason: &str) -> &'static str {
    match reason {
        "runt" => "shorter than an Ethernet header",
        "source_multicast" => "sent from a group's address",
        "source_zero" => "sent from the all-zero address",
        "reserved_destination" => "meant for the link itself (see run --forward-reserved)",
        "ingress_down" => "came in while the port was not forwarding",
        "same_port" => "its station is behind the port it came from",
        "no_egress" => "there was no other port to send it to",
        "rx_backlog" => "the kernel's backlog was full (net.core.netdev_max_backlog)",
        "rx_overflow" => "the kernel's receive queue was full",
        "rx_truncated" => "longer than the receive buffer",
        "rx_unsupported_offload" => "its offload could not be described",
        "rx_error" => "could not be received",
        "egress_down" => "the port was down or gone",
        "egress_full" => "the port, or the queue behind it, was full",
        "egress_too_big" => "longer than the port's MTU",
        "egress_offload" => "its checksum or segments could not be finished",
        "egress_error" => "could not be sent",
        "storm_broadcast" => "more broadcasts than the port may let in",
        "storm_multicast" => "more frames to groups than the port may let in",
        "storm_unknown_unicast" => "more frames to unknown stations than the port may let in",
        "station_flapping" => "its sender moved too often, and was held on another port",
        "loop_blocked" => "the port is blocked, being part of a loop",
        "loop_probe" => "a probe for loops that came back, or had passed before",
        _ => "",
    }
}

/// A table of all that was lost; empty where nothing was.
pub(super) fn drops(ports: &[PortView]) -> String {
    let rows: Vec<Vec<String>> = ports
        .iter()
        .flat_map(|port| port.drops.iter().map(move |drop| (port, drop)))
        .filter(|(_, (_, frames))| **frames > 0)
        .map(|(port, (reason, frames))| {
            vec![
                port.name.clone(),
                paint(WARNING, count(*frames)),
                reason.clone(),
                meaning(reason).to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let columns = [
        Column::Left("dropped at"),
        Column::Right("frames"),
        Column::Left("reason"),
        Column::Left("meaning"),
    ];
    table(&columns, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswitch_switch::bridge::DropReason;

    #[test]
    fn every_reason_of_the_switch_has_a_meaning() {
        for reason in DropReason::ALL {
            assert!(!meaning(reason.as_str()).is_empty(), "{reason}");
        }
    }
}
