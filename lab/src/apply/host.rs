//! Hosts: namespaces.

use anyhow::bail;
use vswitch_netns::{Namespace, NamespaceError, Netlink};

use super::Worker;
use crate::observe::{self, Found};
use crate::record::Proof;
use crate::thing::{Key, Spec};

impl Worker<'_> {
    /// Makes a namespace. It has no name until it is written down which one it is.
    pub(super) fn make_host(&self, host: &str, key: &Key) -> anyhow::Result<()> {
        let namespace = Namespace::create_unnamed()?;
        let mut netlink = Netlink::open_in(&namespace)?;
        let proof = Proof::Namespace {
            inode: namespace.inode(),
            cookie: netlink.namespace_cookie(),
        };
        self.doer.making(key, &Spec::Plain, proof)?;
        let lo = netlink.link("lo")?;
        netlink.set_up(&lo)?;
        namespace.give_name(host)?;
        Ok(())
    }

    /// Removes a namespace, if it is the one that was made.
    pub(super) fn remove_host(&self, host: &str, key: &Key) -> anyhow::Result<()> {
        let Some(noted) = self.doer.noted(key) else {
            return Ok(());
        };
        let removed = match observe::open(host, &noted.proof) {
            Ok((namespace, _)) => namespace.remove_name(),
            // It got its file, but nothing on it.
            Err(Found::Stale) if !noted.made => Namespace::delete(host),
            Err(Found::Unknown(why)) => bail!("cannot look at the host '{host}': {why}"),
            Err(_) => return Ok(()),
        };
        match removed {
            Err(NamespaceError::NotFound { .. } | NamespaceError::Replaced { .. }) => Ok(()),
            other => Ok(other?),
        }
    }

    /// A host of the lab, and a socket inside.
    pub(super) fn open_host(&self, host: &str) -> anyhow::Result<(Namespace, Netlink)> {
        let key = Key::Host {
            host: host.to_owned(),
        };
        let proof = self.doer.noted(&key).map(|noted| noted.proof);
        match observe::open(host, &proof.unwrap_or_default()) {
            Ok(opened) => Ok(opened),
            Err(Found::Unknown(why)) => bail!("cannot look at the host '{host}': {why}"),
            Err(_) => bail!("the namespace of the host '{host}' is gone"),
        }
    }

    /// The same, if it is there.
    pub(super) fn find_host(&self, host: &str) -> Option<(Namespace, Netlink)> {
        self.open_host(host).ok()
    }
}
