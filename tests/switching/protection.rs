//! What one port does to the others: floods of addresses, storms, loops.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use vswitch_netns::{InterfaceName, LinkChange, LinkError, LinkLocal, Netlink, VethEnd};
use vswitch_switch::BridgeConfig;
use vswitch_switch::bridge::{Alarm, DropReason, LoopGuard, PortLimits};
use vswitch_switch::control::{Event, Events};

use super::frames::{BROADCAST, numbered, received_before, source_of};
use super::lab::{Lab, OverOnDrop, Plan, mac, wait_for_carrier};
use crate::harness::PATIENCE;
use crate::harness::isolated;
use crate::harness::packet::Endpoint;
use crate::harness::ports::open_port;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("switching_a_flood_of_addresses_evicts_its_own", flood),
        isolated("switching_a_storm_is_limited_and_unicast_is_whole", storm),
        isolated(
            "switching_a_flapping_station_keeps_its_home_and_loses_nothing",
            flapping,
        ),
        isolated("switching_a_bond_that_sends_all_twice_is_not_a_loop", twice),
        isolated("switching_a_cable_between_two_ports_is_a_loop", cable),
        isolated("switching_a_bridge_between_two_ports_is_a_loop", bridge),
    ]
}

/// Sends frames in small steps, each of which the switch has to take before the next.
fn send_all(lab: &Lab, host: usize, frames: impl Iterator<Item = Vec<u8>>) {
    let host = &lab.hosts[host];
    let wire = host.endpoint();
    let taken = || {
        let counters = lab.counters(host);
        counters.rx.frames + counters.drops.get(DropReason::RxOverflow)
    };
    let mut sent = taken();
    for frame in frames {
        wire.send_patiently(&frame).unwrap();
        sent += 1;
        if sent % 128 == 0 {
            lab.wait_for("the frames are taken", || taken() >= sent);
        }
    }
    lab.wait_for("all frames are taken", || taken() >= sent);
}

fn flood() {
    const PLACES: usize = 90;
    const STATIONS: u32 = 20;
    let config = BridgeConfig {
        max_stations: PLACES,
        port_limits: PortLimits::NONE,
        ..BridgeConfig::default()
    };
    let lab = Lab::new(config, &[Plan::SILENT; 3]);
    let greetings = |base: u32, count: u32| {
        (0..count).map(move |station| numbered(BROADCAST, mac(base + station), 0))
    };
    send_all(&lab, 0, greetings(0x1000, STATIONS));
    send_all(&lab, 1, greetings(0x2000, STATIONS));
    send_all(&lab, 2, greetings(0x10_0000, 5_000));
    assert_eq!(lab.handle().status().unwrap().stations, PLACES);
    // What the others say to each other stays between them.
    let third = lab.hosts[2].endpoint();
    let between = (0..STATIONS)
        .map(|station| numbered(mac(0x2000 + station), mac(0x1000 + station), station.into()));
    let second = lab.hosts[1].endpoint();
    send_all(&lab, 0, between);
    send_all(
        &lab,
        0,
        std::iter::once(numbered(BROADCAST, mac(0x1000), 99)),
    );
    assert_eq!(received_before(&second, 99).len(), 20);
    assert_eq!(received_before(&third, 99), []);
    lab.stop();
}

fn storm() {
    const LIMIT: u32 = 50;
    const UNICAST: u64 = 2_000;
    let config = BridgeConfig {
        port_limits: PortLimits {
            broadcast: LIMIT,
            ..PortLimits::default()
        },
        ..BridgeConfig::default()
    };
    let lab = Lab::new(config, &[Plan::SILENT; 3]);
    let alarms = lab.handle().subscribe_to_alarms(16, || {}).unwrap();
    let [one, two, stormy] = &lab.hosts[..] else {
        unreachable!()
    };
    let (from, to) = (one.endpoint(), two.endpoint());
    to.set_room(8 << 20).unwrap();
    send_all(&lab, 1, std::iter::once(numbered(mac(0xaa), two.mac(), 0)));
    let begun = Instant::now();
    let over = AtomicBool::new(false);
    let mut arrived = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let wire = stormy.endpoint();
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                let frame = numbered(BROADCAST, stormy.mac(), number);
                wire.send_patiently(&frame).unwrap();
                number += 1;
            }
        });
        let _over = OverOnDrop(&over);
        lab.wait_for("the storm has begun", || {
            lab.counters(stormy).drops.get(DropReason::StormBroadcast) > 1_000
        });
        for number in 0..UNICAST {
            from.send_patiently(&numbered(two.mac(), one.mac(), number))
                .unwrap();
            let ours = |frame: &[u8]| source_of(frame) == one.mac();
            let frame = to.receive_where(PATIENCE, ours);
            arrived.extend(frame.map(|frame| frame.bytes));
        }
    });
    let sent: Vec<_> = (0..UNICAST)
        .map(|number| numbered(two.mac(), one.mac(), number))
        .collect();
    assert_eq!(arrived, sent, "all of it, once, in order");
    let seconds = u32::try_from(begun.elapsed().as_secs()).unwrap() + 2;
    let passed = lab.counters(one).tx.frames;
    let most = u64::from(LIMIT * seconds) + UNICAST;
    assert!(passed <= most, "{passed} frames in {seconds} s");
    let told: Vec<_> = alarms.take().map(|notice| notice.event).collect();
    let [Event::Alarm(Alarm::Storm { port, limit, .. })] = told[..] else {
        panic!("{told:?}");
    };
    assert_eq!((port, limit), (lab.port(&stormy.port_name()).id, LIMIT));
    lab.stop();
}

