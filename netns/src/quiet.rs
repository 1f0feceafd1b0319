//! Keeping the host's own stack out of the switch-side end of a cable.
//!
//! # Theory of operation
//!
//! What arrives on a port is for the switch alone: its packet socket gets a copy, and then the
//! original goes on up the host's stack, which answers (ARP for any address of the host, pings),
//! learns neighbours and spends time. And the stack speaks of itself: router solicitations,
//! multicast reports. So three things are done, each of which works where the others may not:
//!
//! - IPv6 is switched off on the interface (`disable_ipv6`); where `/proc/sys` is read-only, at
//!   least no link-local address is made (`addrgenmode none`).
//! - ARP is switched off (`IFF_NOARP`).
//! - A classifier of one instruction at ingress takes every frame after the packet socket has had
//!   its copy (`__netif_receive_skb_core` in net/core/dev.c: first the taps, then the ingress
//!   hook). It is classic BPF, which needs no right beyond `CAP_NET_ADMIN`, so that it works in a
//!   user namespace too. Its verdict is `TC_ACT_STOLEN` rather than `TC_ACT_SHOT`, because nothing
//!   is lost: monitors of dropped packets stay silent.
//!
//! What was there before is remembered, for interfaces that are the user's own.

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

/// Among the classifiers of an interface ours comes late: those of the user act before it.
pub(crate) const PRIORITY: u32 = 0xfff0;
/// Where a classifier hangs that looks at what comes in (`TC_H_MIN_INGRESS` of `clsact`).
const INGRESS: TcHandle = TcHandle {
    major: 0xffff,
    minor: TcHandle::MIN_INGRESS,
};
const CLSACT: TcHandle = TcHandle {
    major: 0xffff,
    minor: 0,
};
/// Every protocol, in network order (`ETH_P_ALL`).
const ALL_PROTOCOLS: u32 = 0x0003_u16.to_be() as u32;

// Numbers of linux/pkt_cls.h and linux/bpf_common.h.
const TCA_BPF_OPS_LEN: u16 = 4;
const TCA_BPF_OPS: u16 = 5;
const TC_ACT_STOLEN: u32 = 4;
/// `BPF_RET | BPF_K`: end with a constant.
const RETURN_CONSTANT: u16 = 0x06;

/// Why an interface cannot be made quiet, or be given back.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QuietError {
    /// Its flags cannot be changed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Its namespace cannot be found or entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// Its addresses cannot be read.
    #[error(transparent)]
    Address(#[from] AddressError),
}

/// How an interface was before it was made quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "keep it to give the interface back with `Netlink::unquiet`"]
pub struct Quiet {
    link: Link,
    before: Before,
}

/// What was changed of an interface to make it quiet, as plain data that can be written down for
/// somebody who gives it back in another process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// Whether it had ARP.
    pub arp: bool,
    /// The IPv6 addresses that switching IPv6 off has taken away.
    pub ipv6_addresses: Vec<IpNet>,
    /// Whether it was we who switched IPv6 off.
    pub ipv6_switched_off: bool,
    /// Whether it was we who forbade a link-local address.
    pub link_local_forbidden: bool,
    /// What there is of ours at its ingress.
    pub ingress: Ingress,
}

/// What there is at the ingress of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingress {
    /// Nothing of ours: the kernel would not.
    Open,
    /// Our classifier, on a `clsact` that somebody else has made.
    FilterOnly,
    /// Our classifier on our own `clsact`.
    Own,
}

impl Quiet {
    /// Whether frames are taken at ingress, so that the host's stack sees none at all.
    #[must_use]
    pub fn takes_all(&self) -> bool {
        self.before.ingress != Ingress::Open
    }

    /// What was changed, to be written down.
    #[must_use]
    pub const fn before(&self) -> &Before {
        &self.before
    }

    /// What somebody has written down of `link`, which is quiet still.
    pub const fn recalled(link: Link, before: Before) -> Self {
        Self { link, before }
    }
}

