//! What a killed daemon of the same name has left.

use std::thread;
use std::time::Instant;

use vswitch_netns::{Link, LinkError, Netlink};
use vswitch_switch::port::PacketError;

use super::kinds::{Reason, kind_of, open_device, open_to_claim};
use super::sockets::{INTERVAL, PATIENCE};
use super::{Lab, LabError};
use crate::namespaces::Namespaces;
use crate::state::SavedPort;
use vswitch_control::marks::owner_of;
use vswitch_control::names::SwitchName;

/// Gives an interface back to the host's stack that a killed daemon had as a port, unless somebody
/// uses it or it is gone.
pub(crate) fn give_back(interface: &str) -> Result<(), LabError> {
    let mut netlink = Netlink::open()?;
    let Some(link) = netlink.find_link(interface)? else {
        return Ok(());
    };
    if kind_of(link.kind.as_deref()).is_some() && owner_of(&link).is_some() {
        // It was made for the port.
        remove_leftover(&mut netlink, None, &link);
        return Ok(());
    }
    if link.is_ethernet()
        && !link.arp
        && owner_of(&link).is_none()
        && let Ok(port) = open_to_claim(interface)
    {
        netlink.unquiet_leftover(&link)?;
        drop(port);
    }
    Ok(())
}

/// Removes and gives back all that the killed switch `name` had: the `ports` that it has kept, and
/// whatever else carries its name. What fails is logged.
///
/// # Errors
/// Where the interfaces cannot be listed.
pub(crate) fn remove_killed(name: &SwitchName, ports: &[SavedPort]) -> Result<(), LabError> {
    let mut netlink = Netlink::open()?;
    for port in ports {
        let kind = port.kind.clone().recalled();
        if let Err(error) = kind.give_back_killed(&mut netlink, &port.interface) {
            log::warn!("cannot restore {}: {error}", port.interface);
        }
    }
    remove_leftovers(&mut netlink, None, name, &[])
}

/// Removes veth pairs that carry this switch's name and that no living switch uses (one of
/// the same name may live under another runtime directory), and gives interfaces back.
/// What is `waited_for` stays: its port could not come back for now.
fn remove_leftovers(
    netlink: &mut Netlink,
    namespaces: Option<&Namespaces>,
    name: &SwitchName,
    waited_for: &[&str],
) -> Result<(), LabError> {
    let links = netlink.links()?;
    let is_ours = |link: &&Link| {
        let driver = link.kind.as_deref();
        owner_of(link) == Some(name.as_str())
            && (driver == Some("veth") || kind_of(driver).is_some())
    };
    let links: Vec<Link> = links
        .into_iter()
        .filter(|link| !waited_for.contains(&link.name.as_str()))
        .collect();
    let leftovers: Vec<Link> = links.iter().filter(is_ours).cloned().collect();
    for link in leftovers {
        remove_leftover(netlink, namespaces, &link);
    }
    // Interfaces of the user's that were ports. All that is quiet has no ARP.
    let may_be_quiet = |link: &&Link| link.is_ethernet() && !link.arp && owner_of(link).is_none();
    for link in links.iter().filter(may_be_quiet) {
        if let Ok(port) = open_to_claim(&link.name) {
            restore_leftover(netlink, link);
            drop(port);
        }
    }
    Ok(())
}

/// Gives an interface back to the host's stack that a killed daemon had as a port. To be
/// called by who has opened it as a port: then nobody else has it.
fn restore_leftover(netlink: &mut Netlink, link: &Link) {
    match netlink.unquiet_leftover(link) {
        Ok(true) => log::info!("restored {}, left by a daemon that was killed", link.name),
        Ok(false) => {}
        Err(error) => log::warn!("cannot restore a leftover: {error}"),
    }
}

/// Removes an interface of a switch's making if no living switch uses it; whether it did.
fn remove_leftover(netlink: &mut Netlink, namespaces: Option<&Namespaces>, link: &Link) -> bool {
    match is_free(namespaces, link) {
        Ok(true) => {}
        Ok(false) => return false,
        Err(error) => {
            log::warn!("cannot tell who uses {}: {error}", link.name);
            return false;
        }
    }
    match netlink.delete_link(link) {
        Ok(()) | Err(LinkError::NotFound { .. }) => {
            log::info!("removed {}, left by a daemon that was killed", link.name);
            true
        }
        Err(error) => {
            log::warn!("cannot remove a leftover: {error}");
            false
        }
    }
}

/// Whether no living switch has a port on an interface: this process could open it as one.
fn is_free(namespaces: Option<&Namespaces>, link: &Link) -> Result<bool, LabError> {
    let Some(kind) = kind_of(link.kind.as_deref()) else {
        return match open_to_claim(&link.name) {
            Ok(_) => Ok(true),
            Err(PacketError::InUse { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        };
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let opened = match namespaces {
            Some(namespaces) => namespaces.open_device(kind, &link.name),
            None => open_device(kind, &link.name).map_err(LabError::from),
        };
        match opened {
            Ok(_) => return Ok(true),
            Err(LabError::Device(error)) if error.reason == Reason::InUse => {}
            Err(error) => return Err(error),
        }
        // The process that was killed may not have closed it yet.
        if Instant::now() >= deadline {
            return Ok(false);
        }
        thread::sleep(INTERVAL);
    }
}

impl Lab {
    /// Removes what carries this switch's name and is no port of it, nor of another.
    ///
    /// # Errors
    /// Where the interfaces cannot be listed. One that cannot be removed is logged.
    pub(crate) fn remove_leftovers(&mut self) -> Result<(), LabError> {
        let plugs = self.plugs.values();
        let waited_for: Vec<_> = plugs.map(|plug| plug.interface.as_str()).collect();
        remove_leftovers(
            &mut self.netlink,
            Some(&self.namespaces),
            &self.switch,
            &waited_for,
        )
    }

    /// As the function of that name, of which it is told in the log.
    pub(super) fn restore_leftover(&mut self, link: &Link) {
        restore_leftover(&mut self.netlink, link);
    }

    /// Removes a cable of a switch's making if no living switch uses it; whether it did.
    pub(super) fn remove_leftover(&mut self, link: &Link) -> bool {
        remove_leftover(&mut self.netlink, Some(&self.namespaces), link)
    }
}
