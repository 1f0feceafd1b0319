//! Ports come and go while others talk.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use vswitch_switch::BridgeConfig;

use super::frames::{BROADCAST, number_of, numbered, source_of};
use super::lab::{Host, Lab, OverOnDrop, Plan, mac, on_one_processor};
use super::tcp;
use crate::harness::packet::Endpoint;
use crate::harness::traffic::IN_FLIGHT;
use crate::harness::{PATIENCE, isolated};

const ROUNDS: u8 = 40;
const LAST: u64 = u64::MAX;

pub(super) fn tests() -> Vec<Trial> {
    vec![isolated(
        "switching_others_lose_nothing_while_ports_come_and_go",
        come_and_go,
    )]
}

fn come_and_go() {
    let plans = [Plan::TALKING, Plan::TALKING, Plan::SILENT, Plan::SILENT];
    let mut lab = on_one_processor(|| Lab::new(BridgeConfig::default(), &plans));
    let wires = lab.endpoints();
    let (sender, receiver) = (&wires[2], &wires[3]);
    let (src, dst) = (lab.hosts[2].mac(), lab.hosts[3].mac());
    receiver
        .send_patiently(&numbered(BROADCAST, dst, 0))
        .unwrap();

    let (over, arrived) = (AtomicBool::new(false), AtomicU64::new(0));
    let talkers = [lab.hosts.remove(0), lab.hosts.remove(0)];
    thread::scope(|scope| {
        let (over, arrived) = (&over, &arrived);
        let [one, two] = &talkers;
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                tcp::carry(one, two, two.v4(), 10_000_000);
            }
        });
        let sent = scope.spawn(move || {
            let frame = |number| numbered(dst, src, number);
            on_one_processor(|| send_until(over, arrived, sender, frame))
        });
        let received = scope.spawn(move || receive_all(receiver, src, arrived));
        {
            let _over = OverOnDrop(over);
            for round in 0..ROUNDS {
                one_comes_and_goes(&mut lab, round);
            }
        }
        let (sent, received) = (sent.join().unwrap(), received.join().unwrap());
        assert!(received.iter().copied().eq(0..sent), "{sent}: {received:?}");
    });
    lab.stop();
}

/// Sends numbered frames at a modest rate, no more of them at once than a port has room for. Returns
/// how many there were before the last.
fn send_until(
    over: &AtomicBool,
    arrived: &AtomicU64,
    wire: &Endpoint,
    frame: impl Fn(u64) -> Vec<u8>,
) -> u64 {
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        if number - arrived.load(Ordering::Relaxed) < IN_FLIGHT {
            wire.send_patiently(&frame(number)).unwrap();
            number += 1;
        }
        thread::sleep(Duration::from_micros(200));
    }
    wire.send_patiently(&frame(LAST)).unwrap();
    number
}

/// The numbers of all frames from `src` that come before the last.
fn receive_all(wire: &Endpoint, src: [u8; 6], arrived: &AtomicU64) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        let frame = wire.receive_where(PATIENCE, |frame| source_of(frame) == src);
        match number_of(&frame.expect("the last frame").bytes) {
            Some(LAST) => return numbers,
            number => {
                numbers.extend(number);
                arrived.store(numbers.len() as u64, Ordering::Relaxed);
            }
        }
    }
}

/// A port comes, hears and is heard, and goes: sometimes its interface goes first.
fn one_comes_and_goes(lab: &mut Lab, round: u8) {
    let host = Host::new(&mut lab.netlink, 100, Plan::SILENT);
    lab.handle().add_port(host.open_port()).unwrap();
    let wire = host.endpoint();
    let station = mac(0xc000 + u32::from(round));
    wire.send_patiently(&numbered(BROADCAST, station, 0))
        .unwrap();
    lab.wait_for("the newcomer is heard", || {
        lab.whereabouts(station) == [host.port_name()]
    });
    let link = lab.netlink.link(&host.port_name()).unwrap();
    let remove = |lab: &Lab| drop(lab.handle().remove_port(host.port_name()).unwrap());
    if round.is_multiple_of(2) {
        remove(lab);
        lab.netlink.delete_link(&link).unwrap();
    } else {
        lab.netlink.delete_link(&link).unwrap();
        remove(lab);
    }
    assert_eq!(lab.whereabouts(station), [""; 0]);
}
