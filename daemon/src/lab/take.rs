//! Interfaces that were there before: plugged in as ports, and given back as they were.

use vswitch_netns::{Link, LinkChange, LinkError, Netlink, Quiet, QuietError};
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::{LinkState, PacketPort};

use super::losses::Ledger;
use super::{Kind, Lab, LabError, Plug};
use vswitch_control::marks::owner_of;
use vswitch_control::rights;

/// How an interface was before it became a port.
#[derive(Clone)]
pub(super) struct Former {
    pub(super) up: bool,
    pub(super) quiet: Quiet,
}

impl Lab {
    /// Plugs in an existing interface, which the host's own stack then leaves alone.
    ///
    /// # Errors
    /// See [`LabError`]; nothing is changed then. Without `force` also where a default route leads
    /// through the interface.
    pub(crate) fn take(&mut self, interface: &str, force: bool) -> Result<PortId, LabError> {
        rights::require("plug in an interface", rights::SWITCH)?;
        self.read_news();
        if let Some(id) = self.port_of_name(interface) {
            if !self.look_again(id)? {
                return Err(LabError::PortHere(interface.to_owned()));
            }
            self.unplug(id)?;
        }
        let link = self.netlink.link(interface)?;
        refuse_unfit(&link)?;
        if !force && let Some(through) = self.netlink.default_route_through(&link)? {
            return Err(LabError::Uplink {
                interface: interface.to_owned(),
                through: through.name,
            });
        }
        // Who holds this is alone with the interface: nothing was changed before.
        let port = self.prepared_port().open(interface)?;
        if !link.arp {
            self.restore_leftover(&link);
        }
        let link = self.netlink.link(interface)?;
        let former = Former {
            up: link.up,
            quiet: self.netlink.quiet(&link)?,
        };
        let id = match self.start(&link, port) {
            Ok(id) => id,
            Err(error) => {
                if let Err(error) = put_back(&mut self.netlink, &link, &former) {
                    log::warn!("cannot restore {interface}: {error}");
                }
                return Err(error);
            }
        };
        let mut plug = Plug::new(interface.to_owned(), &link, Kind::Taken(former));
        plug.ledger = Ledger::begin(self.lost_by(link.index));
        self.plugs.insert(id, plug);
        self.note_peer(id, &link);
        if let Err(error) = self.look_again(id) {
            log::warn!("cannot tell the state of port {id}: {error}");
        }
        log::info!("plugged in the interface {interface} as port {id}");
        Ok(id)
    }

    fn start(&mut self, link: &Link, port: PacketPort) -> Result<PortId, LabError> {
        self.netlink.set_up(link)?;
        self.captions.set(&link.name, None);
        Ok(self.handle.add_port(port)?)
    }

    /// The port of this name, if it is one of an interface that can be unplugged by itself.
    ///
    /// # Errors
    /// [`LabError::NoPort`], [`LabError::IsCable`].
    pub(crate) fn taken_port(&self, name: &str) -> Result<PortId, LabError> {
        let Some(id) = self.port_of_name(name) else {
            return Err(LabError::NoPort {
                switch: self.switch.to_string(),
                port: vswitch_control::plain::text(name).into_owned(),
            });
        };
        if let Some(namespace) = self.plugs.get(&id).and_then(|plug| plug.kind.namespace()) {
            return Err(LabError::IsCable {
                port: name.to_owned(),
                namespace: namespace.to_owned(),
            });
        }
        Ok(id)
    }

    /// Unplugs an interface and restores it.
    ///
    /// # Errors
    /// [`LabError::NoPort`], [`LabError::IsCable`], or what the kernel refuses.
    pub(crate) fn give_back(&mut self, name: &str) -> Result<(), LabError> {
        let id = self.taken_port(name)?;
        self.unplug(id)?;
        log::info!("unplugged the interface {name}");
        Ok(())
    }

    /// Restores an interface, if it is still there.
    pub(super) fn restore(&mut self, plug: &Plug, former: &Former) -> Result<(), LabError> {
        if plug.link == LinkState::Absent {
            return Ok(());
        }
        let Some(link) = self.netlink.link_by_index(plug.ifindex)? else {
            return Ok(());
        };
        put_back(&mut self.netlink, &link, former)
    }
}

/// Gives an interface back as it was; one that has gone is none.
pub(super) fn put_back(
    netlink: &mut Netlink,
    link: &Link,
    former: &Former,
) -> Result<(), LabError> {
    let state = LinkChange::new().up(former.up);
    match netlink.unquiet(&former.quiet) {
        Ok(()) => {}
        // It has gone in this very moment.
        Err(QuietError::Link(LinkError::NotFound { .. })) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    match netlink.change_link(link, &state) {
        Err(LinkError::NotFound { .. }) => Ok(()),
        other => Ok(other?),
    }
}

/// Refuses what cannot be a port, or is already used by something else.
pub(super) fn refuse_unfit(link: &Link) -> Result<(), LabError> {
    let interface = link.name.clone();
    if !link.is_ethernet() {
        return Err(LabError::NotEthernet(interface));
    }
    if let Some(switch) = owner_of(link) {
        let switch = switch.to_owned();
        return Err(LabError::CableEnd { interface, switch });
    }
    if link.master.is_some() {
        return Err(LabError::Enslaved(interface));
    }
    Ok(())
}
