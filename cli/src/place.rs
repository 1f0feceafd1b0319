//! The namespace that a command acts in: its own, or the one that `--netns` names.

use std::fmt;
use std::net::IpAddr;

use anyhow::bail;
use vswitch_netns::{
    Announcer, InterfaceName, Link, Namespace, NamespaceName, Netlink, is_announceable,
};

use vswitch_control::rights::{self, Capability};

/// A namespace, and a socket in it.
pub(crate) struct Place {
    name: Option<NamespaceName>,
    /// Requests to the kernel about this namespace.
    pub(crate) netlink: Netlink,
}

impl Place {
    /// Opens the namespace of this name, or the command's own.
    ///
    /// # Errors
    /// Where there is none of this name, or it cannot be entered.
    pub(crate) fn open(name: Option<&NamespaceName>) -> anyhow::Result<Self> {
        let netlink = match name {
            Some(name) => {
                let namespace = Namespace::open(name.as_str())?;
                rights::require("enter a network namespace", rights::NAMESPACE)?;
                Netlink::open_in(&namespace)?
            }
            None => Netlink::open()?,
        };
        let name = name.cloned();
        Ok(Self { name, netlink })
    }

    /// The same for changing what is there.
    ///
    /// # Errors
    /// Also where rights are missing for that.
    pub(crate) fn open_to(
        action: &'static str,
        name: Option<&NamespaceName>,
    ) -> anyhow::Result<Self> {
        rights::require(action, &[Capability::NetAdmin])?;
        Self::open(name)
    }

    /// The interface of this name.
    ///
    /// # Errors
    /// Where there is none here; says where else there is one.
    pub(crate) fn link(&mut self, name: &InterfaceName) -> anyhow::Result<Link> {
        if let Some(link) = self.netlink.find_link(name.as_str())? {
            return Ok(link);
        }
        let elsewhere: Vec<String> = self.homes_of(name);
        let option = self.option();
        if let [first, rest @ ..] = elsewhere.as_slice() {
            let all: Vec<_> = rest.iter().map(String::as_str).collect();
            let more = if all.is_empty() {
                String::new()
            } else {
                format!(", and in {}", all.join(", "))
            };
            bail!(
                "there is no interface {name} {self}, but there is one in namespace '{first}'{more}: say '-n {first}'"
            );
        }
        bail!("there is no interface {name} {self}: 'vswitch link{option}' lists those there are");
    }

    /// Announces addresses of an interface to its neighbours, which may know another holder of them.
    /// What fails only takes them longer to find out.
    pub(crate) fn announce(&mut self, link: &Link, is_meant: impl Fn(IpAddr) -> bool) {
        let announcer = self
            .netlink
            .namespace()
            .and_then(|here| Announcer::open_in(&here));
        let addresses = self.netlink.addresses(Some(link)).unwrap_or_default();
        let now = self.netlink.link_by_index(link.index);
        let (Ok(announcer), Ok(Some(link))) = (announcer, now) else {
            return;
        };
        let ready = addresses.iter().filter(|address| is_announceable(address));
        for ip in ready
            .map(|address| address.net.addr())
            .filter(|ip| is_meant(*ip))
        {
            if let Err(error) = announcer.announce(&link, ip) {
                log::debug!("{ip} is not announced: {error}");
            }
        }
    }

    /// The named namespaces that have an interface of this name.
    fn homes_of(&self, name: &InterfaceName) -> Vec<String> {
        let ours = self.name.as_ref().map(NamespaceName::as_str);
        let entries = Namespace::list().unwrap_or_default().into_iter();
        let others = entries.filter(|entry| !entry.stale && Some(entry.name.as_str()) != ours);
        let has = |namespace: &str| {
            let namespace = Namespace::open(namespace).ok()?;
            let mut netlink = Netlink::open_in(&namespace).ok()?;
            netlink.find_link(name.as_str()).ok()?
        };
        others
            .map(|entry| entry.name)
            .filter(|namespace| has(namespace).is_some())
            .collect()
    }

    /// What to put behind a command so that it looks here.
    fn option(&self) -> String {
        match &self.name {
            Some(name) => format!(" -n {name}"),
            None => String::new(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "in namespace '{name}'"),
            None => f.write_str("in this network namespace"),
        }
    }
}
