//! Finds ingress rules of an interface that do not apply to a packet socket.
//!
//! A packet socket gets its copy of a frame before the classifiers of `tc` and the chains of `nft`
//! at ingress see the frame (`__netif_receive_skb_core` in net/core/dev.c). So a switch forwards
//! even the frames that such rules drop, and the user has to be warned.

use std::fs;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::TcMessage;
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

use crate::answer::{Answer, attributes_of, text_of, u32_of};
use crate::link::Link;
use crate::netlink::{Netlink, NetlinkError, retried};
use crate::quiet;

// Numbers of linux/rtnetlink.h and linux/pkt_cls.h.
const TCA_KIND: u16 = 1;
/// Length of `tcmsg`, which the attributes follow, and the offset of its priority.
const TC_HEADER_BYTES: usize = 20;
const TC_INFO_AT: usize = 16;
const TC_INDEX_AT: usize = 4;

// Numbers of linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h and linux/netfilter.h.
const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFT_MSG_GETCHAIN: u16 = 4;
const NFT_MSG_NEWCHAIN: u16 = 3;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NFTA_HOOK_DEV: u16 = 3;
const NFTA_HOOK_DEVS: u16 = 4;
const NFPROTO_INET: u8 = 1;
const NFPROTO_NETDEV: u8 = 5;
const NF_NETDEV_INGRESS: u32 = 0;
const NF_INET_INGRESS: u32 = 5;
/// Length of `nfgenmsg`; the attributes follow it.
const NF_HEADER_BYTES: usize = 4;
/// Length of `nlmsghdr`.
const NETLINK_HEADER_BYTES: u8 = 16;
const BUFFER_BYTES: usize = 1 << 16;

impl Netlink {
    /// Lists the classifiers at the ingress of an interface, except that of [`Netlink::quiet`], as
    /// text such as `tc filter flower (priority 10)`.
    pub fn ingress_filters(&mut self, link: &Link) -> Result<Vec<String>, NetlinkError> {
        let all = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
        let disciplines = self.dump(&all)?;
        let has_ingress = disciplines.iter().any(|reply| {
            let kind = kind_of(&reply.payload);
            index_of(&reply.payload) == Some(link.index)
                && matches!(kind.as_deref(), Some("clsact" | "ingress"))
        });
        if !has_ingress {
            return Ok(Vec::new());
        }
        let filters = self.dump(&RouteNetlinkMessage::GetTrafficFilter(quiet::ingress_of(
            link,
        )))?;
        let mut told: Vec<String> = filters
            .iter()
            .filter_map(|reply| {
                let info = u32_of(reply.payload.get(TC_INFO_AT..)?)?;
                let (priority, kind) = (info >> 16, kind_of(&reply.payload)?);
                let is_ours = priority == quiet::PRIORITY && kind == "bpf";
                (!is_ours).then(|| format!("tc filter {kind} (priority {priority})"))
            })
            .collect();
        told.dedup();
        Ok(told)
    }
}

fn kind_of(payload: &[u8]) -> Option<String> {
    let mut attributes = attributes_of(payload.get(TC_HEADER_BYTES..)?);
    let kind = attributes.find(|(kind, _)| *kind == TCA_KIND)?;
    Some(text_of(kind.1))
}

fn index_of(payload: &[u8]) -> Option<u32> {
    u32_of(payload.get(TC_INDEX_AT..)?)
}

/// Lists the nftables chains at the ingress of an interface of the calling thread's namespace, as
/// text such as `nft chain filter drop_all`. Needs `CAP_NET_ADMIN`. A kernel without nftables has
/// no chains.
pub fn ingress_chains(interface: &str) -> Result<Vec<String>, NetlinkError> {
    if !is_loaded() {
        return Ok(Vec::new());
    }
    let mut told = Vec::new();
    for (family, hook) in [
        (NFPROTO_NETDEV, NF_NETDEV_INGRESS),
        (NFPROTO_INET, NF_INET_INGRESS),
    ] {
        for payload in chains(family)? {
            told.extend(chain_at(&payload, hook, interface));
        }
    }
    Ok(told)
}

/// Reports whether nftables is loaded now. A request over its socket would load the module.
fn is_loaded() -> bool {
    let Ok(modules) = fs::read_to_string("/proc/modules") else {
        // The kernel was built without modules.
        return true;
    };
    let has = |wanted: &str| {
        let mut names = modules.lines().filter_map(|line| line.split(' ').next());
        names.any(|name| name == wanted)
    };
    // Both are modules, or both are built in.
    has("nf_tables") || !has("nfnetlink") && nfnetlink_answers()
}

/// Reports whether the kernel has bound its end of nfnetlink (kernel sockets have port 0; proc(5)).
fn nfnetlink_answers() -> bool {
    let sockets = fs::read_to_string("/proc/net/netlink").unwrap_or_default();
    sockets.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let protocol = fields.next().and_then(|field| field.parse().ok());
        protocol == Some(NETLINK_NETFILTER) && fields.next() == Some("0")
    })
}

/// Lists all chains of an address family.
fn chains(family: u8) -> Result<Vec<Vec<u8>>, NetlinkError> {
    const SEQUENCE: u32 = 1;
    let mut socket = Socket::new(NETLINK_NETFILTER).map_err(|e| NetlinkError::socket(&e))?;
    let prepare = |socket: &mut Socket| {
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))
    };
    prepare(&mut socket).map_err(|error| NetlinkError::socket(&error))?;
    let message_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
    let mut request = vec![NETLINK_HEADER_BYTES + 4, 0, 0, 0];
    if cfg!(target_endian = "big") {
        request.reverse();
    }
    request.extend(message_type.to_ne_bytes());
    request.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    request.extend(SEQUENCE.to_ne_bytes());
    request.extend([0; 4]);
    // struct nfgenmsg: family, version, resource.
    request.extend([family, 0, 0, 0]);
    retried(|| socket.send(&request, 0))?;

    let mut answer = Answer::default();
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    while !answer.complete {
        buffer.clear();
        retried(|| socket.recv_from(&mut buffer, 0))?;
        answer.take(&buffer, SEQUENCE)?;
    }
    let replies = answer.outcome()?.into_iter();
    let wanted = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN;
    Ok(replies
        .filter(|reply| reply.message_type == wanted)
        .map(|reply| reply.payload)
        .collect())
}

/// Returns the name of a chain that is attached to this hook of the interface.
fn chain_at(payload: &[u8], wanted: u32, interface: &str) -> Option<String> {
    let attributes = || attributes_of(payload.get(NF_HEADER_BYTES..).unwrap_or_default());
    let value =
        |wanted: u16| attributes().find_map(|(kind, value)| (kind == wanted).then_some(value));
    let (mut number, mut is_here) = (None, false);
    for (kind, value) in attributes_of(value(NFTA_CHAIN_HOOK)?) {
        match kind {
            // In network byte order, like all numbers of nftables.
            NFTA_HOOK_HOOKNUM => number = u32_of(value).map(u32::from_be),
            NFTA_HOOK_DEV => is_here |= text_of(value) == interface,
            NFTA_HOOK_DEVS => {
                is_here |= attributes_of(value).any(|(_, name)| text_of(name) == interface);
            }
            _ => {}
        }
    }
    (number == Some(wanted) && is_here).then(|| {
        let name = |kind| value(kind).map(text_of).unwrap_or_default();
        format!(
            "nft chain {} {}",
            name(NFTA_CHAIN_TABLE),
            name(NFTA_CHAIN_NAME)
        )
    })
}
