//! What is attached where: the ports of the switch, and the interfaces and namespaces behind
//! them.

mod announce;
mod attach;
mod detach;
mod error;
mod error_data;
mod fit;
mod home;
mod kinds;
mod leftovers;
mod limits;
mod links;
mod losses;
mod meddling;
mod origin;
mod plan;
mod readdress;
mod recall;
mod saved;
mod sockets;
mod spares;
mod view;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_netns::{Link, LinkMonitor, MacBytes, Netlink};
use vswitch_switch::Handle;
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::{LinkState, PreparedPort};

use super::capture::Captions;
use super::namespaces::Namespaces;
use vswitch_control::marks::ALIAS_PREFIX;
use vswitch_control::names::SwitchName;
use vswitch_control::settings::{PortSettings, SwitchSettings};

use announce::Announcements;
use kinds::{Kind, Tools};
use losses::Backlogs;
pub(crate) use losses::Ledger;
use meddling::Meddling;
use sockets::Sockets;

pub(crate) use error::LabError;
pub(crate) use home::Home;
#[cfg(test)]
pub(crate) use kinds::SavedCable;
pub(crate) use kinds::{DeviceError, SavedKind, open_device};
pub(super) use leftovers::{give_back, remove_killed};

/// All that the daemon has plugged into its switch.
pub(crate) struct Lab {
    switch: SwitchName,
    handle: Handle,
    /// The namespace of the daemon, where the switch-side ends are.
    netlink: Netlink,
    /// News of the links there.
    news: LinkMonitor,
    subnet: Option<IpNet>,
    sockets: Sockets,
    plugs: BTreeMap<PortId, Plug>,
    backlogs: Backlogs,
    captions: Captions,
    /// Whether something has changed by itself that is to be kept on disk.
    changed: bool,
    namespaces: Namespaces,
    announcements: Announcements,
}

/// A port, and what it is plugged into.
struct Plug {
    /// The port's name: that of the interface when it was plugged in.
    name: String,
    /// What the interface is called now.
    interface: String,
    /// The interface. The index may be taken over once the interface is gone.
    ifindex: u32,
    /// Its address, by which it is known where news of it was lost.
    mac: Option<MacBytes>,
    link: LinkState,
    /// What it has lost outside the switch.
    ledger: Ledger,
    /// The other end of its cable, as it was seen last; none if that is not known.
    peer: Option<Link>,
    /// The MTU of its own end, as it was seen then.
    own_mtu_bytes: Option<usize>,
    /// What it is plugged into.
    kind: Box<dyn Kind>,
    /// What is set for it alone.
    settings: PortSettings,
    /// Why it could not come back, as it was told last.
    complaint: Option<String>,
    /// Whether somebody changes its interface.
    meddling: Meddling,
}

impl Plug {
    /// A port on `link`, which was just plugged in.
    fn new(name: String, link: &Link, kind: Box<dyn Kind>) -> Self {
        Self {
            name,
            interface: link.name.clone(),
            ifindex: link.index,
            mac: link.mac,
            link: LinkState::Up,
            ledger: Ledger::default(),
            peer: None,
            own_mtu_bytes: None,
            kind,
            settings: PortSettings::default(),
            complaint: None,
            meddling: Meddling::default(),
        }
    }

    /// Whether the other end of its cable sends longer frames than an interface of this MTU takes;
    /// `None` if that is not known.
    fn peer_is_wider(&self, mtu_bytes: u64) -> Option<bool> {
        let peer = self.peer.as_ref()?;
        Some(u64::from(peer.mtu_bytes) > mtu_bytes)
    }

    /// Whether a link of another namespace is the other end of its cable, whatever it is called.
    fn is_joined_with(&self, link: &Link) -> bool {
        link.peer_index == Some(self.ifindex)
    }
}

impl Lab {
    /// A lab without ports.
    ///
    /// # Errors
    /// Where the kernel cannot be spoken with.
    pub(crate) fn new(
        switch: SwitchName,
        handle: Handle,
        settings: &SwitchSettings,
        namespaces: Namespaces,
    ) -> Result<Self, LabError> {
        Ok(Self {
            switch,
            handle,
            netlink: Netlink::open()?,
            news: LinkMonitor::open_with_addresses()?,
            subnet: settings.subnet.map(|subnet| subnet.0),
            sockets: Sockets::new(settings),
            plugs: BTreeMap::new(),
            backlogs: Backlogs::default(),
            captions: Captions::default(),
            changed: false,
            namespaces,
            announcements: Announcements::new().map_err(LabError::Timer)?,
        })
    }

    /// What opens namespaces.
    pub(crate) const fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// What speaks with the switch.
    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// What is behind each port.
    pub(crate) fn captions(&self) -> Captions {
        self.captions.clone()
    }

    /// Takes over what is set: addresses are taken from its subnet from now on, and ports to come get
    /// rings of its number of slots; those there are keep theirs.
    pub(crate) fn set(&mut self, settings: &SwitchSettings) {
        self.subnet = settings.subnet.map(|subnet| subnet.0);
        self.sockets.set(settings);
    }

    /// The next port, as far as it can be made without its interface.
    fn prepared_port(&mut self) -> PreparedPort {
        self.sockets.prepared(self.plugs.len())
    }

    /// What opens and changes interfaces.
    fn tools(&mut self) -> Tools<'_> {
        Tools {
            switch: &self.switch,
            netlink: &mut self.netlink,
            sockets: &mut self.sockets,
            namespaces: &self.namespaces,
            may_make: false,
            ports: self.plugs.len(),
        }
    }

    fn alias(&self) -> String {
        format!("{ALIAS_PREFIX}{}", self.switch)
    }

    /// All ports of a namespace, or its port of this name.
    pub(crate) fn ports_of_namespace(&self, wanted: &str, port: Option<&str>) -> Vec<PortId> {
        let is_wanted = |plug: &Plug| {
            plug.kind.namespace() == Some(wanted) && port.is_none_or(|port| plug.name == port)
        };
        let found = self.plugs.iter().filter(|(_, plug)| is_wanted(plug));
        found.map(|(id, _)| *id).collect()
    }

    fn port_of_name(&self, name: &str) -> Option<PortId> {
        let (id, _) = self.plugs.iter().find(|(_, plug)| plug.name == name)?;
        Some(*id)
    }

    /// The addresses that are given out.
    fn used_addresses(&self) -> impl Iterator<Item = IpAddr> {
        let present = self
            .plugs
            .values()
            .filter(|plug| plug.link != LinkState::Absent);
        let cables = present.filter_map(|plug| plug.kind.cable());
        cables.flat_map(|cable| cable.addresses.iter().map(IpNet::addr))
    }
}

/// Whether an attachment could be tried, and into which namespace; nothing is done.
///
/// # Errors
/// Where something in it is wrong by itself.
pub(super) fn foresee(
    params: &vswitch_control::protocol::AttachParams,
    subnet: Option<IpNet>,
) -> Result<String, LabError> {
    plan::Plan::new(params, subnet).map(|plan| plan.namespace.to_string())
}
