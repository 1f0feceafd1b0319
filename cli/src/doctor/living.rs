//! What runs, and what has been left over by what ran.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use vswitch_netns::{Link, Namespace, Netlink, Offloads};

use super::ghosts::{self, Ghost};
use crate::ingress;
use vswitch_control::client::{Client, ClientError};
use vswitch_control::marks::owner_of;
use vswitch_control::protocol::{PortView, SwitchView};
use vswitch_control::runtime_dir::RuntimeDir;

/// How long one switch may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The inside end of a cable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InsideEnd {
    /// Its MTU.
    pub(crate) mtu_bytes: u32,
    /// Kinds of segmentation that it offers and no packet socket can pass on.
    pub(crate) undescribable: Vec<String>,
}

/// Switches, interfaces and namespaces at this moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Living {
    /// The switches that answer.
    pub(crate) switches: Vec<SwitchView>,
    /// Names of switches that were killed.
    pub(crate) killed: Vec<String>,
    /// Directories without a switch.
    pub(crate) empty: Vec<String>,
    /// Processes of switches and labs whose directory is gone.
    pub(crate) ghosts: Vec<Ghost>,
    /// What is told of switches that run and do not answer.
    pub(crate) mute: Vec<String>,
    /// The interfaces of this namespace.
    pub(crate) links: Vec<Link>,
    /// The indices of those that a living switch has.
    pub(crate) claimed: BTreeSet<u32>,
    /// Names of those that were kept from the host for a switch, which has gone.
    pub(crate) quiet: Vec<String>,
    /// Named namespaces that are none any more.
    pub(crate) stale: Vec<String>,
    /// Rules at the ingress of ports, by the ports' names.
    pub(crate) ingress_rules: BTreeMap<String, Vec<String>>,
    /// The inside ends of the cables that can be looked at, by the ports' names.
    pub(crate) inside_ends: BTreeMap<String, InsideEnd>,
}

impl Living {
    /// What there is now. What cannot be looked at is left out.
    pub(crate) fn now(runtime: &RuntimeDir) -> Self {
        let mut living = Self {
            claimed: fs::read_to_string("/proc/net/unix")
                .map(|sockets| claims(&sockets))
                .unwrap_or_default(),
            ..Self::default()
        };
        living.ghosts = ghosts::now();
        living.ask_switches(runtime);
        living.look_at_links();
        let namespaces = Namespace::list().unwrap_or_default().into_iter();
        living.stale = namespaces.filter(|n| n.stale).map(|n| n.name).collect();
        let ports = living.switches.iter().flat_map(|switch| &switch.ports);
        living.inside_ends = ports
            .filter_map(|port| Some((port.name.clone(), inside_end(port)?)))
            .collect();
        let ports = living.switches.iter().flat_map(|switch| &switch.ports);
        living.ingress_rules = ports
            .map(|port| (port.name.clone(), ingress::rules(&port.name)))
            .filter(|(_, rules)| !rules.is_empty())
            .collect();
        living
    }

    fn ask_switches(&mut self, runtime: &RuntimeDir) {
        for name in runtime.switches().unwrap_or_default() {
            let asked = Client::connect(runtime, &name).and_then(|mut client| {
                // Fails only for a span of zero.
                let _ = client.set_patience(PATIENCE);
                client.show()
            });
            match asked {
                Ok(view) => self.switches.push(view),
                Err(ClientError::Killed(_)) => self.killed.push(name.to_string()),
                Err(ClientError::NotRunning(_)) => self.empty.push(name.to_string()),
                Err(error) => self.mute.push(error.to_string()),
            }
        }
    }

    fn look_at_links(&mut self) {
        let Ok(mut netlink) = Netlink::open() else {
            return;
        };
        self.links = netlink.links().unwrap_or_default();
        let free =
            |link: &&Link| link.is_ethernet() && !link.arp && !self.claimed.contains(&link.index);
        let may_be_quiet = self.links.iter().filter(free);
        // The ends of cables are told of as such.
        let may_be_quiet = may_be_quiet.filter(|link| owner_of(link).is_none());
        self.quiet = may_be_quiet
            .filter(|link| netlink.is_quiet(link))
            .map(|link| link.name.clone())
            .collect();
    }
}

/// The interfaces that a switch has claimed, by the names of its sockets (unix(7), proc(5)): each
/// is an abstract one, which ends with its process.
fn claims(sockets: &str) -> BTreeSet<u32> {
    let name = |line: &str| {
        line.rsplit_once("@vswitch/port/")
            .map(|(_, n)| n.to_owned())
    };
    let names = sockets.lines().filter_map(name);
    names
        // Behind the index may be the number of the name.
        .filter_map(|name| name.split('/').next()?.trim().parse().ok())
        .collect()
}

fn inside_end(port: &PortView) -> Option<InsideEnd> {
    let namespace = Namespace::open(port.namespace.as_deref()?).ok()?;
    let peer = port.peer.as_deref()?;
    let link = Netlink::open_in(&namespace).ok()?.link(peer).ok()?;
    let offloads = Offloads::open_in(&namespace).ok();
    Some(InsideEnd {
        mtu_bytes: link.mtu_bytes,
        undescribable: offloads
            .and_then(|mut offloads| offloads.undescribable(peer).ok())
            .unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_from_the_list_of_sockets() {
        let sockets = "Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/vswitch/s/control.sock
0000000000000000: 00000002 00000000 00010000 0001 01 12346 @vswitch/port/7
0000000000000000: 00000002 00000000 00010000 0001 01 12347 @vswitch/port/12
0000000000000000: 00000002 00000000 00010000 0001 01 12348 @other
";
        assert_eq!(claims(sockets), [7, 12].into());
    }
}
