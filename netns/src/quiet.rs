//! Keeps the host's IP stack off the switch-side end of a veth pair.
//!
//! # Theory of operation
//!
//! Frames that arrive on a port are for the switch only. Its packet socket gets a copy, and then
//! the original goes up the host's stack, which answers (ARP for any address of the host, pings),
//! learns neighbours and uses CPU time. The stack also sends frames of its own: router
//! solicitations, multicast reports. Three measures prevent this; each works where the others may
//! not:
//!
//! - Disable IPv6 on the interface (`disable_ipv6`). Where `/proc/sys` is read-only, at least
//!   disable the link-local address (`addrgenmode none`).
//! - Disable ARP (`IFF_NOARP`).
//! - Add a classifier of one instruction at ingress that consumes every frame after the packet
//!   socket has had its copy (`__netif_receive_skb_core` in net/core/dev.c: first the packet
//!   sockets, then the ingress hook). It is classic BPF, which needs only `CAP_NET_ADMIN`, so it
//!   also works in a user namespace. Its verdict is `TC_ACT_STOLEN` and not `TC_ACT_SHOT`, because
//!   no frame is lost: monitors of dropped packets report nothing.
//!
//! For interfaces that belong to the user, the previous settings are recorded.

use std::fs;
use std::io;
use std::path::PathBuf;

use ipnet::IpNet;
use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{
    TcAttribute, TcBpfFlags, TcFilterBpfOption, TcHandle, TcMessage, TcOption,
};
use nix::errno::Errno;
use thiserror::Error;

use crate::address::{AddressError, DuplicateDetection};
use crate::change::{LinkChange, LinkLocal};
use crate::link::{Link, LinkError};
use crate::namespace::NamespaceError;
use crate::netlink::{Netlink, NetlinkError};

/// A late priority: the user's classifiers run first.
pub(crate) const PRIORITY: u32 = 0xfff0;
/// The parent handle of classifiers at ingress (`TC_H_MIN_INGRESS` of `clsact`).
const INGRESS: TcHandle = TcHandle {
    major: 0xffff,
    minor: TcHandle::MIN_INGRESS,
};
const CLSACT: TcHandle = TcHandle {
    major: 0xffff,
    minor: 0,
};
/// Every protocol, in network byte order (`ETH_P_ALL`).
const ALL_PROTOCOLS: u32 = 0x0003_u16.to_be() as u32;

// Numbers of linux/pkt_cls.h and linux/bpf_common.h.
const TCA_BPF_OPS_LEN: u16 = 4;
const TCA_BPF_OPS: u16 = 5;
const TC_ACT_STOLEN: u32 = 4;
/// `BPF_RET | BPF_K`: return a constant.
const RETURN_CONSTANT: u16 = 0x06;

/// Reports why an interface cannot be made quiet or restored.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QuietError {
    /// The interface's flags cannot be changed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The interface's namespace cannot be found or entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The interface's addresses cannot be read.
    #[error(transparent)]
    Address(#[from] AddressError),
}

/// An interface that was made quiet, with its previous settings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "keep it to restore the interface with `Netlink::unquiet`"]
pub struct Quiet {
    link: Link,
    before: Before,
}

/// The settings that were changed to make an interface quiet, as plain data that can be saved and
/// restored by another process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// Whether ARP was enabled.
    pub arp: bool,
    /// The IPv6 addresses that were lost when IPv6 was disabled.
    pub ipv6_addresses: Vec<IpNet>,
    /// Whether this library disabled IPv6.
    pub ipv6_switched_off: bool,
    /// Whether this library disabled the link-local address.
    pub link_local_forbidden: bool,
    /// What this library added at ingress.
    pub ingress: Ingress,
}

/// What this library added at the ingress of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingress {
    /// Nothing: the kernel refused.
    Open,
    /// The classifier, on a `clsact` that another program had added.
    FilterOnly,
    /// The classifier and its `clsact`.
    Own,
}

impl Quiet {
    /// Reports whether frames are consumed at ingress, so that the host's stack sees none.
    #[must_use]
    pub fn takes_all(&self) -> bool {
        self.before.ingress != Ingress::Open
    }

    /// Returns the previous settings, to be saved.
    #[must_use]
    pub const fn before(&self) -> &Before {
        &self.before
    }

    /// Recreates the value from saved settings of `link`, which is still quiet.
    pub const fn recalled(link: Link, before: Before) -> Self {
        Self { link, before }
    }
}

