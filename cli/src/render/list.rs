//! The running switches.

use super::table::{Column, table};
use vswitch_control::plain;
use vswitch_control::protocol::SwitchView;
use vswitch_control::units::{count, span};

/// One line for each switch.
pub(crate) fn switches(views: &[SwitchView]) -> String {
    let columns = [
        Column::Left("switch"),
        Column::Right("process"),
        Column::Right("ports"),
        Column::Right("stations"),
        Column::Left("running for"),
    ];
    let row = |view: &SwitchView| {
        vec![
            plain::text(&view.name).into_owned(),
            view.pid.to_string(),
            view.ports.len().to_string(),
            count(view.macs),
            span(view.uptime_s),
        ]
    };
    table(&columns, views.iter().map(row).collect())
}
