//! Routes.

use vswitch_netns::{RouteEntry, RouteOrigin};

use super::table::{Column, FAINT, WARNING, paint, table};
use vswitch_control::plain;

/// One line for each route, with the name of its interface.
pub(crate) fn routes(entries: &[(RouteEntry, Option<String>)]) -> String {
    if entries.is_empty() {
        return "  no routes: they come with addresses, or by 'vswitch route add'\n".to_owned();
    }
    let columns = [
        Column::Left("to"),
        Column::Left("through"),
        Column::Left("interface"),
        Column::Right("metric"),
        Column::Left("source"),
        Column::Left("made by"),
        Column::Left(""),
    ];
    table(&columns, entries.iter().map(cells).collect())
}

/// The name of an interface.
pub(super) fn device(name: &str) -> String {
    plain::text(name).into_owned()
}

fn cells((entry, device): &(RouteEntry, Option<String>)) -> Vec<String> {
    let route = &entry.route;
    let nothing = || paint(FAINT, "-");
    let text = |value: Option<String>| value.unwrap_or_else(nothing);
    vec![
        if route.destination.prefix_len() == 0 {
            match route.destination {
                ipnet::IpNet::V4(_) => "default".to_owned(),
                ipnet::IpNet::V6(_) => "default (IPv6)".to_owned(),
            }
        } else {
            route.destination.to_string()
        },
        text(route.gateway.map(|gateway| gateway.to_string())),
        text(device.as_deref().map(self::device)),
        text(route.metric.map(|metric| metric.to_string())),
        text(route.source.map(|source| source.to_string())),
        match entry.origin {
            RouteOrigin::Kernel => "kernel".to_owned(),
            RouteOrigin::Boot | RouteOrigin::Static => "hand".to_owned(),
            RouteOrigin::RouterAdvertisement => "router".to_owned(),
            RouteOrigin::Redirect => "redirect".to_owned(),
            other => format!("protocol {other}"),
        },
        if entry.link_down {
            paint(WARNING, "no carrier")
        } else {
            String::new()
        },
    ]
}
