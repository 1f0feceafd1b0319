//! Drops by reason, in words.

use vswitch_switch::bridge::DropReason;

use super::table::{Column, WARNING, paint, table};
use vswitch_control::protocol::PortView;
use vswitch_control::units::count;

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

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use vswitch_switch::frame::{CountedAt, CountedBy};

    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/drop-reasons.md");

    /// The page as it follows from the table of reasons.
    fn page() -> String {
        let mut page = String::from(
            "# Drop reasons\n\n\
             Every frame that the switch does not forward is counted at a port, under one of these \
             reasons. `vswitch show`,\n`vswitch explain`, `vswitch capture`, the JSON output and the \
             metrics (`vswitch_port_drops_total`) use the same\nnames. What to do about losses: \
             [watching.md](watching.md#drop-reasons).\n\n\
             | reason | meaning | counted at | dropped by |\n| --- | --- | --- | --- |\n",
        );
        for reason in DropReason::ALL {
            let at = match reason.counted_at() {
                CountedAt::Ingress => "ingress port",
                CountedAt::Egress => "egress port",
            };
            let by = match reason.counted_by() {
                CountedBy::Bridge => "the switch, by decision",
                CountedBy::Port => "the port",
                CountedBy::Interface => "the kernel, outside of the switch",
            };
            let meaning = reason.meaning();
            let _ = writeln!(page, "| `{reason}` | {meaning} | {at} | {by} |");
        }
        page
    }

    #[test]
    fn the_page_about_reasons_is_up_to_date() {
        if std::env::var_os("VSWITCH_WRITE_DOCS").is_some() {
            std::fs::write(PAGE, page()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(PAGE).unwrap(),
            page(),
            "run: VSWITCH_WRITE_DOCS=1 cargo test the_page_about"
        );
    }
}
