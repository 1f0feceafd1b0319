//! Disconnecting namespaces and giving interfaces back.

use std::thread::{self, ScopedJoinHandle};

use vswitch_netns::Netlink;
use vswitch_switch::Handle;
use vswitch_switch::bridge::PortId;
use vswitch_switch::control::ControlError;
use vswitch_switch::threads;

use super::kinds::remove_cable;
use super::{Lab, LabError, Plug};

/// Cables that are removed together.
const TOGETHER: usize = 16;

impl Lab {
    /// Disconnects a namespace, or one port of it: its veth pairs go, the namespace stays. Gives
    /// how many went.
    ///
    /// # Errors
    /// [`LabError::NotAttached`], or what the kernel refuses.
    pub(crate) fn detach(
        &mut self,
        namespace: &str,
        port: Option<&str>,
    ) -> Result<usize, LabError> {
        let ids = self.ports_of_namespace(namespace, port);
        if ids.is_empty() {
            return Err(LabError::NotAttached {
                namespace: vswitch_control::plain::text(namespace).into_owned(),
                switch: self.switch.to_string(),
            });
        }
        for id in &ids {
            self.unplug(*id)?;
        }
        log::info!("detached the namespace {namespace}");
        Ok(ids.len())
    }

    /// Takes everything out and gives it back; what fails is logged and does not stop the rest.
    pub(crate) fn dismantle(&mut self) {
        self.dismantle_cables();
        let ids: Vec<PortId> = self.plugs.keys().copied().collect();
        for id in ids {
            if let Err(error) = self.unplug(id) {
                log::warn!("cannot clean up after port {id}: {error}");
            }
        }
    }

    /// Removes all cables, many at a time: the kernel spends most of the time that it takes
    /// for one in waiting (`rcu_barrier`, `synchronize_net`), which several can do together. What
    /// fails is left for another try.
    fn dismantle_cables(&mut self) {
        let is_cable = |plug: &Plug| plug.kind.cable().is_some() && plug.kind.is_made();
        let cables: Vec<_> = self
            .plugs
            .iter()
            .filter(|(_, plug)| is_cable(plug))
            .collect();
        let (handle, owner) = (&self.handle, self.switch.as_str());
        let share = cables.len().div_ceil(TOGETHER).max(1);
        let removed: Vec<PortId> = thread::scope(|scope| {
            let threads: Vec<_> = cables
                .chunks(share)
                .filter_map(|share| {
                    let remove = move || remove_cables(share, handle, owner);
                    threads::room().ok()?;
                    thread::Builder::new()
                        .name("remove".to_owned())
                        .spawn_scoped(scope, remove)
                        .ok()
                })
                .collect();
            let shares = threads.into_iter().map(ScopedJoinHandle::join);
            shares.flat_map(Result::unwrap_or_default).collect()
        });
        for id in removed {
            if let Some(plug) = self.plugs.remove(&id) {
                self.captions.set(&plug.name, None);
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
            Ok(mut port) => {
                if let Err(error) = port.give_back() {
                    log::debug!("{}: {error}", plug.name);
                }
                drop(port);
            }
            // A switch that has stopped has dropped its ports.
            Err(ControlError::NoSuchPort(_) | ControlError::Stopped) => {}
            Err(error) => return Err(error.into()),
        }
        let removed = plug.kind.give_back(&mut self.tools(), &plug.facts());
        if removed.is_ok() {
            self.captions.set(&plug.name, None);
        } else {
            // It can be tried again: what is to be removed or restored is still known.
            self.plugs.insert(id, plug);
        }
        removed
    }
}

/// Takes ports out of the switch and removes their cables. Returns which are gone.
fn remove_cables(cables: &[(&PortId, &Plug)], handle: &Handle, owner: &str) -> Vec<PortId> {
    let mut netlink = match Netlink::open() {
        Ok(netlink) => netlink,
        Err(error) => {
            log::debug!("{error}");
            return Vec::new();
        }
    };
    let mut remove = |id: PortId, plug: &Plug| {
        let port = handle.remove_port(&plug.name);
        match remove_cable(&mut netlink, &plug.facts(), owner) {
            Ok(()) => Some(id),
            Err(error) => {
                log::debug!("cannot remove {}: {error}", plug.name);
                drop(port);
                None
            }
        }
    };
    cables
        .iter()
        .filter_map(|(id, plug)| remove(**id, plug))
        .collect()
}
