//! In which namespace the far end of a cable is, and whether that is the one its name leads to.
//!
//! Theory of operation. A name under `/run/netns` says nothing about identity: after a namespace was
//! deleted and made again the name leads to another one, while the kernel removes the cables of
//! the old one some milliseconds later, or not at all as long as a process or a descriptor keeps it
//! alive. An inode number is given to the next namespace, too. What is never used again is the number of
//! `SO_NETNS_COOKIE` (socket(7), since Linux 5.14); where there is none, the kernel says into which
//! namespace a cable leads (`IFLA_LINK_NETNSID`). A descriptor is not kept: it would keep the
//! namespace alive, and with it the cable.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use vswitch_netns::Link;
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::LinkState;

use super::plan::Plan;
use super::{Lab, LabError};
use crate::broker::Inside;
use vswitch_control::marks::owner_of;

/// How long to wait for the kernel to remove an interface whose other end is in a namespace that
/// has gone.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How often to look.
const INTERVAL: Duration = Duration::from_millis(2);
/// What the kernel gives for a namespace that is about to go (`NETNSA_NSID_NOT_ASSIGNED`).
const NO_NAMESPACE: i32 = -1;

/// Which namespace it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Home {
    /// Its number, which no other one ever has.
    pub(crate) cookie: Option<u64>,
    /// The device and the inode of its file.
    pub(crate) device: u64,
    /// See `device`.
    pub(crate) inode: u64,
}

impl Home {
    /// That of the namespace which was opened.
    pub(super) fn of(inside: &Inside) -> Self {
        Self {
            cookie: inside.netlink.namespace_cookie(),
            device: inside.namespace.device(),
            inode: inside.namespace.inode(),
        }
    }

    /// Whether `other` is another namespace; none where that cannot be told.
    fn differs_from(&self, other: &Self) -> Option<bool> {
        match (self.cookie, other.cookie) {
            (Some(own), Some(other)) => Some(own != other),
            _ => ((self.device, self.inode) != (other.device, other.inode)).then_some(true),
        }
    }
}

impl Lab {
    /// Refuses a namespace that is attached, to whichever switch, under the same name; under any
    /// name if none is given. A port whose interface has vanished does not count, nor one whose
    /// cable leads into another namespace than the name does now: these make room.
    pub(super) fn refuse_attached(&mut self, plan: &Plan, inside: &Inside) -> Result<(), LabError> {
        let namespace = plan.namespace.to_string();
        let interface = plan.outside.to_string();
        let mut former = Vec::new();
        let named = plan.is_named.then_some(interface.as_str());
        for id in self.ports_of_namespace(&namespace, named) {
            if !self.look_again(id)? && !self.leads_elsewhere(id, inside)? {
                let port = self.plugs.get(&id).map(|plug| plug.name.clone());
                let port = port.unwrap_or(interface);
                return Err(LabError::AttachedHere { namespace, port });
            }
            former.push(id);
        }
        let holder = self.port_of_name(&interface);
        if holder.is_some_and(|id| !former.contains(&id)) {
            return Err(LabError::PortHere(interface));
        }
        for id in former {
            self.log_replaced(id, &namespace);
            self.unplug(id)?;
        }
        self.make_room(&namespace, &interface, inside)
    }

    fn log_replaced(&self, id: PortId, namespace: &str) {
        if let Some(plug) = self.plugs.get(&id)
            && plug.link != LinkState::Absent
        {
            log::info!(
                "removing port {id} ({}): it leads into another namespace than {namespace} is now",
                plug.name
            );
        }
    }

    /// Whether the cable of a port leads into another namespace than this one, and is not to be kept:
    /// one of a process or a container is, as long as that runs.
    fn leads_elsewhere(&mut self, id: PortId, inside: &Inside) -> Result<bool, LabError> {
        let Some(plug) = self.plugs.get(&id) else {
            return Ok(true);
        };
        let origin = plug.kind.cable().map(|cable| &cable.origin);
        if origin.is_some_and(|origin| origin.source.is_some()) && plug.stray().is_none() {
            return Ok(false);
        }
        let known = origin.and_then(|origin| origin.home.clone());
        let ifindex = plug.ifindex;
        if let Some(differs) = known.and_then(|home| home.differs_from(&Home::of(inside))) {
            return Ok(differs);
        }
        match self.netlink.link_by_index(ifindex)? {
            Some(link) => self.ends_elsewhere(&link, inside),
            None => Ok(true),
        }
    }

