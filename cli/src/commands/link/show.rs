//! `vswitch link show`.

use serde::Serialize;
use vswitch_netns::Link;

use crate::args::{Inside, LinkFilter};
use crate::peers::{Home, Peers};
use crate::place::Place;
use crate::render::{self, LinkRow};

/// An interface as `--json` has it: the field names of `ip -j link`, and where the other end is.
#[derive(Serialize)]
struct Entry<'a> {
    ifindex: u32,
    ifname: &'a str,
    flags: Vec<&'static str>,
    mtu: u32,
    operstate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    master: Option<&'a str>,
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ifalias: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    linkinfo: Option<Info<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_netnsid: Option<i32>,
    /// The other end of a pair, by name; null if there is none, or it cannot be seen.
    peer: Option<&'a str>,
    /// The namespace where that one is, if it is another one with a name.
    peer_namespace: Option<&'a str>,
}

#[derive(Serialize)]
struct Info<'a> {
    info_kind: &'a str,
}

impl<'a> From<&'a LinkRow> for Entry<'a> {
    fn from(row: &'a LinkRow) -> Self {
        let link = &row.link;
        let peer = row.peer.as_ref();
        Self {
            ifindex: link.index,
            ifname: &link.name,
            flags: flags(link),
            mtu: link.mtu_bytes,
            operstate: render::state_of(link),
            master: row.bridge.as_deref(),
            address: link
                .mac
                .map(|mac| vswitch_switch::frame::MacAddr(mac).to_string()),
            ifalias: link.alias.as_deref(),
            linkinfo: link.kind.as_deref().map(|info_kind| Info { info_kind }),
            link_netnsid: link.peer_namespace_id,
            peer: peer.and_then(|peer| peer.name.as_deref()),
            peer_namespace: match peer.map(|peer| &peer.home) {
                Some(Home::Named(name)) => Some(name),
                _ => None,
            },
        }
    }
}

/// Those flags of an interface that say something to people who use it.
pub(crate) fn flags(link: &Link) -> Vec<&'static str> {
    [
        (link.loopback, "LOOPBACK"),
        (!link.arp, "NOARP"),
        (link.up, "UP"),
        (link.lower_up, "LOWER_UP"),
    ]
    .into_iter()
    .filter_map(|(set, name)| set.then_some(name))
    .collect()
}

pub(super) fn run(inside: &Inside, filter: &LinkFilter, json: bool) -> anyhow::Result<()> {
    let mut place = Place::open(inside.namespace.as_ref())?;
    // One that is asked for by name has to be there.
    let wanted = match &filter.name {
        Some(name) => Some(place.link(name)?.index),
        None => None,
    };
    let bridge = match &filter.master {
        Some(name) => Some(place.link(name)?.index),
        None => None,
    };
    let all = place.netlink.links()?;
    let peers = Peers::of(&mut place.netlink, &all);
    let matches = |link: &&Link| {
        wanted.is_none_or(|index| link.index == index)
            && (!filter.up || link.up)
            && (filter.kind.is_none() || link.kind == filter.kind)
            && (bridge.is_none() || link.master == bridge)
    };
    let row = |link: &Link| LinkRow {
        peer: peers
            .find(link, &all)
            .filter(|_| link.kind.as_deref() == Some("veth")),
        bridge: link.master.map(|index| {
            let bridge = all.iter().find(|other| other.index == index);
            bridge.map_or_else(|| format!("if{index}"), |bridge| bridge.name.clone())
        }),
        link: link.clone(),
    };
    let rows: Vec<LinkRow> = all.iter().filter(matches).map(row).collect();
    if json {
        let entries: Vec<Entry<'_>> = rows.iter().map(Entry::from).collect();
        render::print_json(&entries)?;
    } else {
        render::print(&render::links(&rows))?;
    }
    Ok(())
}