impl Netlink {
    /// Keeps the host's stack off an interface of the socket's namespace; preferably called before
    /// the interface is set up.
    ///
    /// The interface loses its IPv6 addresses until it is restored; IPv4 addresses stay but do not
    /// work. Measures that the kernel or the process's rights do not allow are logged, and the rest
    /// is done.
    pub fn quiet(&mut self, link: &Link) -> Result<Quiet, QuietError> {
        // Paths under `/proc/sys` refer to the namespace of the reading thread.
        let _inside = self.namespace()?.enter()?;
        let addresses = self.addresses(Some(link))?.into_iter();
        let ipv6 = addresses
            .filter(|a| a.permanent && a.net.addr().is_ipv6())
            .map(|a| a.net);
        let mut before = Before {
            arp: link.arp,
            ipv6_addresses: ipv6.collect(),
            ipv6_switched_off: false,
            link_local_forbidden: false,
            ingress: Ingress::Open,
        };
        self.change_link(link, &LinkChange::new().arp(false))?;
        let no_address = LinkChange::new().link_local(LinkLocal::None);
        before.link_local_forbidden = match read_setting(&link.name, "addr_gen_mode").as_deref() {
            // Stable-privacy and random addresses (2, 3) are the user's choice, and rare.
            Some("0") => log_failure(
                &link.name,
                "IPv6 addresses",
                self.change_link(link, &no_address),
            ),
            _ => false,
        };
        if read_setting(&link.name, "disable_ipv6").as_deref() == Some("0") {
            let written = write_setting(&link.name, "disable_ipv6", "1");
            before.ipv6_switched_off = log_failure(&link.name, "IPv6", written);
        }
        before.ingress = self.add_to_ingress(link);
        Ok(Quiet {
            link: link.clone(),
            before,
        })
    }

    /// Restores the settings that an interface had before.
    pub fn unquiet(&mut self, quiet: &Quiet) -> Result<(), QuietError> {
        // Paths under `/proc/sys` refer to the namespace of the reading thread.
        let _inside = self.namespace()?.enter()?;
        let Quiet { link, before } = quiet;
        // The interface may have been renamed meanwhile, and the settings are found by name.
        let name = match self.link_by_index(link.index)? {
            Some(now) if now.kind == link.kind => now.name,
            _ => {
                return Err(LinkError::NotFound {
                    name: link.name.clone(),
                }
                .into());
            }
        };
        self.remove_from_ingress(link, before.ingress);
        let mut change = LinkChange::new().arp(before.arp);
        if before.link_local_forbidden {
            change = change.link_local(LinkLocal::Eui64);
        }
        self.change_link(link, &change)?;
        if before.ipv6_switched_off {
            log_failure(&name, "IPv6", write_setting(&name, "disable_ipv6", "0"));
        }
        for &address in &before.ipv6_addresses {
            match self.add_address(link, address, DuplicateDetection::Skip) {
                // The kernel has already added the link-local address itself.
                Ok(()) | Err(AddressError::Exists { .. }) => {}
                Err(error) => log::warn!("{error}"),
            }
        }
        Ok(())
    }

    /// Restores an interface that a process made quiet and did not restore before it ended, to the
    /// kernel's defaults: ARP enabled, IPv6 enabled with a link-local address. The classifier shows
    /// whether it is such an interface; returns whether it was. Call it only for an interface that
    /// no process uses.
    pub fn unquiet_leftover(&mut self, link: &Link) -> Result<bool, QuietError> {
        let _inside = self.namespace()?.enter()?;
        let ours = RouteNetlinkMessage::DelTrafficFilter(filter(link));
        if self.change(ours, 0).is_err() {
            return Ok(false);
        }
        // The `clsact` stays: other programs may have added classifiers to it.
        self.change_link(link, &LinkChange::new().arp(true))?;
        if read_setting(&link.name, "addr_gen_mode").as_deref() == Some("1") {
            let address = LinkChange::new().link_local(LinkLocal::Eui64);
            log_failure(
                &link.name,
                "IPv6 addresses",
                self.change_link(link, &address),
            );
        }
        log_failure(
            &link.name,
            "IPv6",
            write_setting(&link.name, "disable_ipv6", "0"),
        );
        Ok(true)
    }

