//! The ports as they are kept on disk.

use vswitch_netns::{Link, Quiet};
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::LinkState;

use super::take::Former;
use super::{Kind, Lab, Plug};
use crate::daemon::state::{SavedFormer, SavedKind, SavedPort};

impl Lab {
    /// All ports but those that are about to go.
    pub(crate) fn saved(&self, going: &[PortId]) -> Vec<SavedPort> {
        let staying = self.plugs.iter().filter(|(id, _)| !going.contains(id));
        staying.map(|(id, plug)| saved(*id, plug)).collect()
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
        settings: plug.settings,
        kind: match &plug.kind {
            Kind::Taken(former) => SavedKind::Taken(former.saved()),
            Kind::Cable {
                namespace,
                peer,
                addresses,
                former,
            } => SavedKind::Cable {
                namespace: namespace.clone(),
                peer: peer.clone(),
                addresses: addresses.clone(),
                former: former.as_ref().map(Former::saved),
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
            } => Self::Cable {
                namespace,
                peer,
                addresses,
                former: saved.as_ref().map(former),
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
