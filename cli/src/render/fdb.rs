//! The MAC table.

use super::table::{Column, FAINT, paint, table};
use vswitch_control::plain;
use vswitch_control::protocol::FdbEntry;
use vswitch_control::units::span;

/// One line for each station.
pub(crate) fn stations(entries: &[FdbEntry]) -> String {
    let entries = plain::view(entries.to_vec());
    if entries.is_empty() {
        return "  no stations: none has sent a frame yet, or all were silent for too long\n"
            .to_owned();
    }
    let columns = [
        Column::Left("station"),
        Column::Right("vlan"),
        Column::Left("port"),
        Column::Left("last heard"),
    ];
    let row = |entry: &FdbEntry| {
        vec![
            entry.mac.clone(),
            match entry.vlan {
                0 => paint(FAINT, "-"),
                vlan => vlan.to_string(),
            },
            entry.port.clone(),
            match entry.age_s {
                Some(age) => format!("{} ago", span(age)),
                None => "static".to_owned(),
            },
        ]
    };
    table(&columns, entries.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::colourless;

    #[test]
    fn stations_are_told_with_their_ages() {
        let entry = FdbEntry {
            mac: "02:00:00:00:00:01".into(),
            vlan: 0,
            port: "mario-vsw".into(),
            age_s: Some(72),
            is_static: false,
        };
        let fixed = FdbEntry {
            vlan: 100,
            age_s: None,
            is_static: true,
            ..entry.clone()
        };
        let expected = "  station            vlan  port       last heard
  02:00:00:00:00:01     -  mario-vsw  1m 12s ago
  02:00:00:00:00:01   100  mario-vsw  static
";
        assert_eq!(colourless(&stations(&[entry, fixed])), expected);
    }
}
