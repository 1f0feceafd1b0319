//! Ports that come back: those of a switch that was killed, and those whose interface was gone.
//!
//! Theory of operation. A port whose interface is gone keeps its place in the switch, without
//! sockets. It is the port of whatever interface bears its interface's name next: the same one,
//! back from another namespace, or another that was made in its place. Of our own making is what
//! carries our alias; all else was there before, and is given back as it was. The ports of a
//! switch that was killed come back the same way; only that their interfaces are still quiet.

use std::thread;
use std::time::{Duration, Instant};

use vswitch_netns::{Link, LinkError};
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::{LinkState, PacketError, PacketPort, VacantPort};
use vswitch_switch::threads;

use super::links::state_of;
use super::take::{Former, put_back, refuse_unfit};
use super::{Kind, Lab, LabError, Plug};
use crate::state::SavedPort;
use vswitch_control::marks::{GROUP, owner_of};

/// How long a process that was killed may take to let go of its interfaces.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is tried meanwhile.
const INTERVAL: Duration = Duration::from_millis(5);
/// The MTU that is told of a port which never had an interface, in bytes.
const UNKNOWN_MTU: usize = 0;

impl Lab {
    /// Has the ports back that were kept. One whose interface is gone is absent.
    ///
    /// # Errors
    /// Where the switch does not take a port: a number or name is there twice.
    pub(crate) fn recall(&mut self, ports: Vec<SavedPort>) -> Result<(), LabError> {
        self.recalled_at = Some(Instant::now());
        for saved in ports {
            let id = PortId(saved.id);
            let kind = Kind::recalled(saved.kind);
            self.captions.set(&saved.name, kind.namespace());
            let vacant = VacantPort::new(saved.name.clone(), UNKNOWN_MTU);
            self.handle.add_port_at(id, vacant, LinkState::Absent)?;
            let mut gone = Link::default();
            gone.index = saved.ifindex;
            gone.name = saved.interface;
            let mut plug = Plug::new(saved.name, &gone, kind);
            plug.link = LinkState::Absent;
            self.handle.set_port(&plug.name, saved.settings.bounds())?;
            plug.settings = saved.settings;
            self.plugs.insert(id, plug);
            self.come_back(id);
            if let Some(plug) = self.plugs.get(&id)
                && plug.link == LinkState::Absent
                && plug.complaint.is_none()
            {
                log::info!(
                    "port {id} ({}) waits for its interface {}",
                    plug.name,
                    plug.interface
                );
            }
        }
        Ok(())
    }

    /// Plugs the interface of an absent port in again, if there is one. What is in the way is
    /// logged, once.
    pub(super) fn come_back(&mut self, id: PortId) {
        let Some(plug) = self.plugs.get(&id) else {
            return;
        };
        if plug.link != LinkState::Absent {
            return;
        }
        let interface = plug.interface.clone();
        let outcome = match self.netlink.find_link(&interface) {
            Ok(None) => return,
            Ok(Some(link)) => self.plug_again(id, &link),
            Err(error) => Err(error.into()),
        };
        let Some(plug) = self.plugs.get_mut(&id) else {
            return;
        };
        match outcome {
            Ok(()) => {
                plug.complaint = None;
                let state = plug.link.as_str();
                log::info!("port {id} ({}) is back, and {state}", plug.name);
                self.changed = true;
                self.announce_soon(id);
                // While nobody looked, anybody may have changed it.
                self.keep_quiet(id);
            }
            Err(error) => {
                let complaint = error.to_string();
                if plug.complaint.as_ref() != Some(&complaint) {
                    log::warn!("port {id} ({}) cannot come back: {complaint}", plug.name);
                    plug.complaint = Some(complaint);
                }
            }
        }
    }

    fn plug_again(&mut self, id: PortId, link: &Link) -> Result<(), LabError> {
        let is_ours = owner_of(link) == Some(self.switch.as_str());
        if link.group == GROUP && owner_of(link).is_none() {
            return Err(LabError::BeingMade(link.name.clone()));
        }
        if !is_ours {
            refuse_unfit(link)?;
        }
        // Who holds this is alone with the interface: nothing was changed before.
        let port = self.open_again(link)?;
        let former = self.quiet_again(id, link)?;
        let plugged = self.take_place(id, link, port, (!is_ours).then(|| former.clone()));
        if plugged.is_err()
            && !is_ours
            && let Err(error) = put_back(&mut self.netlink, link, &former)
        {
            log::warn!("cannot restore {}: {error}", link.name);
        }
        plugged
    }

