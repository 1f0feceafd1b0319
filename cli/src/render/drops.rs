//! Drops by reason, in words.

use vswitch_switch::bridge::DropReason;

use super::table::{Column, WARNING, paint, table};
use super::units::count;
use crate::protocol::PortView;

/// What a reason means. A daemon of another version may know more of them.
pub(crate) fn meaning(reason: &str) -> &'static str {
    DropReason::named(reason).map_or("", DropReason::meaning)
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