impl Netlink {
    /// Keeps the host's stack out of an interface of the socket's namespace; best done before it
    /// is switched on.
    ///
    /// IPv6 addresses that it has are lost until it is given back; IPv4 addresses stay, useless.
    /// What this kernel or these rights do not allow is noted in the log, as long as the rest can
    /// be done.
    pub fn quiet(&mut self, link: &Link) -> Result<Quiet, QuietError> {
        // What goes by `/proc/sys` is that of the namespace in which the reader is.
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
            // Stable-privacy and random addresses (2, 3) are the user's choice, and are rare.
            Some("0") => noted(
                &link.name,
                "IPv6 addresses",
                self.change_link(link, &no_address),
            ),
            _ => false,
        };
        if read_setting(&link.name, "disable_ipv6").as_deref() == Some("0") {
            let written = write_setting(&link.name, "disable_ipv6", "1");
            before.ipv6_switched_off = noted(&link.name, "IPv6", written);
        }
        before.ingress = self.take_ingress(link);
        Ok(Quiet {
            link: link.clone(),
            before,
        })
    }

    /// Gives an interface back as it was.
    pub fn unquiet(&mut self, quiet: &Quiet) -> Result<(), QuietError> {
        // What goes by `/proc/sys` is that of the namespace in which the reader is.
        let _inside = self.namespace()?.enter()?;
        let Quiet { link, before } = quiet;
        // It may have been renamed meanwhile, and the settings go by name.
        let name = match self.link_by_index(link.index)? {
            Some(now) if now.kind == link.kind => now.name,
            _ => {
                return Err(LinkError::NotFound {
                    name: link.name.clone(),
                }
                .into());
            }
        };
        self.release_ingress(link, before.ingress);
        let mut change = LinkChange::new().arp(before.arp);
        if before.link_local_forbidden {
            change = change.link_local(LinkLocal::Eui64);
        }
        self.change_link(link, &change)?;
        if before.ipv6_switched_off {
            noted(&name, "IPv6", write_setting(&name, "disable_ipv6", "0"));
        }
        for &address in &before.ipv6_addresses {
            match self.add_address(link, address, DuplicateDetection::Skip) {
                // The link-local one is back by itself.
                Ok(()) | Err(AddressError::Exists { .. }) => {}
                Err(error) => log::warn!("{error}"),
            }
        }
        Ok(())
    }

    /// Gives back an interface that somebody made quiet who has ended without giving it back, as
    /// the kernel makes interfaces: ARP on, IPv6 on with a link-local address. Whether it was such
    /// a one: the classifier tells. To be called only by who knows that nobody uses it.
    pub fn unquiet_leftover(&mut self, link: &Link) -> Result<bool, QuietError> {
        let _inside = self.namespace()?.enter()?;
        let ours = RouteNetlinkMessage::DelTrafficFilter(filter(link));
        if self.change(ours, 0).is_err() {
            return Ok(false);
        }
        // The `clsact` stays: there may be classifiers of others on it by now.
        self.change_link(link, &LinkChange::new().arp(true))?;
        if read_setting(&link.name, "addr_gen_mode").as_deref() == Some("1") {
            let address = LinkChange::new().link_local(LinkLocal::Eui64);
            noted(
                &link.name,
                "IPv6 addresses",
                self.change_link(link, &address),
            );
        }
        noted(
            &link.name,
            "IPv6",
            write_setting(&link.name, "disable_ipv6", "0"),
        );
        Ok(true)
    }

    /// Makes an interface quiet again that was made quiet and that somebody has changed since; `ours` where
    /// it is to have no address at all. Gives what was put back, in words.
    ///
    /// To be called by who has made it quiet, and what the kernel did not allow then is not asked
    /// for again with a warning.
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
                // It has gone with another, or with IPv6.
                Err(AddressError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(put_back)
    }

    /// Whether an interface of the socket's namespace is quiet at the moment: the classifier tells.
    /// Nothing is changed.
    pub fn is_quiet(&mut self, link: &Link) -> bool {
        self.get(RouteNetlinkMessage::GetTrafficFilter(filter(link)))
            .is_ok()
    }

    fn take_ingress(&mut self, link: &Link) -> Ingress {
        let own = match self.add_clsact(link) {
            Ok(()) => true,
            Err(error) if error.errno() == Some(Errno::EEXIST) => false,
            Err(error) => {
                log::warn!(
                    "{}: the host's stack sees what comes in: {error}",
                    link.name
                );
                return Ingress::Open;
            }
        };
        match self.add_filter(link) {
            Ok(()) if own => Ingress::Own,
            Ok(()) => Ingress::FilterOnly,
            // A daemon that was killed has left it there.
            Err(error) if error.errno() == Some(Errno::EEXIST) => Ingress::FilterOnly,
            Err(error) => {
                log::warn!(
                    "{}: the host's stack sees what comes in: {error}",
                    link.name
                );
                if own {
                    self.release_ingress(link, Ingress::Own);
                }
                Ingress::Open
            }
        }
    }

    fn release_ingress(&mut self, link: &Link, ingress: Ingress) {
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
        noted(&link.name, "the classifier", outcome);
    }

    fn add_clsact(&mut self, link: &Link) -> Result<(), NetlinkError> {
        let message = RouteNetlinkMessage::NewQueueDiscipline(clsact(link));
        self.change(message, NLM_F_CREATE | NLM_F_EXCL)
    }

    fn add_filter(&mut self, link: &Link) -> Result<(), NetlinkError> {
        let mut message = filter(link);
        message
            .attributes
            .push(TcAttribute::Options(take_everything()));
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

/// What hangs at the ingress of an interface.
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

/// A program of one instruction, whose value is the verdict.
fn take_everything() -> Vec<TcOption> {
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

/// Whether something succeeded; if not, the log says so.
fn noted<E: std::fmt::Display>(interface: &str, what: &str, outcome: Result<(), E>) -> bool {
    outcome
        .inspect_err(|error| log::warn!("{interface}: {what}: {error}"))
        .is_ok()
}

/// The file of an IPv6 setting of an interface of the calling thread's namespace.
fn setting(interface: &str, setting: &str) -> PathBuf {
    ["/proc/sys/net/ipv6/conf", interface, setting]
        .iter()
        .collect()
}

/// None where the kernel has no IPv6.
fn read_setting(interface: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(setting(interface, name)).ok()?;
    Some(text.trim().to_owned())
}

fn write_setting(interface: &str, name: &str, value: &str) -> io::Result<()> {
    fs::write(setting(interface, name), value)
}
