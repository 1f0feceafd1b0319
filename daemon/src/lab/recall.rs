//! Ports that come back: those of a switch that was killed, and those whose interface was gone.
//!
//! Theory of operation. A port whose interface is gone keeps its place in the switch, without
//! sockets. It is the port of whatever interface bears its interface's name next: the same one,
//! back from another namespace, or another that was made in its place. Of our own making is what
//! carries our alias; all else was there before, and is given back as it was. The ports of a
//! switch that was killed come back the same way; only that their interfaces are still quiet.

use vswitch_netns::Link;
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::{LinkState, VacantPort};

use super::kinds::{Facts, Kind, Reopened, Tools};
use super::links::state_of;
use super::{Lab, LabError, Plug};
use crate::state::SavedPort;

/// The MTU that is told of a port which never had an interface, in bytes.
const UNKNOWN_MTU: usize = 0;

impl Lab {
    /// Has the ports back that were kept. One whose interface is gone is absent.
    ///
    /// # Errors
    /// Where the switch does not take a port: a number or name is there twice.
    pub(crate) fn recall(&mut self, ports: Vec<SavedPort>) -> Result<(), LabError> {
        self.sockets.begin_recall();
        for saved in ports {
            let id = PortId(saved.id);
            let kind = saved.kind.recalled();
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
            self.try_again(id, true);
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
        self.try_again(id, false);
    }

    /// The same; a device that is missing and was made for the port is made again, if it `may_make`.
    fn try_again(&mut self, id: PortId, may_make: bool) {
        let Some(plug) = self.plugs.get(&id) else {
            return;
        };
        if plug.link != LinkState::Absent {
            return;
        }
        let interface = plug.interface.clone();
        let outcome = match self.netlink.find_link(&interface) {
            Ok(link) => self.plug_again(id, link.as_ref(), may_make),
            Err(error) => Err(error.into()),
        };
        let Some(plug) = self.plugs.get_mut(&id) else {
            return;
        };
        match outcome {
            Ok(false) => {}
            Ok(true) => {
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

    /// Opens the interface of an absent port and puts the port into the place that waits for it.
    /// Whether there was something to open.
    fn plug_again(
        &mut self,
        id: PortId,
        link: Option<&Link>,
        may_make: bool,
    ) -> Result<bool, LabError> {
        let ports = self.plugs.len();
        let Some(plug) = self.plugs.get(&id) else {
            return Ok(false);
        };
        let facts = plug.facts();
        let mut tools = Tools {
            switch: &self.switch,
            netlink: &mut self.netlink,
            sockets: &mut self.sockets,
            namespaces: &self.namespaces,
            may_make,
            ports,
        };
        let Some(Reopened { port, link, kind }) = plug.kind.reopen(&mut tools, &facts, link)?
        else {
            return Ok(false);
        };
        let state = state_of(Some(&link));
        if let Err(error) = self.handle.replace_port(port, state) {
            let now = Facts {
                ifindex: link.index,
                link: state,
                ..facts
            };
            // One of our making is tried again, or removed with the port.
            if !kind.is_made()
                && let Err(error) = kind.give_back(&mut self.tools(), &now)
            {
                log::warn!("cannot restore {}: {error}", link.name);
            }
            return Err(error.into());
        }
        self.note_again(id, kind, &link, state);
        Ok(true)
    }

    /// Notes what a port is plugged into now.
    fn note_again(&mut self, id: PortId, kind: Box<dyn Kind>, link: &Link, state: LinkState) {
        let losses = self.lost_by(link.index);
        let Some(plug) = self.plugs.get_mut(&id) else {
            return;
        };
        let takes_tags_aside = kind.cable().is_some() && kind.is_made();
        plug.kind = kind;
        plug.ifindex = link.index;
        plug.mac = link.mac;
        plug.link = state;
        // What was lost before it was a port again is not the port's.
        plug.ledger.go_on(losses);
        plug.peer = None;
        self.note_peer(id, link);
        if takes_tags_aside {
            self.set_tags_aside(id, link);
        }
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
        self.sockets.close(port);
        Ok(())
    }
}
