//! Disconnecting namespaces and giving interfaces back.

use vswitch_netns::LinkError;
use vswitch_switch::bridge::PortId;
use vswitch_switch::control::ControlError;
use vswitch_switch::port::LinkState;

use super::{Kind, Lab, LabError, Plug, owner_of};

impl Lab {
    /// Disconnects a namespace: its veth pair goes, the namespace stays.
    ///
    /// # Errors
    /// [`LabError::NotAttached`], or what the kernel refuses.
    pub(crate) fn detach(&mut self, namespace: &str) -> Result<(), LabError> {
        let Some(id) = self.port_of_namespace(namespace) else {
            return Err(LabError::NotAttached {
                namespace: namespace.escape_debug().to_string(),
                switch: self.switch.to_string(),
            });
        };
        self.unplug(id)?;
        log::info!("detached the namespace {namespace}");
        Ok(())
    }

    /// Takes everything out and gives it back; what fails is logged and does not stop the rest.
    pub(crate) fn dismantle(&mut self) {
        let ids: Vec<PortId> = self.plugs.keys().copied().collect();
        for id in ids {
            if let Err(error) = self.unplug(id) {
                log::warn!("cannot clean up after port {id}: {error}");
            }
        }
    }

    /// How many ports there are.
    pub(crate) fn port_count(&self) -> usize {
        self.plugs.len()
    }

    /// Takes a port out of the switch, and then removes its cable or restores its interface.
    pub(super) fn unplug(&mut self, id: PortId) -> Result<(), LabError> {
        let Some(plug) = self.plugs.remove(&id) else {
            return Ok(());
        };
        match self.handle.remove_port(&plug.name) {
            Ok(port) => drop(port),
            // A switch that has stopped has dropped its ports.
            Err(ControlError::NoSuchPort(_) | ControlError::Stopped) => {}
            Err(error) => return Err(error.into()),
        }
        let removed = match &plug.kind {
            Kind::Cable { .. } => self.remove_cable(&plug),
            Kind::Taken(former) => self.restore(&plug, former),
        };
        if removed.is_err() {
            // It can be tried again: what is to be removed or restored is still known.
            self.plugs.insert(id, plug);
        }
        removed
    }

    /// Deletes our end of a veth pair, and with it the other. Another device may have taken the
    /// index over if the pair has vanished: only what is known to be ours is deleted.
    fn remove_cable(&mut self, plug: &Plug) -> Result<(), LabError> {
        if plug.link == LinkState::Absent {
            return Ok(());
        }
        let Some(link) = self.netlink.link_by_index(plug.ifindex)? else {
            return Ok(());
        };
        let is_named = link.name == plug.name || owner_of(&link) == Some(self.switch.as_str());
        if !is_named || link.kind.as_deref() != Some("veth") {
            return Ok(());
        }
        match self.netlink.delete_link(&link) {
            Err(LinkError::NotFound { .. }) => Ok(()),
            other => Ok(other?),
        }
    }
}
