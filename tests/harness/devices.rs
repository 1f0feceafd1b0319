//! Devices that the namespace library has no need of, by netlink: tunnels and bridges.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::tc::{
    TcAttribute, TcBpfFlags, TcFilterBpfOption, TcHandle, TcMessage, TcOption,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use netlink_sys::{Socket, SocketAddr};

/// A VXLAN device (RFC 7348) to one other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vxlan {
    pub(crate) remote: IpAddr,
    /// Whether the packets outside have UDP checksums.
    pub(crate) checksum: bool,
}

/// Makes a VXLAN device in the calling thread's namespace.
pub(crate) fn vxlan(interface: &str, device: &Vxlan) -> io::Result<()> {
    let mut tunnel = vec![
        InfoVxlan::Id(42),
        InfoVxlan::Port(4789),
        InfoVxlan::Learning(true),
    ];
    tunnel.push(match device.remote {
        IpAddr::V4(remote) => InfoVxlan::Group(remote),
        IpAddr::V6(remote) => InfoVxlan::Group6(remote),
    });
    if device.remote.is_ipv4() {
        tunnel.push(InfoVxlan::UDPCsum(device.checksum));
    }
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::IfName(interface.to_owned()));
    message.attributes.push(LinkAttribute::Mtu(1430));
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

/// Renames an interface, which is down, to anything that the kernel takes.
pub(crate) fn rename(interface_index: u32, name: &str) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = interface_index;
    message
        .attributes
        .push(LinkAttribute::IfName(name.to_owned()));
    request(RouteNetlinkMessage::SetLink(message))
}

/// Makes a macvlan on the interface with this index: of all that may stand on one, what most kernels
/// have.
pub(crate) fn macvlan(interface: &str, lower_index: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    let name = LinkAttribute::IfName(interface.to_owned());
    message
        .attributes
        .extend([name, LinkAttribute::Link(lower_index)]);
    let kind = vec![LinkInfo::Kind(InfoKind::MacVlan)];
    message.attributes.push(LinkAttribute::LinkInfo(kind));
    request(RouteNetlinkMessage::NewLink(message))
}

/// Makes a default route of IPv4 by an interface, in a table that is not the main one.
pub(crate) fn default_route_in_table(index: u32, table: u8) -> io::Result<()> {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.table = table;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Link;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(RouteAttribute::Oif(index));
    request(RouteNetlinkMessage::NewRoute(message))
}

/// Has a classifier of priority 7 drop all that comes in by an interface.
pub(crate) fn drop_at_ingress(index: u32) -> io::Result<()> {
    const RETURN_CONSTANT: u8 = 6;
    const TC_ACT_SHOT: u8 = 2;
    const ALL_PROTOCOLS: u32 = 0x0003_u16.to_be() as u32;
    let mut message = TcMessage::with_index(index.cast_signed());
    message.header.parent = TcHandle::CLSACT;
    message.header.handle = TcHandle {
        major: 0xffff,
        minor: 0,
    };
    let kind = |kind: &str| TcAttribute::Kind(kind.to_owned());
    message.attributes.push(kind("clsact"));
    request(RouteNetlinkMessage::NewQueueDiscipline(message))?;
    let mut message = TcMessage::with_index(index.cast_signed());
    message.header.parent = TcHandle {
        major: 0xffff,
        minor: TcHandle::MIN_INGRESS,
    };
    message.header.info = (7 << 16) | ALL_PROTOCOLS;
    let mut program = u16::from(RETURN_CONSTANT).to_ne_bytes().to_vec();
    program.extend([0, 0]);
    program.extend(u32::from(TC_ACT_SHOT).to_ne_bytes());
    // TCA_BPF_OPS_LEN and TCA_BPF_OPS of linux/pkt_cls.h.
    let options = vec![
        TcOption::Other(DefaultNla::new(4, 1_u16.to_ne_bytes().to_vec())),
        TcOption::Other(DefaultNla::new(5, program)),
        TcOption::Bpf(TcFilterBpfOption::Flags(TcBpfFlags::DirectAction)),
    ];
    message.attributes.push(kind("bpf"));
    message.attributes.push(TcAttribute::Options(options));
    request(RouteNetlinkMessage::NewTrafficFilter(message))
}