    /// Opens the interface; where this switch itself has not closed it yet, or the process that was
    /// killed, it waits for that.
    fn open_again(&mut self, link: &Link) -> Result<PacketPort, LabError> {
        loop {
            match self.prepared_port().open(&link.name) {
                Err(PacketError::InUse { .. }) if !self.closing.is_empty() => {
                    for thread in self.closing.drain(..) {
                        let _ = thread.join();
                    }
                }
                Err(PacketError::InUse { .. }) if self.is_predecessor_leaving() => {
                    thread::sleep(INTERVAL);
                }
                opened => return Ok(opened?),
            }
        }
    }

    /// Whether the process that was killed may still have interfaces: its lock is free before all
    /// that it had is closed.
    fn is_predecessor_leaving(&self) -> bool {
        self.recalled_at
            .is_some_and(|begin| begin.elapsed() < PATIENCE)
    }

    /// Puts the port into the place that waits for it.
    fn take_place(
        &mut self,
        id: PortId,
        link: &Link,
        port: PacketPort,
        former: Option<Former>,
    ) -> Result<(), LabError> {
        let gone = || {
            LabError::from(LinkError::NotFound {
                name: link.name.clone(),
            })
        };
        let link = self.netlink.link_by_index(link.index)?.ok_or_else(gone)?;
        let losses = self.lost_by(link.index);
        let Some(plug) = self.plugs.get_mut(&id) else {
            return Ok(());
        };
        let state = state_of(Some(&link));
        let port = port.named(plug.name.clone());
        drop(self.handle.replace_port(port, state)?);
        if former.is_some() {
            plug.forget_origin();
        }
        match (&mut plug.kind, former) {
            (Kind::Taken(taken), Some(former)) => *taken = former,
            (Kind::Taken(_), None) => {}
            (Kind::Cable { former: taken, .. }, former) => *taken = former,
        }
        plug.ifindex = link.index;
        plug.mac = link.mac;
        plug.link = state;
        // What was lost before it was a port again is not the port's.
        plug.ledger.go_on(losses);
        plug.peer = None;
        self.note_peer(id, &link);
        if owner_of(&link) == Some(self.switch.as_str()) {
            self.set_tags_aside(id, &link);
        }
        Ok(())
    }

    /// Makes the interface quiet, unless it is so still, and switches it on then. Gives how it was
    /// before it was a port.
    fn quiet_again(&mut self, id: PortId, link: &Link) -> Result<Former, LabError> {
        let known = self.plugs.get(&id).and_then(Plug::former);
        let known = known.map(|former| (former.up, former.quiet.before().clone()));
        if self.netlink.is_quiet(link)
            && let Some((up, before)) = &known
        {
            return Ok(Former {
                up: *up,
                quiet: vswitch_netns::Quiet::recalled(link.clone(), before.clone()),
            });
        }
        let quiet = self.netlink.quiet(link)?;
        if let Err(error) = self.netlink.set_up(link) {
            let _ = self.netlink.unquiet(&quiet);
            return Err(error.into());
        }
        let mut before = quiet.before().clone();
        // It may be the same one, and without ARP and addresses through us.
        if let Some((_, known)) = &known {
            before.arp |= known.arp;
            let lost = known.ipv6_addresses.iter();
            let lost: Vec<_> = lost
                .filter(|address| !before.ipv6_addresses.contains(address))
                .copied()
                .collect();
            before.ipv6_addresses.extend(lost);
        }
        let up = known.map_or(link.up, |(up, _)| up);
        let quiet = vswitch_netns::Quiet::recalled(link.clone(), before);
        Ok(Former { up, quiet })
    }

    /// Leaves the place of a port empty whose interface is gone: its sockets are closed.
    pub(super) fn vacate(&mut self, id: PortId) -> Result<(), LabError> {
        let Some(plug) = self.plugs.get(&id) else {
            return Ok(());
        };
        let infos = self.handle.ports()?;
        let mtu = infos.iter().find(|info| info.id == id);
        let mtu = mtu.map_or(UNKNOWN_MTU, |info| info.mtu_bytes);
        let vacant = VacantPort::new(plug.name.clone(), mtu);
        let port = self.handle.replace_port(vacant, LinkState::Absent)?;
        // Nobody has to wait until its ring is gone; without a thread it is closed here and now.
        let closing = threads::spawn("close", move || drop(port));
        self.closing.retain(|thread| !thread.is_finished());
        self.closing.extend(closing);
        Ok(())
    }
}
