//! The ports as they are kept on disk.

use vswitch_netns::{Link, Quiet};
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::LinkState;

use super::losses::Ledger;
use super::origin::Origin;
use super::take::Former;
use super::{Kind, Lab, Plug};
use crate::handover::HandedPlug;
use crate::state::{SavedFormer, SavedKind, SavedPort};

impl Lab {
    /// All ports but those that are about to go.
    pub(crate) fn saved(&self, going: &[PortId]) -> Vec<SavedPort> {
        let staying = self.plugs.iter().filter(|(id, _)| !going.contains(id));
        staying.map(|(id, plug)| saved(*id, plug)).collect()
    }

    /// All ports, for another process.
    pub(crate) fn handed(&self) -> Vec<HandedPlug> {
        let plugs = self.plugs.iter();
        plugs
            .map(|(id, plug)| {
                let (lost_before, lost) = plug.ledger.as_backlog();
                HandedPlug {
                    saved: saved(*id, plug),
                    mac: plug.mac,
                    link: plug.link,
                    lost_before,
                    lost,
                    ledger: Some(plug.ledger.clone()),
                }
            })
            .collect()
    }

    /// Takes over the ports of another process, whose switch is taken over besides.
    pub(crate) fn take_over(&mut self, ports: Vec<HandedPlug>) {
        for handed in ports {
            let saved = handed.saved;
            let kind = Kind::recalled(saved.kind);
            self.captions.set(&saved.name, kind.namespace());
            let mut interface = Link::default();
            interface.index = saved.ifindex;
            interface.name = saved.interface;
            interface.mac = handed.mac;
            let mut plug = Plug::new(saved.name, &interface, kind);
            plug.link = handed.link;
            plug.settings = saved.settings;
            plug.ledger = handed
                .ledger
                .unwrap_or_else(|| Ledger::of_backlog(handed.lost_before, handed.lost));
            self.plugs.insert(PortId(saved.id), plug);
            // The predecessor may not have come to its last round.
            self.announce_soon(PortId(saved.id));
        }
    }

    /// Looks at every link, and for every one that is gone.
    pub(crate) fn look_around(&mut self) {
        for id in self.deaf() {
            if let Err(error) = self.note(id, LinkState::Absent) {
                log::warn!("cannot tell the state of port {id}: {error}");
            }
        }
        let all: Vec<_> = self.plugs.keys().copied().collect();
        for id in all {
            if let Err(error) = self.look_again(id) {
                log::warn!("cannot tell the state of port {id}: {error}");
            }
            self.come_back(id);
        }
    }

    /// Whether a port has changed by itself since this was asked last: its interface is called
    /// otherwise, or is another one.
    pub(crate) const fn take_changed(&mut self) -> bool {
        std::mem::replace(&mut self.changed, false)
    }
}

fn saved(id: PortId, plug: &Plug) -> SavedPort {
    let is_gone = plug.link == LinkState::Absent;
    SavedPort {
        id: id.0,
        name: plug.name.clone(),
        interface: plug.interface.clone(),
        ifindex: if is_gone { 0 } else { plug.ifindex },
        settings: plug.settings.clone(),
        kind: match &plug.kind {
            Kind::Taken(former) => SavedKind::Taken(former.saved()),
            Kind::Cable {
                namespace,
                peer,
                addresses,
                former,
                origin,
            } => SavedKind::Cable {
                namespace: namespace.clone(),
                peer: peer.clone(),
                addresses: addresses.clone(),
                former: former.as_ref().map(Former::saved),
                home: origin.home.clone(),
                source: origin.source.clone(),
            },
        },
    }
}

impl Former {
    fn saved(&self) -> SavedFormer {
        SavedFormer::new(self.up, self.quiet.before())
    }

    /// What was kept of `link`.
    pub(super) fn recalled(link: Link, saved: &SavedFormer) -> Self {
        Self {
            up: saved.up,
            quiet: Quiet::recalled(link, saved.before()),
        }
    }
}

impl Kind {
    /// As it was kept. The interface is yet to be found.
    pub(super) fn recalled(saved: SavedKind) -> Self {
        let former = |saved: &SavedFormer| Former::recalled(Link::default(), saved);
        match saved {
            SavedKind::Taken(saved) => Self::Taken(former(&saved)),
            SavedKind::Cable {
                namespace,
                peer,
                addresses,
                former: saved,
                home,
                source,
            } => Self::Cable {
                namespace,
                peer,
                addresses,
                former: saved.as_ref().map(former),
                origin: Origin::recalled(home, source),
            },
        }
    }

    /// The namespace behind it, where that is known.
    pub(super) fn namespace(&self) -> Option<&str> {
        match self {
            Self::Cable { namespace, .. } => Some(namespace),
            Self::Taken(_) => None,
        }
    }
}
