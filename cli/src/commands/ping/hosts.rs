//! Which namespaces are plugged into switches, and by which of their interfaces.

use std::collections::BTreeMap;

use anyhow::bail;
use vswitch_netns::{Link, Netlink};

use crate::peers::{Home, Peers};
use vswitch_control::client::{Client, ClientError};
use vswitch_control::names::SwitchName;
use vswitch_control::protocol::PortView;
use vswitch_control::runtime_dir::RuntimeDir;

/// The interfaces of each namespace that are plugged into the switch, or into any.
///
/// # Errors
/// Where no switch runs, or fewer than two namespaces are plugged in.
pub(super) fn plugged(
    runtime: &RuntimeDir,
    switch: Option<&SwitchName>,
) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut ports = Vec::new();
    if let Some(name) = switch {
        ports.extend(Client::connect(runtime, name)?.show()?.ports);
    } else {
        let names = runtime.switches()?.into_iter();
        let mut running: Vec<Client> = names
            .filter_map(|name| Client::connect(runtime, &name).ok())
            .collect();
        if running.is_empty() {
            return Err(ClientError::NoneRunning.into());
        }
        for client in &mut running {
            ports.extend(client.show()?.ports);
        }
    }
    let hosts = hosts(&ports)?;
    if hosts.len() < 2 {
        let at = switch.map_or(String::new(), |name| format!(" --switch {name}"));
        bail!(
            "there are no two namespaces that could reach each other over a switch: plug them in with 'vswitch attach NS{at}'"
        );
    }
    Ok(hosts)
}

/// The namespaces behind ports: those that the switch knows, because it attached them, and those
/// at the other end of a cable that somebody plugged in by hand.
fn hosts(ports: &[PortView]) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut hosts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut unknown = Vec::new();
    for port in ports {
        match (&port.namespace, &port.peer) {
            (Some(namespace), Some(peer)) => {
                hosts
                    .entry(namespace.clone())
                    .or_default()
                    .push(peer.clone());
            }
            _ => unknown.push(port.name.as_str()),
        }
    }
    if !unknown.is_empty() {
        let mut netlink = Netlink::open()?;
        let links = netlink.links()?;
        let peers = Peers::of(&mut netlink, &links);
        let is_port = |link: &&Link| unknown.contains(&link.name.as_str());
        for link in links.iter().filter(is_port) {
            if let Some(peer) = peers.find(link, &links)
                && let (Some(interface), Home::Named(namespace)) = (peer.name, peer.home)
            {
                hosts.entry(namespace).or_default().push(interface);
            }
        }
    }
    Ok(hosts)
}
