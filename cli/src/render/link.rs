//! Network interfaces.

use vswitch_netns::{Link, OperState};
use vswitch_switch::frame::MacAddr;

use super::table::{BAD, Column, FAINT, GOOD, WARNING, paint, table};
use crate::peers::{Home, Peer};

/// An interface, and what it is connected to.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) link: Link,
    /// The other end of a pair.
    pub(crate) peer: Option<Peer>,
    /// The bridge that it is plugged into.
    pub(crate) bridge: Option<String>,
}

/// One line for each interface.
pub(crate) fn links(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "  no such interface\n".to_owned();
    }
    let mut columns = vec![
        Column::Right("#"),
        Column::Left("interface"),
        Column::Left("kind"),
        Column::Left("state"),
        Column::Right("mtu"),
        Column::Left("mac"),
        Column::Left("other end"),
    ];
    let any_bridge = rows.iter().any(|row| row.bridge.is_some());
    if any_bridge {
        columns.push(Column::Left("bridge"));
    }
    table(&columns, rows.iter().map(cells).collect())
}

fn cells(row: &Row) -> Vec<String> {
    let link = &row.link;
    let nothing = || paint(FAINT, "-");
    vec![
        link.index.to_string(),
        shown(&link.name),
        link.kind.as_deref().map_or_else(nothing, shown),
        state(link),
        link.mtu_bytes.to_string(),
        link.mac
            .map_or_else(nothing, |mac| MacAddr(mac).to_string()),
        row.peer.as_ref().map_or_else(nothing, peer),
        row.bridge.as_deref().map_or_else(nothing, shown),
    ]
}

/// Others may have made the interface, under any name.
fn shown(name: &str) -> String {
    vswitch_control::plain::text(name).into_owned()
}

fn peer(peer: &Peer) -> String {
    let name = match &peer.name {
        Some(name) => shown(name),
        None => format!("if{}", peer.index),
    };
    match &peer.home {
        Home::Same => name,
        Home::Named(home) => format!("{name} in {}", shown(home)),
        Home::Default => format!("{name} in the default namespace"),
        Home::Unknown => format!("{name} in a namespace without a name"),
    }
}

/// Whether frames pass, in a word.
pub(super) fn state(link: &Link) -> String {
    if !link.up {
        return paint(WARNING, "down");
    }
    match link.state {
        OperState::Up => paint(GOOD, "up"),
        OperState::Unknown if link.lower_up => paint(GOOD, "up"),
        OperState::Dormant => paint(WARNING, "dormant"),
        _ => paint(BAD, "no carrier"),
    }
}

/// The operational state as `ip` has it.
pub(crate) fn state_of(link: &Link) -> &'static str {
    match link.state {
        OperState::Up => "UP",
        OperState::Down => "DOWN",
        OperState::LowerLayerDown => "LOWERLAYERDOWN",
        OperState::NotPresent => "NOTPRESENT",
        OperState::Testing => "TESTING",
        OperState::Dormant => "DORMANT",
        _ => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::colourless;

    #[test]
    fn interfaces_are_told_with_their_other_ends() {
        let mut toad = Link::default();
        toad.index = 2;
        toad.name = "toad".into();
        toad.kind = Some("veth".into());
        toad.mtu_bytes = 1500;
        toad.mac = Some([2, 0, 0, 0, 0, 1]);
        let peer = |home| Peer {
            name: Some("toad-peer".into()),
            index: 3,
            home,
        };
        let row = |up, home| Row {
            link: {
                let mut link = toad.clone();
                link.up = up;
                link
            },
            peer: Some(peer(home)),
            bridge: None,
        };
        let rows = [
            row(false, Home::Same),
            row(true, Home::Named("mario".into())),
        ];
        let expected = "  #  interface  kind  state        mtu  mac                other end
  2  toad       veth  down        1500  02:00:00:00:00:01  toad-peer
  2  toad       veth  no carrier  1500  02:00:00:00:00:01  toad-peer in mario
";
        assert_eq!(colourless(&links(&rows)), expected);
    }
}
