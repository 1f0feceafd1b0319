//! What is inside a host, seen from inside.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::thread;

use ipnet::IpNet;
use vswitch_netns::{Address, Link, Namespace, NamespaceError, Netlink, Route};

use super::record::{Noted, Proof};

/// Threads that look at the same time.
const THREADS: usize = 4;

/// A host as it was found.
#[derive(Debug)]
pub(super) enum Found {
    /// There is none of its name.
    Gone,
    /// There is a file of its name, but no namespace.
    Stale,
    /// There is another of its name.
    Foreign,
    /// It is the one that was made.
    Here(Inside),
    /// It could not be looked at.
    Unknown(String),
}

/// What is in a host.
#[derive(Debug, Default)]
pub(super) struct Inside {
    pub(super) links: Vec<Link>,
    pub(super) addresses: Vec<Address>,
    pub(super) routes: Vec<Route>,
    /// The settings that were asked for, by path; none where there is no such setting.
    pub(super) sysctls: BTreeMap<String, Option<String>>,
}

impl Inside {
    /// The interface of this name.
    pub(super) fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// Whether an interface has an address.
    pub(super) fn has(&self, link: &Link, address: IpNet) -> bool {
        let mut all = self.addresses.iter();
        all.any(|found| found.link_index == link.index && found.net == address)
    }
}

/// Opens the namespace `name`, if it is the one of the proof.
pub(super) fn open(name: &str, proof: &Proof) -> Result<(Namespace, Netlink), Found> {
    let namespace = match Namespace::open(name) {
        Ok(namespace) => namespace,
        Err(NamespaceError::NotFound { .. }) => return Err(Found::Gone),
        Err(NamespaceError::Stale { .. }) => return Err(Found::Stale),
        Err(NamespaceError::Occupied { .. }) => return Err(Found::Foreign),
        Err(error) => return Err(Found::Unknown(error.to_string())),
    };
    let netlink =
        Netlink::open_in(&namespace).map_err(|error| Found::Unknown(error.to_string()))?;
    match proof {
        Proof::Namespace { inode, cookie }
            if *inode == namespace.inode() && *cookie == netlink.namespace_cookie() =>
        {
            Ok((namespace, netlink))
        }
        _ => Err(Found::Foreign),
    }
}

/// Looks at many hosts. `sysctls` are those to be looked at in each.
pub(super) fn look<'a>(
    hosts: &[(&'a str, &Noted)],
    sysctls: &BTreeMap<&str, Vec<&str>>,
) -> BTreeMap<&'a str, Found> {
    let share = hosts.len().div_ceil(THREADS).max(1);
    let look_at = |(name, noted): &(&'a str, &Noted)| {
        let wanted = sysctls.get(name).map_or(&[][..], Vec::as_slice);
        (*name, look_into(name, &noted.proof, wanted))
    };
    thread::scope(|scope| {
        let threads: Vec<_> = hosts
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().map(look_at).collect::<Vec<_>>()))
            .collect();
        let shares = threads.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        shares.flatten().collect()
    })
}

fn look_into(name: &str, proof: &Proof, sysctls: &[&str]) -> Found {
    let (namespace, mut netlink) = match open(name, proof) {
        Ok(opened) => opened,
        Err(found) => return found,
    };
    let mut look = || -> anyhow::Result<Inside> {
        let mut inside = Inside {
            links: netlink.links()?,
            addresses: netlink.addresses(None)?,
            routes: netlink.routes()?,
            sysctls: BTreeMap::new(),
        };
        if !sysctls.is_empty() {
            let _entered = namespace.enter()?;
            let read = |path: &&str| ((*path).to_owned(), read_sysctl(path).ok());
            inside.sysctls = sysctls.iter().map(read).collect();
        }
        Ok(inside)
    };
    match look() {
        Ok(inside) => Found::Here(inside),
        Err(error) => Found::Unknown(error.to_string()),
    }
}

/// A setting of the calling thread's namespace.
pub(super) fn read_sysctl(path: &str) -> io::Result<String> {
    Ok(fs::read_to_string(file_of(path))?.trim().to_owned())
}

/// Changes a setting of the calling thread's namespace.
pub(super) fn write_sysctl(path: &str, value: &str) -> io::Result<()> {
    fs::write(file_of(path), value)
}

fn file_of(path: &str) -> String {
    format!("/proc/sys/{path}")
}

/// Whether a setting is of IPv6, which this kernel has not: then it is as good as set.
pub(super) fn is_of_missing_ipv6(path: &str) -> bool {
    path.starts_with("net/ipv6/") && !Path::new("/proc/sys/net/ipv6").exists()
}
