//! Every frame is somewhere: received, or counted as lost.
//!
//! From sender to receiver a frame can be lost in four places. The queue of the processor between
//! a veth's two ends: whoever sends is told so, by ENOBUFS; that is the sender of the test, which
//! then sends again, or the switch, which counts it (`egress_full`). The switch's receive queue:
//! the kernel counts it for the socket (`rx_overflow`). The receiver's: the same, for the test's
//! socket. What no switch could count is a frame that the sender's own kernel drops: it has never
//! been on the wire.

use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use vswitch_netns::Netlink;
use vswitch_switch::bridge::DropReason;
use vswitch_switch::port::Counters;
use vswitch_switch::port::memory::{self, MemoryOptions};
use vswitch_switch::{BridgeConfig, Switch};

use super::frames::{number_of, numbered};
use super::lab::{Host, Lab, Plan, mac};
use crate::harness::packet::Endpoint;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated(
            "switching_what_a_busy_switch_misses_is_counted",
            busy_switch,
        ),
        isolated("switching_what_a_full_port_loses_is_counted", full_port),
        isolated(
            "switching_what_is_sent_is_received_or_counted",
            sent_is_received_or_counted,
        ),
    ]
}

/// Sends so many frames to somewhere. The kernel takes every one.
fn blast(wire: &Endpoint, dst: [u8; 6], src: [u8; 6], count: u64) {
    for number in 0..count {
        wire.send_patiently(&numbered(dst, src, number)).unwrap();
    }
}

/// A switch that does not come round to its ports loses what its sockets have no room for.
fn busy_switch() {
    const SENT: u64 = 30_000;
    let mut netlink = Netlink::open().unwrap();
    let hosts: Vec<_> = (1..=2)
        .map(|number| Host::new(&mut netlink, number, Plan::SILENT))
        .collect();
    let mut switch = Switch::new(BridgeConfig::default()).unwrap();
    for host in &hosts {
        switch.add_port(host.open_port()).unwrap();
    }
    let receiver = hosts[1].endpoint();
    blast(&hosts[0].endpoint(), hosts[1].mac(), hosts[0].mac(), SENT);

    let running = switch.spawn().unwrap();
    let handle = running.handle();
    let mut received = 0;
    let settled = wait_until(PATIENCE, || {
        received += receiver.collect(Duration::from_millis(1), |_| true).len() as u64;
        let ports = handle.ports().unwrap();
        let (from, to) = (ports[0].counters, ports[1].counters);
        from.rx.frames + from.drops.get(DropReason::RxOverflow) == SENT
            && to.tx.frames + to.drops.get(DropReason::EgressFull) == from.rx.frames
    });
    let ports = handle.ports().unwrap();
    assert!(settled, "{ports:#?}");
    let (from, to) = (ports[0].counters, ports[1].counters);
    assert!(
        from.drops.get(DropReason::RxOverflow) > 0,
        "too few were sent"
    );
    assert_eq!(from.drops.total(), from.drops.get(DropReason::RxOverflow));
    let mut lost = 0;
    let arrived = wait_until(PATIENCE, || {
        received += receiver.collect(Duration::from_millis(1), |_| true).len() as u64;
        lost += u64::from(receiver.take_losses().unwrap());
        received + lost == to.tx.frames
    });
    assert!(arrived, "{received} and {lost} of {to:?}");
    running.stop().unwrap();
}

/// A port that nobody empties takes what it has room for.
fn full_port() {
    const SENT: u64 = 5_000;
    const ROOM: usize = 100;
    let lab = Lab::silent(1);
    let options = MemoryOptions {
        capacity: ROOM,
        ..MemoryOptions::default()
    };
    let (port, cable) = memory::pair("memory", options).unwrap();
    lab.handle().add_port(port).unwrap();
    let host = &lab.hosts[0];
    blast(&host.endpoint(), mac(0xdead), host.mac(), SENT);
    lab.wait_for("all went through the switch", || {
        let counters = lab.counters(host);
        counters.rx.frames + counters.drops.get(DropReason::RxOverflow) == SENT
    });
    let missed = lab.counters(host).drops.get(DropReason::RxOverflow);
    let counters = lab.port("memory").counters;
    let full = counters.drops.get(DropReason::EgressFull);
    assert_eq!(counters.tx.frames, ROOM as u64);
    assert_eq!(counters.tx.frames + full + missed, SENT);
    // The first ones, in their order.
    for number in 0..ROOM as u64 {
        let frame = cable.try_recv().expect("a frame");
        assert_eq!(number_of(&frame.bytes), Some(number));
    }
    assert_eq!(cable.try_recv(), None);
    lab.stop();
}

/// Two that send as fast as they can to one that has little room and is slow to look.
fn sent_is_received_or_counted() {
    const SENT: u64 = 10_000;
    let lab = Lab::silent(3);
    let wires = lab.endpoints();
    let receiver = &wires[2];
    receiver.set_room(50_000).unwrap();
    let dst = lab.hosts[2].mac();
    receiver
        .send_patiently(&numbered(lab.hosts[0].mac(), dst, 0))
        .unwrap();
    lab.wait_for("the receiver is known", || !lab.whereabouts(dst).is_empty());

    let (mut received, mut lost) = (0, 0);
    thread::scope(|scope| {
        for (host, wire) in lab.hosts.iter().zip(&wires).take(2) {
            scope.spawn(move || blast(wire, dst, host.mac(), SENT));
        }
        lab.wait_for("every frame is somewhere", || {
            received += receiver.collect(Duration::from_millis(1), |_| true).len() as u64;
            lost += u64::from(receiver.take_losses().unwrap());
            let [one, two, to] = [0, 1, 2].map(|host| lab.counters(&lab.hosts[host]));
            let overflowed = |from: &Counters| from.drops.get(DropReason::RxOverflow);
            one.rx.frames + overflowed(&one) == SENT
                && two.rx.frames + overflowed(&two) == SENT
                && one.rx.frames + two.rx.frames
                    == to.tx.frames + to.drops.get(DropReason::EgressFull)
                && to.tx.frames == received + lost
        });
    });
    assert!(lost > 0, "the receiver was not slow enough: {received}");
    lab.stop();
}
