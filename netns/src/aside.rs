//! Moves a VLAN tag out of a frame's bytes at the egress of an interface.
//!
//! # Theory of operation
//!
//! The far end of a veth pair accepts frames that are four bytes longer than its MTU
//! (`__is_skb_forwardable` in net/core/dev.c), which is room for one tag. The kernel's bridge
//! passes frames with two tags, because the outer tag is metadata (`skb->vlan_tci`) and not part of
//! the bytes: the sender's stack or the receiving driver put it there. A packet socket cannot send
//! a frame that way.
//!
//! The action `vlan pop` can move the tag. After it has removed the first tag from a frame's bytes,
//! it also takes the next tag out of the bytes and stores it as metadata (`skb_vlan_pop` in
//! net/core/skbuff.c). So the switch sends the frame with one extra tag and a mark, and a
//! classifier selects the frame by the mark. The classifier matches the extra tag's protocol only,
//! so other frames do not reach it.

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcOption};
use nix::errno::Errno;

use crate::link::Link;
use crate::netlink::{Netlink, NetlinkError};

/// The mark of a frame whose first tag must be removed and whose second tag becomes metadata.
pub const TAG_ASIDE_MARK: u32 = 0x7673_7461;

/// The parent handle of classifiers at egress (`TC_H_MIN_EGRESS` of `clsact`).
const EGRESS: TcHandle = TcHandle {
    major: 0xffff,
    minor: 0xfff3,
};
/// A late priority: the user's classifiers run first.
const PRIORITY: u32 = 0xfff0;
/// The protocol of the extra tag (802.1ad), in network byte order.
const PROTOCOL: u32 = 0x88a8_u16.to_be() as u32;

// Numbers of linux/pkt_cls.h, linux/tc_act/tc_vlan.h and linux/filter.h.
const TCA_BPF_ACT: u16 = 1;
const TCA_BPF_OPS_LEN: u16 = 4;
const TCA_BPF_OPS: u16 = 5;
const TCA_ACT_KIND: u16 = 1;
const TCA_ACT_OPTIONS: u16 = 2;
const TCA_VLAN_PARMS: u16 = 2;
const TCA_VLAN_ACT_POP: u32 = 1;
const TC_ACT_OK: u32 = 0;
/// `SKF_AD_OFF + SKF_AD_MARK`: the ancillary offset that loads the frame's mark.
const MARK_AT: u32 = 0xffff_f000 + 20;

impl Netlink {
    /// Adds a classifier to a quiet interface of the socket's namespace that, for frames with
    /// [`TAG_ASIDE_MARK`], removes the first VLAN tag and moves the second into metadata.
    ///
    /// # Errors
    /// If the kernel does not have the action (`act_vlan`), or the interface has no `clsact`.
    pub fn set_tags_aside(&mut self, link: &Link) -> Result<(), NetlinkError> {
        let mut message = TcMessage::with_index(link.index.cast_signed());
        message.header.parent = EGRESS;
        message.header.handle = TcHandle { major: 0, minor: 1 };
        message.header.info = (PRIORITY << 16) | PROTOCOL;
        message.attributes.push(TcAttribute::Kind("bpf".to_owned()));
        message.attributes.push(TcAttribute::Options(options()));
        let message = RouteNetlinkMessage::NewTrafficFilter(message);
        match self.change(message, NLM_F_CREATE | NLM_F_EXCL) {
            // A previous process has left the classifier there.
            Err(error) if error.errno() == Some(Errno::EEXIST) => Ok(()),
            other => other,
        }
    }
}

fn options() -> Vec<TcOption> {
    let instructions: [(u16, [u8; 2], u32); 4] = [
        (0x20, [0, 0], MARK_AT),        // A = mark
        (0x15, [0, 1], TAG_ASIDE_MARK), // unless A equals it, skip one
        (0x06, [0, 0], u32::MAX),       // match
        (0x06, [0, 0], 0),              // no match
    ];
    let mut program = Vec::new();
    for (code, jumps, constant) in &instructions {
        program.extend(code.to_ne_bytes());
        program.extend(jumps);
        program.extend(constant.to_ne_bytes());
    }
    let count = 4_u16.to_ne_bytes().to_vec();
    vec![
        TcOption::Other(DefaultNla::new(TCA_BPF_OPS_LEN, count)),
        TcOption::Other(DefaultNla::new(TCA_BPF_OPS, program)),
        TcOption::Other(DefaultNla::new(TCA_BPF_ACT, pop())),
    ]
}

/// Builds a list of one action that lets the frame continue afterwards.
fn pop() -> Vec<u8> {
    // struct tc_vlan: index, capabilities, verdict, two reference counts, operation.
    let parameters = [0, 0, TC_ACT_OK, 0, 0, TCA_VLAN_ACT_POP];
    let parameters: Vec<u8> = parameters.iter().flat_map(|n| n.to_ne_bytes()).collect();
    let options = attribute(TCA_VLAN_PARMS, &parameters);
    let action = [
        attribute(TCA_ACT_KIND, b"vlan\0"),
        attribute(TCA_ACT_OPTIONS, &options),
    ];
    attribute(1, &action.concat())
}

/// Encodes a netlink attribute.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