fn flapping() {
    let lab = Lab::new(BridgeConfig::default(), &[Plan::SILENT; 3]);
    let alarms = lab.handle().subscribe_to_alarms(16, || {}).unwrap();
    let station = mac(0xbeef);
    let wires = lab.endpoints();
    let (third, whom) = (&wires[2], lab.hosts[2].mac());
    third.set_room(8 << 20).unwrap();
    send_all(&lab, 2, std::iter::once(numbered(BROADCAST, whom, 0)));
    let mut number = 0;
    // However slow the machine, it comes to so many moves in a second at last.
    let mut said = Vec::new();
    lab.wait_for("the station is held", || {
        for _ in 0..100 {
            for wire in &wires[..2] {
                number += 1;
                let frame = numbered(whom, station, number);
                wire.send_patiently(&frame).unwrap();
                let arrived = third.receive_where(PATIENCE, |received| received == frame);
                assert!(arrived.is_some(), "none of its frames is lost");
            }
        }
        said.extend(alarms.take().map(|notice| notice.event));
        !said.is_empty()
    });
    let Event::Alarm(Alarm::Flapping { mac, port, .. }) = said[0] else {
        panic!("{said:?}");
    };
    assert_eq!(mac.0, station);
    let home = usize::from(lab.port("sw1").id != port);
    let held_on = lab.hosts[home].port_name();
    // It is heard at both: it is found at one of them.
    lab.wait_for("the station is where it was held", || {
        lab.whereabouts(station) == [held_on.clone()]
    });
    for host in &lab.hosts[..2] {
        assert_eq!(lab.counters(host).drops.total(), 0);
    }
    lab.stop();
}

/// A bond in broadcast mode, a node of a redundant network, heartbeats by two links: the same
/// frames come in by two ports.
fn twice() {
    let lab = Lab::new(BridgeConfig::default(), &[Plan::SILENT; 3]);
    let alarms = lab.handle().subscribe_to_alarms(64, || {}).unwrap();
    let wires = lab.endpoints();
    let third = &wires[2];
    for number in 0..500 {
        let frame = numbered(BROADCAST, mac(0xb0), number);
        for wire in &wires[..2] {
            wire.send_patiently(&frame).unwrap();
        }
        for _ in 0..2 {
            let arrived = third.receive_where(PATIENCE, |received| received == frame);
            assert!(arrived.is_some(), "frame {number}");
        }
    }
    let told = alarms.take().map(|notice| notice.event);
    let loops = told.filter(|event| matches!(event, Event::Alarm(Alarm::Loop { .. })));
    assert_eq!(loops.count(), 0);
    let ports = lab.handle().ports().unwrap();
    assert!(ports.iter().all(|port| port.blocked.is_none()));
    lab.stop();
}

/// A lab whose ports forward again soon after a loop has ended.
fn loop_lab() -> Lab {
    let config = BridgeConfig {
        loop_guard: LoopGuard {
            enabled: true,
            hold: Duration::from_millis(200),
            max_hold: Duration::from_millis(200),
        },
        ..BridgeConfig::default()
    };
    Lab::new(config, &[Plan::SILENT; 2])
}

fn end(name: &str) -> VethEnd {
    VethEnd::new(InterfaceName::new(name).unwrap())
}

/// Switches an interface on of which the stack makes no use.
fn set_up_mute(netlink: &mut Netlink, name: &str) {
    let link = netlink.link(name).unwrap();
    let mute = LinkChange::new().arp(false).link_local(LinkLocal::None);
    netlink.change_link(&link, &mute).unwrap();
    netlink.set_up(&link).unwrap();
}

