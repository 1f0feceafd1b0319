//! Ports that go on in another switch, under traffic.

use libtest_mimic::Trial;
use vswitch_netns::Netlink;
use vswitch_switch::bridge::PortId;
use vswitch_switch::frame::{MacAddr, VlanId};
use vswitch_switch::handover::{Snapshot, Then};
use vswitch_switch::port::{
    Assembled, LinkState, PacketOptions, PacketPort, ReceivePath, TapOptions, TapPort, VacantPort,
};
use vswitch_switch::{BridgeConfig, Handle, Running, Switch};

use super::Lab;
use crate::harness::isolated;
use crate::harness::traffic::{Station, Traffic};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("ports_rings_go_on_in_another_switch_without_loss", || {
            under_traffic(ReceivePath::Ring);
        }),
        isolated("ports_sockets_go_on_in_another_switch_without_loss", || {
            under_traffic(ReceivePath::Socket);
        }),
        isolated("ports_of_all_kinds_go_on_as_they_were", kinds),
    ]
}

const HOSTS: [Station<'_>; 2] = [
    Station {
        namespace: "left",
        interface: "eth0",
        mac: [2, 0, 0, 0, 0, 1],
    },
    Station {
        namespace: "right",
        interface: "eth0",
        mac: [2, 0, 0, 0, 0, 2],
    },
];

/// The ports of a switch, put together a second time.
fn double(handle: &Handle) -> Vec<Assembled> {
    let ports = handle.ports().unwrap().into_iter();
    let parts = ports.map(|port| handle.port_parts(port.id).unwrap().unwrap());
    parts.map(|parts| parts.assemble().unwrap()).collect()
}

/// The switch, and then another one that goes on; or the same one, which does.
fn hand_over(running: Running, then: Then) -> Running {
    let handle = running.handle();
    let ports = double(&handle);
    let snapshot: Snapshot = handle
        .stand_still(move |snapshot| (snapshot.clone(), then))
        .unwrap();
    let mut next = Switch::new(BridgeConfig::default()).unwrap();
    next.go_on(&snapshot, ports).unwrap();
    if then == Then::GoOn {
        return running;
    }
    running.wait().unwrap();
    next.spawn().unwrap()
}

/// Frames both ways go through twenty switches one after the other, and every third time the next
/// one does not take over.
fn under_traffic(receive: ReceivePath) {
    let _lab = Lab::new(1500);
    let options = PacketOptions {
        receive,
        ring_slots: 1024,
    };
    let mut switch = Switch::new(BridgeConfig::default()).unwrap();
    for interface in ["left-vsw", "right-vsw"] {
        let port = PacketPort::open_with(interface, &options).unwrap();
        switch.add_port(port).unwrap();
    }
    let mut running = switch.spawn().unwrap();
    let traffic = Traffic::begin(HOSTS);
    for round in 0..20 {
        traffic.goes_on();
        let then = if round % 3 == 2 {
            Then::GoOn
        } else {
            Then::End
        };
        running = hand_over(running, then);
    }
    let sent = traffic.end_without_loss(|| format!("{:?}", running.handle().ports()));
    let ports = running.handle().ports().unwrap();
    for (port, sent) in ports.iter().zip(sent.0) {
        // Those that introduce, too.
        assert!(port.counters.rx.frames > sent, "{:?}", port.counters);
        assert_eq!(port.counters.drops.total(), 0, "{:?}", port.counters);
    }
    assert_eq!(running.handle().status().unwrap().stations, 2);
    running.stop().unwrap();
}

/// A port each of a ring, a socket, a TAP device and nothing at all; numbers, links, stations.
fn kinds() {
    let _lab = Lab::new(1500);
    let mut switch = Switch::new(BridgeConfig::default()).unwrap();
    let open = |interface, receive| {
        let options = PacketOptions {
            receive,
            ..PacketOptions::default()
        };
        PacketPort::open_with(interface, &options).unwrap()
    };
    let up = LinkState::Up;
    let left = open("left-vsw", ReceivePath::Ring);
    switch.add_port_at(PortId(9), left, up).unwrap();
    let right = open("right-vsw", ReceivePath::Socket);
    switch
        .add_port_at(PortId(3), right, LinkState::Down)
        .unwrap();
    let tap = TapPort::create(Some("tap7"), TapOptions::default()).unwrap();
    // What is flooded to one that is down tells the switch so.
    let mut here = Netlink::open().unwrap();
    let interface = here.link("tap7").unwrap();
    here.set_up(&interface).unwrap();
    switch.add_port_at(PortId(40), tap, up).unwrap();
    let vacant = VacantPort::new("gone".to_owned(), 1400);
    switch
        .add_port_at(PortId(2), vacant, LinkState::Absent)
        .unwrap();
    let running = switch.spawn().unwrap();
    let handle = running.handle();
    for (last, port) in [(1, "gone"), (2, "tap7")] {
        let mac = MacAddr([2, 0, 0, 0, 1, last]);
        handle.add_static(VlanId::NONE, mac, port).unwrap();
    }
    let told = |handle: &Handle| {
        let ports = handle.ports().unwrap().into_iter();
        let told = ports.map(|port| (port.id, port.name, port.driver, port.link, port.mtu_bytes));
        told.collect::<Vec<_>>()
    };
    let fixed = |handle: &Handle| {
        // What the kernel's own IPv6 says in between may teach the switch another.
        let mut stations = handle.stations().unwrap();
        stations.retain(|station| station.age.is_none());
        stations.sort_by_key(|station| station.mac.0);
        stations
    };
    let stations = fixed(&handle);
    assert_eq!(stations.len(), 2);
    let ports_before = told(&handle);
    let uptime = handle.status().unwrap().uptime;

    let running = hand_over(running, Then::End);
    let handle = running.handle();
    assert_eq!(told(&handle), ports_before);
    assert_eq!(fixed(&handle), stations);
    assert!(handle.status().unwrap().uptime >= uptime);
    // The claims are held still, and given up with the last switch.
    PacketPort::open("left-vsw").unwrap_err();
    running.stop().unwrap();
    PacketPort::open("left-vsw").unwrap();
    TapPort::create(Some("tap7"), TapOptions::default()).unwrap();
}
