//! What is attached where: the ports of the switch, and the interfaces and namespaces behind
//! them.

mod announce;
mod attach;
mod detach;
mod error;
mod error_data;
mod fit;
mod home;
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
mod spares;
mod take;
mod view;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::thread::JoinHandle;
use std::time::Instant;

use ipnet::IpNet;
use vswitch_netns::{Link, LinkMonitor, MacBytes, Netlink, Quiet};
use vswitch_switch::Handle;
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::{LinkState, PacketOptions, PreparedPort, ReceivePath};

use super::capture::Captions;
use super::namespaces::Namespaces;
use vswitch_control::marks::ALIAS_PREFIX;
use vswitch_control::names::SwitchName;
use vswitch_control::settings::{Number, PortSettings, SwitchSettings};

use announce::Announcements;
use losses::Backlogs;
pub(crate) use losses::Ledger;
use meddling::Meddling;
use spares::Spares;

pub(crate) use error::LabError;
pub(crate) use home::Home;
pub(super) use leftovers::{give_back, remove_killed};

/// Slots in the rings of the ports up to that number, where no number of slots was chosen: 56 MiB
/// for the first 16 ports, 28 MiB for the next 16. The kernel never swaps a ring: hundreds of large
/// ones would be gigabytes.
const LARGE_RINGS: [(usize, usize); 2] = [(16, 2048), (32, 1024)];
/// Slots in the ring of any further port: 448 KiB.
const SMALL_RING_SLOTS: usize = 256;

/// All that the daemon has plugged into its switch.
pub(crate) struct Lab {
    switch: SwitchName,
    handle: Handle,
    /// The namespace of the daemon, where the switch-side ends are.
    netlink: Netlink,
    /// News of the links there.
    news: LinkMonitor,
    subnet: Option<IpNet>,
    receive: ReceivePath,
    /// Slots in the ring of each port; if none is chosen, by the number of ports.
    ring_slots: Option<u32>,
    spares: Spares,
    plugs: BTreeMap<PortId, Plug>,
    backlogs: Backlogs,
    captions: Captions,
    /// Whether something has changed by itself that is to be kept on disk.
    changed: bool,
    /// Ports whose sockets are being closed, and with them their claims.
    closing: Vec<JoinHandle<()>>,
    /// When it began to have the ports back of a switch that was killed.
    recalled_at: Option<Instant>,
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
    kind: Kind,
    /// What is set for it alone.
    settings: PortSettings,
    /// Why it could not come back, as it was told last.
    complaint: Option<String>,
    /// Whether somebody changes its interface.
    meddling: Meddling,
}

/// Whence the interface of a port comes.
enum Kind {
    /// One end of a veth pair of our making.
    Cable {
        /// The namespace of the other end.
        namespace: String,
        /// The other end.
        peer: String,
        /// Its addresses.
        addresses: Vec<IpNet>,
        /// How our end was before, where somebody else has made it in the place of ours.
        former: Option<take::Former>,
        /// Which namespace that is, and how it was found.
        origin: origin::Origin,
    },
    /// It was there before, and will be as it was.
    Taken(take::Former),
}

impl Plug {
    /// A port on `link`, which was just plugged in.
    fn new(name: String, link: &Link, kind: Kind) -> Self {
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

    /// Notes the interface as it is now, so that it can be given back.
    fn remember(&mut self, link: &Link) {
        let former = match &mut self.kind {
            Kind::Cable { former, .. } => former.as_mut(),
            Kind::Taken(former) => Some(former),
        };
        if let Some(former) = former {
            former.quiet = Quiet::recalled(link.clone(), former.quiet.before().clone());
        }
    }

    /// Whether a link of another namespace is the other end of its cable, whatever it is called.
    fn is_joined_with(&self, link: &Link) -> bool {
        link.peer_index == Some(self.ifindex)
    }

    /// How its interface was before; none if we made it, which goes with the port.
    const fn former(&self) -> Option<&take::Former> {
        match &self.kind {
            Kind::Cable { former, .. } => former.as_ref(),
            Kind::Taken(former) => Some(former),
        }
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
        let mut lab = Self {
            switch,
            handle,
            netlink: Netlink::open()?,
            news: LinkMonitor::open_with_addresses()?,
            subnet: settings.subnet.map(|subnet| subnet.0),
            receive: settings.receive.unwrap_or_default().path(),
            ring_slots: settings.ring_slots.map(Number::get),
            spares: Spares::default(),
            plugs: BTreeMap::new(),
            backlogs: Backlogs::default(),
            captions: Captions::default(),
            changed: false,
            closing: Vec::new(),
            recalled_at: None,
            namespaces,
            announcements: Announcements::new().map_err(LabError::Timer)?,
        };
        let options = lab.packet_options();
        lab.spares.order(&options);
        Ok(lab)
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
        self.ring_slots = settings.ring_slots.map(Number::get);
    }

    /// The next port, as far as it can be made without its interface.
    fn prepared_port(&mut self) -> PreparedPort {
        let options = self.packet_options();
        self.spares.take(&options)
    }

    /// How the next port is to be opened.
    fn packet_options(&self) -> PacketOptions {
        PacketOptions {
            receive: self.receive,
            ring_slots: ring_slots(self.ring_slots, self.plugs.len()),
        }
    }

    fn alias(&self) -> String {
        format!("{ALIAS_PREFIX}{}", self.switch)
    }

    /// All ports of a namespace, or its port of this name.
    pub(crate) fn ports_of_namespace(&self, wanted: &str, port: Option<&str>) -> Vec<PortId> {
        let is_wanted = |plug: &Plug| {
            matches!(&plug.kind, Kind::Cable { namespace, .. } if namespace == wanted)
                && port.is_none_or(|port| plug.name == port)
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
        present.flat_map(|plug| match &plug.kind {
            Kind::Cable { addresses, .. } => addresses.iter().map(IpNet::addr).collect(),
            Kind::Taken(_) => Vec::new(),
        })
    }
}

/// Slots in the ring of the next port, where there are so many already.
fn ring_slots(chosen: Option<u32>, ports: usize) -> usize {
    if let Some(slots) = chosen.and_then(|slots| usize::try_from(slots).ok()) {
        return slots;
    }
    let mut large = LARGE_RINGS.into_iter();
    let fitting = large.find(|(up_to, _)| ports < *up_to);
    fitting.map_or(SMALL_RING_SLOTS, |(_, slots)| slots)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_get_smaller_with_the_number_of_ports_unless_a_size_was_chosen() {
        let slots = |ports| ring_slots(None, ports);
        assert_eq!(
            [0, 15, 16, 31, 32, 499].map(slots),
            [2048, 2048, 1024, 1024, 256, 256]
        );
        assert_eq!(
            [0, 31, 499].map(|ports| ring_slots(Some(4096), ports)),
            [4096; 3]
        );
        // 500 ports: the kernel holds 213 MiB for their rings.
        let held: usize = (0..500).map(|ports| slots(ports) * 2048).sum();
        assert!(held <= 340 << 20, "{held}");
    }
}
