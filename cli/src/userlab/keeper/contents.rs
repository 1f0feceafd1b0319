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
    /// What there is now. What can't be seen is taken for missing.
    pub(super) fn now() -> Self {
        let entries = Namespace::list().unwrap_or_default();
        let links = Netlink::open().ok().and_then(|mut lab| lab.links().ok());
        Self {
            namespaces: entries.into_iter().map(|entry| entry.name).collect(),
            links: links.into_iter().flatten().map(|link| link.index).collect(),
        }
    }

    /// Whether something is here that was not there.
    pub(super) fn has_more_than(&self, before: &Self) -> bool {
        let is_new = |name: &String| !before.namespaces.contains(name);
        self.namespaces.iter().any(is_new)
            || self.links.iter().any(|link| !before.links.contains(link))
    }
}
