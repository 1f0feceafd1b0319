//! What every rival is put between: two hosts, each a namespace, and a namespace in their middle.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use ipnet::IpNet;
use vswitch_netns::{
    DuplicateDetection, InterfaceName, Link, LinkChange, MacBytes, Namespace, Netlink, VethEnd,
};

use crate::measure::End;

/// On the sandbox's own `/run`.
const DIR: &str = "/run/vswitch-compare";
/// What the interface inside a host is called, unless the rival has its own way.
const INSIDE: &str = "eth0";

/// One of the two hosts: the same name, address and station for every rival.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: &'static str,
    pub(super) station: MacBytes,
    octets: [u8; 4],
    /// Its cable's other end, in the middle.
    pub(super) port: &'static str,
}

/// The host that sends.
pub(super) const A: Host = Host {
    name: "a",
    station: [2, 0, 0, 0, 0, 0xa],
    octets: [10, 0, 0, 1],
    port: "to-a",
};
/// The host that receives.
pub(super) const B: Host = Host {
    name: "b",
    station: [2, 0, 0, 0, 0, 0xb],
    octets: [10, 0, 0, 2],
    port: "to-b",
};

impl Host {
    pub(super) fn address(&self) -> IpAddr {
        self.octets.into()
    }

    /// With the length of its prefix.
    pub(super) fn net(&self) -> anyhow::Result<IpNet> {
        Ok(IpNet::new(self.address(), 24)?)
    }

    pub(super) fn namespace(&self) -> anyhow::Result<Namespace> {
        Ok(Namespace::open(self.name)?)
    }

    /// This host as an end of the path under test.
    pub(super) fn end(&self, interface: &str) -> anyhow::Result<End> {
        Ok(End {
            namespace: self.namespace()?,
            interface: interface.to_owned(),
            address: Some(self.address()),
        })
    }

    fn veth(&self) -> anyhow::Result<VethEnd> {
        Ok(VethEnd::new(InterfaceName::new(INSIDE)?).mac(self.station))
    }

    /// Switches the interface inside on and gives it its address.
    fn settle(&self) -> anyhow::Result<End> {
        let end = self.end(INSIDE)?;
        let mut inside = Netlink::open_in(&end.namespace)?;
        let link = inside.link(INSIDE)?;
        inside.set_up(&link)?;
        inside.add_address(&link, self.net()?, DuplicateDetection::Skip)?;
        Ok(end)
    }
}

/// The namespaces. Dropping it removes them and all that is in them.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) middle: Namespace,
    dir: PathBuf,
}

impl Stage {
    pub(super) fn new() -> anyhow::Result<Self> {
        let stage = Self {
            middle: Namespace::create_unnamed()?,
            dir: DIR.into(),
        };
        for host in [&A, &B] {
            let namespace = Namespace::create(host.name)?;
            let mut inside = Netlink::open_in(&namespace)?;
            let lo = inside.link("lo")?;
            inside.set_up(&lo)?;
        }
        fs::create_dir_all(&stage.dir).with_context(|| format!("can't create {DIR}"))?;
        Ok(stage)
    }

    /// For sockets, databases and logs of a rival.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A cable from A to B, without anything in between.
    pub(super) fn cable_through() -> anyhow::Result<[End; 2]> {
        let far = B.namespace()?;
        Netlink::open_in(&A.namespace()?)?.create_veth(&A.veth()?, &B.veth()?, Some(&far))?;
        Ok([A.settle()?, B.settle()?])
    }

    /// A cable from a host to the middle, whose end there stays down.
    pub(super) fn cable(&self, host: &Host) -> anyhow::Result<(End, Link)> {
        let inside = host.namespace()?;
        let port = VethEnd::new(InterfaceName::new(host.port)?);
        let port =
            Netlink::open_in(&self.middle)?.create_veth(&port, &host.veth()?, Some(&inside))?;
        Ok((host.settle()?, port))
    }

    /// Moves an interface of the middle into a host.
    pub(super) fn give(&self, host: &Host, interface: &str) -> anyhow::Result<End> {
        let mut middle = Netlink::open_in(&self.middle)?;
        let link = middle.link(interface)?;
        let namespace = host.namespace()?;
        let change = LinkChange::new()
            .mac(host.station)
            .name(InterfaceName::new(INSIDE)?)
            .namespace(&namespace);
        middle.change_link(&link, &change)?;
        host.settle()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
        // The kernel removes what is in a namespace some time after it, which would disturb the
        // next measurement: all that can go goes now.
        clear(&self.middle);
        for host in [&A, &B] {
            if let Ok(namespace) = host.namespace() {
                clear(&namespace);
            }
            if let Err(error) = Namespace::delete(host.name) {
                log::debug!("{error}");
            }
        }
    }
}

/// Deletes the interfaces of a namespace; what cannot be deleted goes with it.
fn clear(namespace: &Namespace) {
    let Ok(mut netlink) = Netlink::open_in(namespace) else {
        return;
    };
    for link in netlink.links().unwrap_or_default() {
        if !link.loopback {
            let _ = netlink.delete_link(&link);
        }
    }
}