    /// Makes an interface quiet again that another program has changed since; `ours` if the
    /// interface must have no address at all. Returns descriptions of what was corrected.
    ///
    /// Call it only for an interface that was made quiet before. Measures that the kernel did not
    /// allow then are not tried again with a warning.
    pub fn keep_quiet(&mut self, link: &Link, ours: bool) -> Result<Vec<String>, QuietError> {
        let _inside = self.namespace()?.enter()?;
        let mut put_back = Vec::new();
        if link.arp {
            self.change_link(link, &LinkChange::new().arp(false))?;
            put_back.push("ARP off".to_owned());
        }
        let mode = read_setting(&link.name, "addr_gen_mode");
        let no_address = LinkChange::new().link_local(LinkLocal::None);
        if mode.as_deref() == Some("0") && self.change_link(link, &no_address).is_ok() {
            put_back.push("no link-local address".to_owned());
        }
        let is_on = read_setting(&link.name, "disable_ipv6").as_deref() == Some("0");
        if is_on && write_setting(&link.name, "disable_ipv6", "1").is_ok() {
            put_back.push("IPv6 off".to_owned());
        }
        let addresses = if ours {
            self.addresses(Some(link))?
        } else {
            Vec::new()
        };
        for address in addresses {
            match self.delete_address(link, address.net) {
                Ok(()) => put_back.push(format!("without the address {}", address.net)),
                // The address was removed with another one, or with IPv6.
                Err(AddressError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(put_back)
    }

    /// Reports whether an interface of the socket's namespace is quiet now, by its classifier.
    /// Changes nothing.
    pub fn is_quiet(&mut self, link: &Link) -> bool {
        self.get(RouteNetlinkMessage::GetTrafficFilter(filter(link)))
            .is_ok()
    }

    fn add_to_ingress(&mut self, link: &Link) -> Ingress {
        let own = match self.add_clsact(link) {
            Ok(()) => true,
            Err(error) if error.errno() == Some(Errno::EEXIST) => false,
            Err(error) => {
                log::warn!(
                    "{}: the host's stack sees received frames: {error}",
                    link.name
                );
                return Ingress::Open;
            }
        };
        match self.add_filter(link) {
            Ok(()) if own => Ingress::Own,
            Ok(()) => Ingress::FilterOnly,
            // A daemon that was killed has left the classifier there.
            Err(error) if error.errno() == Some(Errno::EEXIST) => Ingress::FilterOnly,
            Err(error) => {
                log::warn!(
                    "{}: the host's stack sees received frames: {error}",
                    link.name
                );
                if own {
                    self.remove_from_ingress(link, Ingress::Own);
                }
                Ingress::Open
            }
        }
    }

    fn remove_from_ingress(&mut self, link: &Link, ingress: Ingress) {
        let outcome = match ingress {
            Ingress::Open => Ok(()),
            Ingress::FilterOnly => {
                let message = filter(link);
                self.change(RouteNetlinkMessage::DelTrafficFilter(message), 0)
            }
            Ingress::Own => {
                let message = clsact(link);
                self.change(RouteNetlinkMessage::DelQueueDiscipline(message), 0)
            }
        };
        log_failure(&link.name, "the classifier", outcome);
    }

    fn add_clsact(&mut self, link: &Link) -> Result<(), NetlinkError> {
        let message = RouteNetlinkMessage::NewQueueDiscipline(clsact(link));
        self.change(message, NLM_F_CREATE | NLM_F_EXCL)
    }

    fn add_filter(&mut self, link: &Link) -> Result<(), NetlinkError> {
        let mut message = filter(link);
        message
            .attributes
            .push(TcAttribute::Options(consume_every_frame()));
        let message = RouteNetlinkMessage::NewTrafficFilter(message);
        self.change(message, NLM_F_CREATE | NLM_F_EXCL)
    }
}

fn clsact(link: &Link) -> TcMessage {
    let mut message = TcMessage::with_index(link.index.cast_signed());
    message.header.parent = TcHandle::CLSACT;
    message.header.handle = CLSACT;
    message
        .attributes
        .push(TcAttribute::Kind("clsact".to_owned()));
    message
}

/// The ingress hook of an interface.
pub(crate) fn ingress_of(link: &Link) -> TcMessage {
    let mut message = TcMessage::with_index(link.index.cast_signed());
    message.header.parent = INGRESS;
    message
}

fn filter(link: &Link) -> TcMessage {
    let mut message = ingress_of(link);
    message.header.handle = TcHandle { major: 0, minor: 1 };
    message.header.info = (PRIORITY << 16) | ALL_PROTOCOLS;
    message.attributes.push(TcAttribute::Kind("bpf".to_owned()));
    message
}

/// Builds a program of one instruction, whose value is the verdict.
fn consume_every_frame() -> Vec<TcOption> {
    // struct sock_filter: code, two jumps, constant.
    let mut instruction = RETURN_CONSTANT.to_ne_bytes().to_vec();
    instruction.extend([0, 0]);
    instruction.extend(TC_ACT_STOLEN.to_ne_bytes());
    let count = 1_u16.to_ne_bytes().to_vec();
    vec![
        TcOption::Other(DefaultNla::new(TCA_BPF_OPS_LEN, count)),
        TcOption::Other(DefaultNla::new(TCA_BPF_OPS, instruction)),
        TcOption::Bpf(TcFilterBpfOption::ProgName("vswitch-quiet".to_owned())),
        TcOption::Bpf(TcFilterBpfOption::Flags(TcBpfFlags::DirectAction)),
    ]
}

/// Reports whether an operation succeeded; logs the error if it did not.
fn log_failure<E: std::fmt::Display>(interface: &str, what: &str, outcome: Result<(), E>) -> bool {
    outcome
        .inspect_err(|error| log::warn!("{interface}: {what}: {error}"))
        .is_ok()
}

/// Returns the file of an IPv6 setting of an interface of the calling thread's namespace.
fn setting(interface: &str, setting: &str) -> PathBuf {
    ["/proc/sys/net/ipv6/conf", interface, setting]
        .iter()
        .collect()
}

/// Reads an IPv6 setting; `None` where the kernel has no IPv6.
fn read_setting(interface: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(setting(interface, name)).ok()?;
    Some(text.trim().to_owned())
}

fn write_setting(interface: &str, name: &str, value: &str) -> io::Result<()> {
    fs::write(setting(interface, name), value)
}
