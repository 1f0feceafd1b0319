//! Veth pairs to namespaces, which `attach` makes.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use vswitch_netns::{Link, LinkError, Netlink};
use vswitch_switch::port::LinkState;

use super::device::Opener;
use super::former::{Former, open_again};
use super::{Facts, Kind, Reopened, SavedKind, Tools};
use crate::lab::{Home, LabError, origin::Origin};
use crate::state::SavedFormer;
use vswitch_control::marks::owner_of;
use vswitch_control::protocol::NamespaceSource;

/// One end of a veth pair to a namespace.
#[derive(Clone)]
pub(in crate::lab) struct Cable {
    /// The namespace of the other end.
    pub(in crate::lab) namespace: String,
    /// The other end.
    pub(in crate::lab) peer: String,
    /// Its addresses.
    pub(in crate::lab) addresses: Vec<IpNet>,
    /// How our end was before, where another program has made it in the place of ours.
    pub(super) former: Option<Former>,
    /// Which namespace that is, and how it was found.
    pub(in crate::lab) origin: Origin,
}

/// A cable as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The namespace.
    pub(crate) namespace: String,
    /// The end in it.
    pub(crate) peer: String,
    /// The addresses of that.
    pub(crate) addresses: Vec<IpNet>,
    /// How our end was before, where it was not we who made it.
    #[serde(default)]
    pub(crate) former: Option<SavedFormer>,
    /// Which namespace it was.
    #[serde(default)]
    pub(crate) home: Option<Home>,
    /// How it was found, unless by its name under `/run/netns`.
    #[serde(default)]
    pub(crate) source: Option<NamespaceSource>,
}

/// A cable is made by `attach`.
pub(super) const MAKER: Option<super::Maker> = None;

/// No device is behind it.
pub(super) const OPENER: Option<Opener> = None;

pub(super) fn recalled(saved: Saved) -> Cable {
    let former = |saved| Former::recalled(Link::default(), saved);
    Cable {
        namespace: saved.namespace,
        peer: saved.peer,
        addresses: saved.addresses,
        former: saved.former.as_ref().map(former),
        origin: Origin::recalled(saved.home, saved.source),
    }
}

impl Cable {
    /// One that was just made.
    pub(in crate::lab) const fn new(
        namespace: String,
        peer: String,
        addresses: Vec<IpNet>,
        origin: Origin,
    ) -> Self {
        Self {
            namespace,
            peer,
            addresses,
            former: None,
            origin,
        }
    }
}

impl Kind for Cable {
    fn saved(&self) -> SavedKind {
        SavedKind::Cable(Saved {
            namespace: self.namespace.clone(),
            peer: self.peer.clone(),
            addresses: self.addresses.clone(),
            former: self.former.as_ref().map(Former::saved),
            home: self.origin.home.clone(),
            source: self.origin.source.clone(),
        })
    }

    fn cable(&self) -> Option<&Cable> {
        Some(self)
    }

    fn cable_mut(&mut self) -> Option<&mut Cable> {
        Some(self)
    }

    fn is_made(&self) -> bool {
        self.former.is_none()
    }

    fn remember(&mut self, link: &Link) {
        if let Some(former) = &mut self.former {
            former.remember(link);
        }
    }

    fn reopen(
        &self,
        tools: &mut Tools<'_>,
        facts: &Facts,
        link: Option<&Link>,
    ) -> Result<Option<Reopened>, LabError> {
        let Some(link) = link else { return Ok(None) };
        let again = open_again(tools, facts, self.former.as_ref(), link)?;
        let mut kind = self.clone();
        if again.former.is_some() {
            // It is another cable, of another program's making.
            kind.origin = Origin::default();
        }
        kind.former = again.former;
        Ok(Some(Reopened {
            port: Box::new(again.port),
            link: again.link,
            kind: Box::new(kind),
        }))
    }

    fn give_back(&self, tools: &mut Tools<'_>, facts: &Facts) -> Result<(), LabError> {
        match &self.former {
            Some(former) => former.restore(tools.netlink, facts),
            None => Ok(remove(tools.netlink, facts, tools.switch.as_str())?),
        }
    }

    fn give_back_killed(&self, netlink: &mut Netlink, interface: &str) -> Result<(), LabError> {
        match &self.former {
            Some(former) => Former::restore_killed(&former.saved(), netlink, interface),
            None => Ok(()),
        }
    }
}

/// Deletes our end of a veth pair, and with it the other. Another device may have taken the
/// index over if the pair has vanished: only what is known to be ours is deleted.
pub(in crate::lab) fn remove(
    netlink: &mut Netlink,
    facts: &Facts,
    owner: &str,
) -> Result<(), LinkError> {
    if facts.link == LinkState::Absent {
        return Ok(());
    }
    let Some(link) = netlink.link_by_index(facts.ifindex)? else {
        return Ok(());
    };
    let is_named = link.name == facts.name || owner_of(&link) == Some(owner);
    if !is_named || link.kind.as_deref() != Some("veth") {
        return Ok(());
    }
    match netlink.delete_link(&link) {
        Err(LinkError::NotFound { .. }) => Ok(()),
        other => other,
    }
}
