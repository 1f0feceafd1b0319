//! What has been made in a lab besides switches.

use vswitch_netns::{Namespace, Netlink};

/// What commands have made: the reason for a lab to be there before its first switch is.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The named namespaces.
    pub(super) namespaces: Vec<String>,
    /// The interfaces of the lab itself, by their indices.
    links: Vec<u32>,
}

impl Contents {
    /// What there is now.
    ///
    /// # Errors
    /// Where it can't be seen, as for lack of descriptors.
    pub(super) fn now() -> anyhow::Result<Self> {
        let entries = Namespace::list()?;
        let links = Netlink::open()?.links()?;
        Ok(Self {
            namespaces: entries.into_iter().map(|entry| entry.name).collect(),
            links: links.into_iter().map(|link| link.index).collect(),
        })
    }

    /// Whether something is here that was not there.
    pub(super) fn has_more_than(&self, before: &Self) -> bool {
        let is_new = |name: &String| !before.namespaces.contains(name);
        self.namespaces.iter().any(is_new)
            || self.links.iter().any(|link| !before.links.contains(link))
    }
}
