//! Taking a VLAN tag out of the bytes of a frame on its way out of an interface.
//!
//! # Theory of operation
//!
//! The far end of a veth pair takes frames that are four bytes longer than its MTU allows
//! (`__is_skb_forwardable` in net/core/dev.c): one tag. The kernel's own bridge passes two, because
//! the outer one travels beside the frame, not in it (`skb->vlan_tci`), as the sender's stack or
//! the receiving driver has put it. A packet socket cannot send it so.
//!
//! But the action `vlan pop` can move it there: after it has removed the first tag from a frame's
//! bytes, it takes the next one out as well and puts it beside the frame (`skb_vlan_pop` in
//! net/core/skbuff.c). So a frame is sent with one tag too many, and with a mark, by which a
//! classifier knows it. The classifier is asked about frames of that tag's protocol alone.

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcOption};
use nix::errno::Errno;

use crate::link::Link;
use crate::netlink::{Netlink, NetlinkError};

/// The mark of a frame whose first tag is to be removed, and whose next one is to travel beside it.
pub const TAG_ASIDE_MARK: u32 = 0x7673_7461;

/// Where a classifier hangs that looks at what goes out (`TC_H_MIN_EGRESS` of `clsact`).
const EGRESS: TcHandle = TcHandle {
    major: 0xffff,
    minor: 0xfff3,
};
/// After those of the user.
const PRIORITY: u32 = 0xfff0;
/// The protocol of the tag too many (802.1ad), in network order.
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
/// `SKF_AD_OFF + SKF_AD_MARK`: the frame's mark, where an offset stands.
const MARK_AT: u32 = 0xffff_f000 + 20;

impl Netlink {
    /// Has an interface that is quiet, of the socket's namespace, move the second VLAN tag of frames
    /// with [`TAG_ASIDE_MARK`] out of their bytes, and remove the first.
    ///
    /// # Errors
    /// Where the kernel has no such action (`act_vlan`), or no `clsact` is there.
    pub fn set_tags_aside(&mut self, link: &Link) -> Result<(), NetlinkError> {
        let mut message = TcMessage::with_index(link.index.cast_signed());
        message.header.parent = EGRESS;
        message.header.handle = TcHandle { major: 0, minor: 1 };
        message.header.info = (PRIORITY << 16) | PROTOCOL;
        message.attributes.push(TcAttribute::Kind("bpf".to_owned()));
        message.attributes.push(TcAttribute::Options(options()));
        let message = RouteNetlinkMessage::NewTrafficFilter(message);
        match self.change(message, NLM_F_CREATE | NLM_F_EXCL) {
            // A process before has left it there.
            Err(error) if error.errno() == Some(Errno::EEXIST) => Ok(()),
            other => other,
        }
    }
}

fn options() -> Vec<TcOption> {
    let instructions: [(u16, [u8; 2], u32); 4] = [
        (0x20, [0, 0], MARK_AT),        // A = mark
        (0x15, [0, 1], TAG_ASIDE_MARK), // if A is not that, skip one
        (0x06, [0, 0], u32::MAX),       // it is meant
        (0x06, [0, 0], 0),              // it is not
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

/// A list of one action, the first, which goes on with the frame afterwards.
fn pop() -> Vec<u8> {
    // struct tc_vlan: index, capabilities, verdict, two counts of references, what to do.
    let parameters = [0, 0, TC_ACT_OK, 0, 0, TCA_VLAN_ACT_POP];
    let parameters: Vec<u8> = parameters.iter().flat_map(|n| n.to_ne_bytes()).collect();
    let options = attribute(TCA_VLAN_PARMS, &parameters);
    let action = [
        attribute(TCA_ACT_KIND, b"vlan\0"),
        attribute(TCA_ACT_OPTIONS, &options),
    ];
    attribute(1, &action.concat())
}

/// An attribute, as it stands in a message.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