/// A frame to all is sent until the loop is found; then it is blocked, named, and over. The alarms
/// are those since before the loop was closed: a frame of the kernel's own may give it away first.
fn assert_found(lab: &Lab, alarms: &Events, ports: [&str; 2]) {
    let first = lab.hosts[0].endpoint();
    let mut said = Vec::new();
    let mut number = 0;
    lab.wait_for("the loop is found", || {
        number += 1;
        first
            .send_patiently(&numbered(BROADCAST, mac(1), number))
            .unwrap();
        let news = alarms.take().map(|notice| notice.event);
        said.extend(news.filter_map(|event| match event {
            Event::Alarm(Alarm::Loop { port, peer, .. }) => Some((port, peer)),
            _ => None,
        }));
        !said.is_empty()
    });
    let mut found = [said[0].0, said[0].1];
    found.sort_unstable();
    let mut expected = ports.map(|name| lab.port(name).id);
    expected.sort_unstable();
    assert_eq!(found, expected);
    // Each greeting has gone round a few times, until it was known for what it is.
    let rounds: u64 = ports
        .iter()
        .map(|name| lab.port(name).counters.rx.frames)
        .sum();
    assert!(rounds < 20_000, "{rounds} frames came round for {number}");
}

/// The two hosts of the lab reach each other.
fn assert_talks(lab: &Lab, wires: &[Endpoint]) {
    let mut number = 1_000;
    lab.wait_for("the hosts talk to each other", || {
        number += 1;
        for (from, to) in [(0, 1), (1, 0)] {
            let [src, dst] = [from, to].map(|host: usize| lab.hosts[host].mac());
            wires[from]
                .send_patiently(&numbered(dst, src, number))
                .unwrap();
            let wanted = numbered(dst, src, number);
            let arrived = wires[to].receive_where(Duration::from_secs(1), |frame| frame == wanted);
            if arrived.is_none() {
                return false;
            }
        }
        true
    });
}

fn cable() {
    let mut lab = loop_lab();
    let alarms = lab.handle().subscribe_to_alarms(64, || {}).unwrap();
    lab.netlink
        .create_veth(&end("left"), &end("right"), None)
        .unwrap();
    for name in ["left", "right"] {
        set_up_mute(&mut lab.netlink, name);
    }
    for name in ["left", "right"] {
        wait_for_carrier(&mut lab.netlink, name);
        let port = open_port(name).unwrap();
        lab.handle().add_port(port).unwrap();
    }
    assert_found(&lab, &alarms, ["left", "right"]);
    let wires = lab.endpoints();
    assert_talks(&lab, &wires);
    lab.stop();
}

fn bridge() {
    let mut lab = loop_lab();
    let alarms = lab.handle().subscribe_to_alarms(64, || {}).unwrap();
    let name = InterfaceName::new("br0").unwrap();
    let bridge = match lab.netlink.create_bridge(&name) {
        // A kernel without bridges has nothing to be tested.
        Err(LinkError::NoDriver { kind, .. }) => return assert_eq!(kind, "bridge"),
        other => other.unwrap(),
    };
    set_up_mute(&mut lab.netlink, "br0");
    for (near, far) in [("left", "left-br"), ("right", "right-br")] {
        lab.netlink
            .create_veth(&end(near), &end(far), None)
            .unwrap();
        set_up_mute(&mut lab.netlink, near);
        set_up_mute(&mut lab.netlink, far);
        let far = lab.netlink.link(far).unwrap();
        lab.netlink.set_bridge(&far, Some(&bridge)).unwrap();
        wait_for_carrier(&mut lab.netlink, near);
        let port = open_port(near).unwrap();
        lab.handle().add_port(port).unwrap();
    }
    assert_found(&lab, &alarms, ["left", "right"]);
    let wires = lab.endpoints();
    assert_talks(&lab, &wires);

    // Without the second cable there is no loop, and both ports forward for good.
    let far = lab.netlink.link("right-br").unwrap();
    lab.netlink.set_bridge(&far, None).unwrap();
    lab.wait_for("no port is blocked", || {
        let ports = lab.handle().ports().unwrap();
        ports.iter().all(|port| port.blocked.is_none())
    });
    let behind = Endpoint::open("right-br").unwrap();
    let greeting = numbered(BROADCAST, lab.hosts[0].mac(), 5_000);
    wires[0].send_patiently(&greeting).unwrap();
    let arrived = behind.receive_where(PATIENCE, |frame| frame == greeting);
    assert!(arrived.is_some(), "the port forwards again");
    let ports = lab.handle().ports().unwrap();
    assert!(ports.iter().all(|port| port.blocked.is_none()));
    lab.stop();
}
