//! Groups: neighbour discovery and multicast.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};

use libtest_mimic::Trial;

use super::frames::{BROADCAST, numbered, received_before};
use super::lab::{Host, INSIDE, Lab, on_one_processor};
use crate::harness::packet::Endpoint;
use crate::harness::{PATIENCE, isolated, sys};

const PORT: u16 = 5000;
const DATAGRAMS: u8 = 20;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated(
            "switching_neighbours_discover_each_other",
            neighbours_discover_each_other,
        ),
        isolated(
            "switching_ipv4_multicast_reaches_each_member_once",
            ipv4_multicast,
        ),
        isolated(
            "switching_ipv6_multicast_reaches_each_member_once",
            ipv6_multicast,
        ),
    ]
}

/// The type of a neighbour discovery message (RFC 4861, 4.3 and 4.4) about `target`.
fn discovery(frame: &[u8], target: [u8; 16]) -> Option<u8> {
    let is_icmp = frame.get(12..14)? == [0x86, 0xdd] && *frame.get(20)? == 58;
    let kind = *frame.get(54)?;
    (is_icmp && matches!(kind, 135 | 136) && *frame.get(62..78)? == target).then_some(kind)
}

fn neighbours_discover_each_other() {
    const SOLICITATION: u8 = 135;
    const ADVERTISEMENT: u8 = 136;
    let lab = on_one_processor(|| Lab::talking(3));
    let [one, two, _] = &lab.hosts[..] else {
        unreachable!()
    };
    let wires = lab.endpoints();
    // Nobody has a neighbour yet: the first ping has to find the other out.
    one.ping(two.v6(), 56);
    on_one_processor(|| {
        let last = numbered(BROADCAST, two.mac(), 0);
        wires[1].send_patiently(&last).unwrap();
    });
    let target = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2).octets();
    let seen = |wire: &Endpoint| -> Vec<u8> {
        let frames = received_before(wire, 0);
        let kinds = frames.iter().filter_map(|f| discovery(&f.bytes, target));
        kinds.collect()
    };
    assert_eq!(seen(&wires[0]), [ADVERTISEMENT]);
    // The question goes to a group, so to the third too; the answer does not.
    assert_eq!(seen(&wires[2]), [SOLICITATION]);
    let question = wires[1].receive_where(PATIENCE, |frame| discovery(frame, target).is_some());
    let question = question.expect("the question").bytes;
    assert_eq!(discovery(&question, target), Some(SOLICITATION));
    lab.stop();
}

/// Sends numbered datagrams to a group and reads them at every member.
fn each_member_once(sender: &UdpSocket, group: SocketAddr, members: &[UdpSocket]) {
    for number in 0..DATAGRAMS {
        sender.send_to(&[number], group).unwrap();
    }
    for member in members {
        member.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = [0; 2];
        for number in 0..DATAGRAMS {
            let length = member.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..length], [number], "each once and in order");
        }
    }
}

/// Nothing waits at any member: asked for once all members have had everything.
fn nothing_twice(members: &[UdpSocket]) {
    for member in members {
        member.set_nonblocking(true).unwrap();
        let more = member.recv(&mut [0; 2]);
        assert!(more.is_err(), "a member got a datagram twice");
    }
}

fn ipv4_multicast() {
    let lab = Lab::talking(5);
    let group = Ipv4Addr::new(239, 1, 2, 3);
    let own = |host: &Host| -> Ipv4Addr { host.v4().to_string().parse().unwrap() };
    let join = |host: &Host| {
        host.run(|| {
            let socket = UdpSocket::bind((group, PORT)).unwrap();
            socket.join_multicast_v4(&group, &own(host)).unwrap();
            socket
        })
    };
    let members: Vec<_> = lab.hosts[1..].iter().map(join).collect();
    let sender = lab.hosts[0].run(|| {
        let socket = UdpSocket::bind((own(&lab.hosts[0]), 0)).unwrap();
        let interface = own(&lab.hosts[0]);
        let set = socket2::SockRef::from(&socket).set_multicast_if_v4(&interface);
        set.unwrap();
        socket
    });
    each_member_once(&sender, (group, PORT).into(), &members);
    nothing_twice(&members);
    lab.stop();
}

fn ipv6_multicast() {
    let lab = Lab::talking(5);
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0x1234, 0x5678);
    let open = |host: &Host, port| {
        host.run(|| {
            let index = sys::interface_index(INSIDE).unwrap();
            let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap();
            (socket, index)
        })
    };
    let join = |host: &Host| {
        let (socket, index) = open(host, PORT);
        socket.join_multicast_v6(&group, index).unwrap();
        socket
    };
    let members: Vec<_> = lab.hosts[1..].iter().map(join).collect();
    let (sender, index) = open(&lab.hosts[0], 0);
    let target = SocketAddrV6::new(group, PORT, 0, index).into();
    each_member_once(&sender, target, &members);
    nothing_twice(&members);
    lab.stop();
}
