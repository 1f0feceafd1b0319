//! What a killed daemon of the same name has left.

use vswitch_netns::{Link, LinkError, Netlink};
use vswitch_switch::port::{PacketError, PacketOptions, PacketPort, ReceivePath};

use super::{Lab, LabError, owner_of};

/// Opens a port just to be alone with the interface: without a ring.
fn open_to_claim(interface: &str) -> Result<PacketPort, PacketError> {
    let options = PacketOptions {
        receive: ReceivePath::Socket,
        ..PacketOptions::default()
    };
    PacketPort::open_with(interface, &options)
}

/// Gives an interface back to the host's stack that a killed daemon had as a port, unless somebody
/// uses it or it is gone.
pub(in crate::daemon) fn give_back(interface: &str) -> Result<(), LabError> {
    let mut netlink = Netlink::open()?;
    let Some(link) = netlink.find_link(interface)? else {
        return Ok(());
    };
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

impl Lab {
    /// Removes veth pairs that carry this switch's name and that no living switch uses (one of
    /// the same name may live under another runtime directory).
    ///
    /// # Errors
    /// Where the interfaces cannot be listed. One that cannot be removed is logged.
    pub(crate) fn remove_leftovers(&mut self) -> Result<(), LabError> {
        let links = self.netlink.links()?;
        let is_ours = |link: &&Link| {
            owner_of(link) == Some(self.switch.as_str()) && link.kind.as_deref() == Some("veth")
        };
        let leftovers: Vec<Link> = links.iter().filter(is_ours).cloned().collect();
        for link in leftovers {
            self.remove_leftover(&link);
        }
        // Interfaces of the user's that were ports. All that is quiet has no ARP.
        let may_be_quiet =
            |link: &&Link| link.is_ethernet() && !link.arp && owner_of(link).is_none();
        for link in links.iter().filter(may_be_quiet) {
            if let Ok(port) = open_to_claim(&link.name) {
                self.restore_leftover(link);
                drop(port);
            }
        }
        Ok(())
    }

    /// Gives an interface back to the host's stack that a killed daemon had as a port. To be
    /// called by who has opened it as a port: then nobody else has it.
    pub(super) fn restore_leftover(&mut self, link: &Link) {
        match self.netlink.unquiet_leftover(link) {
            Ok(true) => log::info!("restored {}, left by a daemon that was killed", link.name),
            Ok(false) => {}
            Err(error) => log::warn!("cannot restore a leftover: {error}"),
        }
    }

    /// Removes a cable of a switch's making if no living switch uses it; whether it did.
    pub(super) fn remove_leftover(&mut self, link: &Link) -> bool {
        // Who can open it as a port knows that no switch has it.
        match open_to_claim(&link.name) {
            Ok(port) => drop(port),
            Err(PacketError::InUse { .. }) => return false,
            Err(error) => {
                log::warn!("cannot tell who uses {}: {error}", link.name);
                return false;
            }
        }
        match self.netlink.delete_link(link) {
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
}