/// Has the chain `all` of the nftables table `guard` drop all that comes in by an interface.
///
/// # Errors
/// Where the kernel has no nftables.
pub(crate) fn drop_by_nftables(interface: &str) -> io::Result<()> {
    const NETDEV: u8 = 5;
    let text = |kind: u16, text: &str| attribute(kind, format!("{text}\0").as_bytes());
    let number = |kind: u16, number: u32| attribute(kind, &number.to_be_bytes());
    // NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY, NFTA_HOOK_DEV.
    let hook = [number(1, 0), number(2, 0), text(3, interface)].concat();
    // NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE.
    let chain = [
        text(1, "guard"),
        text(3, "all"),
        attribute(4 | 0x8000, &hook),
        number(5, 0),
        text(7, "filter"),
    ];
    // A batch: its begin, a table, a chain, its end.
    let batch = [
        nftables(0x10, 0, [0, 0, 0, 10], &[]),
        nftables(10 << 8, 1, [NETDEV, 0, 0, 0], &text(1, "guard")),
        nftables((10 << 8) | 3, 2, [NETDEV, 0, 0, 0], &chain.concat()),
        nftables(0x11, 3, [0, 0, 0, 10], &[]),
    ];
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&batch.concat(), 0)?;
    loop {
        let mut answer = Vec::with_capacity(4096);
        socket.recv(&mut answer, 0)?;
        let number = |at: usize| i32::from_ne_bytes(answer[at..at + 4].try_into().unwrap());
        // struct nlmsghdr, whose sequence is at 8, and then nlmsgerr with the error first.
        match (number(8), number(16)) {
            (_, error @ ..0) => return Err(io::Error::from_raw_os_error(-error)),
            (2, _) => return Ok(()),
            _ => {}
        }
    }
}

fn nftables(kind: u16, sequence: u32, header: [u8; 4], attributes: &[u8]) -> Vec<u8> {
    let flags = if sequence == 0 || sequence == 3 {
        NLM_F_REQUEST
    } else {
        NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK
    };
    let length = u32::try_from(20 + attributes.len()).unwrap();
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend([0; 4]);
    message.extend(header);
    message.extend(attributes);
    message
}

/// A netlink attribute, padded.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
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

/// Has an interface that is a port drop all that leaves by it, as `tc filter add dev IFACE egress`
/// does: with a program of one instruction, beside the switch's own at ingress.
pub(crate) fn drop_at_egress(interface: &str) -> io::Result<()> {
    const TCA_BPF_OPS_LEN: u16 = 4;
    const TCA_BPF_OPS: u16 = 5;
    const RETURN_CONSTANT: u16 = 0x06;
    const TC_ACT_SHOT: u32 = 2;
    let index = nix::net::if_::if_nametoindex(interface)?;
    let mut message = TcMessage::with_index(index.cast_signed());
    message.header.parent = TcHandle {
        major: 0xffff,
        minor: 0xfff3,
    };
    message.header.handle = TcHandle { major: 0, minor: 1 };
    // Priority 1, all protocols (`ETH_P_ALL`).
    message.header.info = (1 << 16) | u32::from(3_u16.to_be());
    message.attributes.push(TcAttribute::Kind("bpf".to_owned()));
    let mut instruction = RETURN_CONSTANT.to_ne_bytes().to_vec();
    instruction.extend([0, 0]);
    instruction.extend(TC_ACT_SHOT.to_ne_bytes());
    message.attributes.push(TcAttribute::Options(vec![
        TcOption::Other(DefaultNla::new(
            TCA_BPF_OPS_LEN,
            1_u16.to_ne_bytes().to_vec(),
        )),
        TcOption::Other(DefaultNla::new(TCA_BPF_OPS, instruction)),
        TcOption::Bpf(TcFilterBpfOption::Flags(TcBpfFlags::DirectAction)),
    ]));
    request(RouteNetlinkMessage::NewTrafficFilter(message))
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

/// Whether the permissions of `/dev/net/tun` allow to open it, which a user namespace does not change.
pub(crate) fn may_open_tun() -> bool {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).open("/dev/net/tun").is_ok()
}
