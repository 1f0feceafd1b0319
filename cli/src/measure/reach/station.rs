//! One of the namespaces, with its sockets and addresses.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use ipnet::IpNet;
use socket2::Socket;
use vswitch_netns::{AddressScope, MacBytes, Namespace, Netlink};

use crate::measure::ping;

/// An address of a station.
#[derive(Clone, Copy, Debug)]
struct Own {
    net: IpNet,
    link: u32,
    mac: Option<MacBytes>,
}

/// A namespace that asks and is asked.
pub(crate) struct Station {
    /// Its name.
    pub(crate) name: String,
    /// Its addresses that others can reach, with their prefixes, and the interface of each.
    addresses: Vec<Own>,
    netlink: Netlink,
    sockets: [Option<Socket>; 2],
}

impl Station {
    /// Opens the sockets in the namespace of this name. Its addresses are those of the interfaces
    /// of these names, or of all.
    ///
    /// # Errors
    /// Where it cannot be entered, or the system gives no more sockets.
    pub(crate) fn open(name: &str, interfaces: Option<&[String]>) -> anyhow::Result<Self> {
        let namespace = Namespace::open(name)?;
        let _inside = namespace.enter()?;
        let mut netlink = Netlink::open()?;
        let addresses = addresses(&mut netlink, interfaces)?;
        let mut station = Self {
            name: name.to_owned(),
            addresses,
            netlink,
            sockets: [None, None],
        };
        for v4 in [true, false] {
            if station.has(v4) {
                let socket = ping::raw_socket(v4)
                    .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
                    .with_context(|| format!("cannot send pings from '{name}'"))?;
                station.sockets[usize::from(v4)] = Some(socket);
            }
        }
        Ok(station)
    }

    /// Whether it has an address of this family.
    pub(crate) fn has(&self, v4: bool) -> bool {
        self.addresses().any(|address| address.is_ipv4() == v4)
    }

    /// Its addresses.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().map(|own| own.net.addr())
    }

    /// Its socket for a family.
    pub(super) fn socket(&self, v4: bool) -> Option<&Socket> {
        self.sockets[usize::from(v4)].as_ref()
    }

    /// Forgets where an address is, if that is on one of its own links. What it never knew, or
    /// cannot forget, is none the worse.
    pub(super) fn forget(&mut self, other: IpAddr) {
        if let Some(link) = self.link_to(other) {
            let _ = self.netlink.forget_neighbour(link, other);
        }
    }

    /// Tells the station where the addresses of `other` are, as far as they are on one of its own
    /// links. Where that cannot be, it has to ask.
    pub(super) fn learn(&mut self, other: &Self) {
        for own in &other.addresses {
            if let (Some(link), Some(mac)) = (self.link_to(own.net.addr()), own.mac) {
                let _ = self.netlink.learn_neighbour(link, own.net.addr(), mac);
            }
        }
    }

    /// The interface on whose link an address is, by its prefix.
    fn link_to(&self, other: IpAddr) -> Option<u32> {
        let on_link = self.addresses.iter().find(|own| own.net.contains(&other));
        on_link.map(|own| own.link)
    }
}

/// The addresses that can be reached from elsewhere.
fn addresses(netlink: &mut Netlink, interfaces: Option<&[String]>) -> anyhow::Result<Vec<Own>> {
    let links = netlink.links()?;
    let find = |index: u32| links.iter().find(|link| link.index == index);
    let wanted = |index: u32| {
        interfaces.is_none_or(|names| find(index).is_some_and(|link| names.contains(&link.name)))
    };
    let all = netlink.addresses(None)?.into_iter();
    let global = all.filter(|address| address.scope == AddressScope::Global && !address.duplicate);
    Ok(global
        .filter(|address| wanted(address.link_index))
        .map(|address| Own {
            net: address.net,
            link: address.link_index,
            mac: find(address.link_index).and_then(|link| link.mac),
        })
        .collect())
}

/// The time that a call of the poll may take at most.
pub(super) fn until(deadline: Option<std::time::Instant>, most: Duration) -> Duration {
    deadline.map_or(most, |deadline| {
        deadline
            .saturating_duration_since(std::time::Instant::now())
            .min(most)
    })
}

/// Whether a request that was refused so may be sent a little later.
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        // The interface's queue, or the neighbour table, is full (`ip_finish_output2` has
        // ENOBUFS for the one and EINVAL for the other).
        Some(libc::ENOBUFS | libc::EAGAIN | libc::ENOMEM | libc::EINVAL)
    )
}