    /// Whether the other end of a link is in another namespace than this one, by what the kernel says.
    fn ends_elsewhere(&mut self, link: &Link, inside: &Inside) -> Result<bool, LabError> {
        let wanted = self.netlink.namespace_id(inside.namespace.as_fd())?;
        Ok(link.peer_namespace_id != wanted)
    }

    /// Sees to it that no interface has the name of the end to be made: removes what a switch that was
    /// killed has left, and waits for the kernel where it is about to remove one.
    fn make_room(
        &mut self,
        namespace: &str,
        interface: &str,
        inside: &Inside,
    ) -> Result<(), LabError> {
        let deadline = Instant::now() + PATIENCE;
        while let Some(link) = self.netlink.find_link(interface)? {
            let owner = owner_of(&link).map(str::to_owned);
            if owner.is_some() && self.remove_leftover(&link) {
                return Ok(());
            }
            // One of a namespace that had this name before goes by itself.
            let may_go = is_doomed(&link)
                || (is_of_two_namespaces(&link) && self.ends_elsewhere(&link, inside)?);
            if may_go && Instant::now() < deadline {
                std::thread::sleep(INTERVAL);
                continue;
            }
            let Some(switch) = owner else {
                // What it is, the kernel says when the pair is made.
                return Ok(());
            };
            return Err(LabError::AttachedElsewhere {
                namespace: namespace.to_owned(),
                switch,
                interface: interface.to_owned(),
            });
        }
        Ok(())
    }

    /// Whether the interface of a port is gone or about to go with the namespace of its other end.
    /// Waits a moment for that where the namespace has lost its name, or its process.
    pub(super) fn await_end(&mut self, id: PortId) -> Result<bool, LabError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.is_going(id)? {
                return Ok(true);
            }
            let plug = self.plugs.get(&id);
            let is_stray = plug.is_some_and(|plug| plug.stray().is_some());
            if !is_stray || Instant::now() >= deadline {
                return Ok(false);
            }
            std::thread::sleep(INTERVAL);
        }
    }

    fn is_going(&mut self, id: PortId) -> Result<bool, LabError> {
        if self.look_again(id)? {
            return Ok(true);
        }
        let Some(ifindex) = self.plugs.get(&id).map(|plug| plug.ifindex) else {
            return Ok(true);
        };
        let link = self.netlink.link_by_index(ifindex)?;
        Ok(link.is_none_or(|link| is_doomed(&link)))
    }
}

/// Whether the other end of a link is in a namespace that has gone, with which the link goes.
fn is_doomed(link: &Link) -> bool {
    link.peer_namespace_id == Some(NO_NAMESPACE)
}

/// Whether the other end of a link is not in the same namespace.
const fn is_of_two_namespaces(link: &Link) -> bool {
    link.peer_namespace_id.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(cookie: Option<u64>, inode: u64) -> Home {
        Home {
            cookie,
            device: 4,
            inode,
        }
    }

    #[test]
    fn an_inode_number_that_was_given_again_is_not_taken_for_the_same() {
        let before = home(Some(7), 1);
        assert_eq!(before.differs_from(&home(Some(8), 1)), Some(true));
        assert_eq!(before.differs_from(&home(Some(7), 1)), Some(false));
        let unknown = home(None, 1);
        assert_eq!(unknown.differs_from(&home(None, 1)), None);
        assert_eq!(unknown.differs_from(&home(None, 2)), Some(true));
    }

    #[test]
    fn a_link_of_a_namespace_that_has_gone_is_told_from_others() {
        let mut link = Link::default();
        assert!(!is_doomed(&link) && !is_of_two_namespaces(&link));
        link.peer_namespace_id = Some(0);
        assert!(!is_doomed(&link) && is_of_two_namespaces(&link));
        link.peer_namespace_id = Some(NO_NAMESPACE);
        assert!(is_doomed(&link));
    }
}
