//! Devices that the namespace library has no need of, by netlink: tunnels and bridges.

use std::io;
use std::net::Ipv4Addr;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage,
};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// Makes a VXLAN device (RFC 7348) to one other end, in the calling thread's namespace.
pub(crate) fn vxlan(interface: &str, remote: Ipv4Addr) -> io::Result<()> {
    let tunnel = vec![
        InfoVxlan::Id(42),
        InfoVxlan::Group(remote),
        InfoVxlan::Port(4789),
        InfoVxlan::Learning(true),
    ];
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::IfName(interface.to_owned()));
    message.attributes.push(LinkAttribute::Mtu(1450));
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Vxlan),
        LinkInfo::Data(InfoData::Vxlan(tunnel)),
    ]));
    request(RouteNetlinkMessage::NewLink(message))
}

/// Makes a Linux bridge, in the calling thread's namespace.
pub(crate) fn bridge(interface: &str) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::IfName(interface.to_owned()));
    let kind = vec![LinkInfo::Kind(InfoKind::Bridge)];
    message.attributes.push(LinkAttribute::LinkInfo(kind));
    request(RouteNetlinkMessage::NewLink(message))
}

/// Makes a veth pair whose near end has this index.
pub(crate) fn veth_at(near: &str, far: &str, index: u32) -> io::Result<()> {
    let named = |name: &str| {
        let mut message = LinkMessage::default();
        let name = LinkAttribute::IfName(name.to_owned());
        message.attributes.push(name);
        message
    };
    let mut message = named(near);
    message.header.index = index;
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(named(far)))),
    ]));
    request(RouteNetlinkMessage::NewLink(message))
}

/// Makes an interface a member of a bridge, given by its index; of none if that is 0.
pub(crate) fn set_master(interface_index: u32, bridge_index: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = interface_index;
    message
        .attributes
        .push(LinkAttribute::Controller(bridge_index));
    request(RouteNetlinkMessage::SetLink(message))
}

fn request(message: RouteNetlinkMessage) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut message = NetlinkMessage::from(message);
    message.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer);
    match answer.map_err(io::Error::other)?.payload {
        NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
        _ => Ok(()),
    }
}
