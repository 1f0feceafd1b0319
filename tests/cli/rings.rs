//! Switches that are joined in a ring: one port of it is blocked, and everybody is reached.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use vswitch_netns::{Namespace, Netlink};

use super::protection::cable;
use super::{Switch, json, link, ok};
use crate::harness::packet::Endpoint;
use crate::harness::{A_WHILE, PATIENCE, icmp, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("rings_of_three_switches_have_one_port_blocked", || {
            ring(&["a", "b", "c"]);
        }),
        isolated("rings_of_two_cables_crossed_have_one_port_blocked", || {
            ring(&["a", "b"]);
        }),
        isolated("rings_a_port_that_reflects_is_named", reflecting),
    ]
}

/// Pings so many that a few lost would show.
const PINGS: usize = 100;

/// Switches in a ring, with a host at each.
struct Ring {
    switches: Vec<Switch>,
    hosts: Vec<(String, IpAddr)>,
    /// Interfaces of each cable, with the switches that they are plugged into.
    cables: Vec<[(String, String); 2]>,
}

impl Ring {
    fn new(names: &[&str]) -> Self {
        let mut ring = Self {
            switches: Vec::new(),
            hosts: Vec::new(),
            cables: Vec::new(),
        };
        for (number, name) in (1..).zip(names) {
            ring.switches.push(Switch::start(name));
            let host = format!("host{number}");
            ok(&format!(
                "attach {host} --switch {name} --ip 10.0.0.{number}/24"
            ));
            ring.hosts.push((host, IpAddr::from([10, 0, 0, number])));
        }
        for (number, name) in names.iter().enumerate() {
            let next = names[(number + 1) % names.len()];
            let ends = [format!("r{number}-{name}"), format!("r{number}-to-{next}")];
            cable(&ends[0], &ends[1]);
            let [here, there] = ends;
            ring.cables
                .push([(here, (*name).to_owned()), (there, next.to_owned())]);
        }
        ring
    }

    fn close(&self) {
        for (interface, switch) in self.cables.iter().flatten() {
            ok(&format!("port add {interface} --switch {switch}"));
        }
    }

    /// The ports that are blocked, with their switches.
    fn blocked(&self) -> BTreeSet<(String, String)> {
        let of_switch = |switch: &Switch| {
            let ports = json(&format!("port list --switch {}", switch.name));
            let ports = ports.as_array().unwrap().clone();
            let blocked = ports
                .into_iter()
                .filter(|port| !port["blocked"].is_null())
                .map(|port| port["name"].as_str().unwrap().to_owned());
            let name = switch.name.clone();
            blocked
                .map(move |port| (name.clone(), port))
                .collect::<Vec<_>>()
        };
        self.switches.iter().flat_map(of_switch).collect()
    }

    /// One host pings another; whether it was answered.
    fn ping(&self, from: usize, to: usize) -> bool {
        self.ping_within(from, to, PATIENCE)
    }

    fn ping_within(&self, from: usize, to: usize, time: Duration) -> bool {
        let namespace = Namespace::open(&self.hosts[from].0).unwrap();
        let to = self.hosts[to].1;
        namespace
            .run(|| icmp::ping(to, None, 56, time))
            .unwrap()
            .is_ok()
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        let count = self.hosts.len();
        let from = |from| (1..count).map(move |step| (from, (from + step) % count));
        (0..count).flat_map(from).collect()
    }

    /// Has hosts look for each other until the ring has come to rest with one port blocked.
    fn settle(&self) {
        let settled = wait_until(PATIENCE, || {
            let (name, _) = &self.hosts[0];
            let namespace = Namespace::open(name).unwrap();
            for (_, to) in &self.hosts[1..] {
                let _ = namespace
                    .run(|| icmp::ping(*to, None, 56, Duration::from_millis(100)))
                    .unwrap();
            }
            self.blocked().len() == 1
        });
        assert!(settled, "{:?}", self.blocked());
    }

    /// How often the logs say that ports are joined.
    fn told(&self) -> usize {
        let logs = self.switches.iter().map(|switch| {
            let log = fs::read_to_string(switch.dir().join("log")).unwrap();
            log.matches("are joined outside the switch").count()
        });
        logs.sum()
    }
}

fn ring(names: &[&str]) {
    let ring = Ring::new(names);
    ring.close();
    ring.settle();
    let blocked = ring.blocked();
    for (from, to) in ring.pairs().into_iter().cycle().take(PINGS) {
        assert!(ring.ping(from, to), "{from} to {to}: {:?}", ring.blocked());
    }
    assert_eq!(ring.blocked(), blocked, "it stays as it is");
    assert!(wait_until(PATIENCE, || ring.told() > 0));
    assert_eq!(ring.told(), 1, "one switch has acted, and once");

    // A successor process knows of it.
    let (switch, port) = blocked.first().unwrap();
    ok(&format!("restart {switch}"));
    assert_eq!(ring.blocked(), blocked);
    for (from, to) in ring.pairs() {
        assert!(ring.ping(from, to), "{from} to {to} after the restart");
    }
    assert_eq!(ring.blocked(), blocked);

    // Another link fails: the port forwards, and everybody is reached again.
    let of_cable = |cable: &&[(String, String); 2]| cable.iter().all(|(name, _)| name != port);
    let failing = ring.cables.iter().find(of_cable).unwrap();
    let mut netlink = Netlink::open().unwrap();
    let end = link(&failing[0].0).unwrap();
    netlink.set_down(&end).unwrap();
    assert!(wait_until(PATIENCE, || ring.blocked().is_empty()));
    // A switch in between may still have entries that lead to the link that failed, until their
    // stations are heard again: all are asked before all have to answer.
    let answered = |(from, to)| ring.ping_within(from, to, A_WHILE);
    assert!(wait_until(PATIENCE, || {
        let answers: Vec<bool> = ring.pairs().into_iter().map(answered).collect();
        answers.into_iter().all(|answered| answered)
    }));
    for switch in ring.switches {
        switch.stop();
    }
}

/// What is sent out of a port comes back by it: the loop is behind it, in a bridge.
fn reflecting() {
    let switch = Switch::start("s");
    ok("attach mario");
    cable("left", "left-br");
    ok("port add left");
    let over = AtomicBool::new(false);
    let far = Endpoint::open("left-br").unwrap();
    let mario = Namespace::open("mario").unwrap();
    let wire = mario
        .run(|| Endpoint::open("mario-netns").unwrap())
        .unwrap();
    thread::scope(|scope| {
        let over = &over;
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                if let Some(frame) = far.receive(Duration::from_millis(100)) {
                    let _ = far.send(&frame.bytes);
                }
            }
        });
        let mut number = 0_u32;
        let found = wait_until(PATIENCE, || {
            number += 1;
            let frame = [
                &[0xff; 6][..],
                &[2, 0, 0, 0, 0, 1, 0x88, 0xb6],
                &number.to_be_bytes(),
                &[0; 42],
            ];
            wire.send_patiently(&frame.concat()).unwrap();
            switch.port("left")["blocked"]["loop_with"] == "left"
        });
        let shown = ok("show s");
        over.store(true, Ordering::Relaxed);
        assert!(found, "{shown}");
        assert!(
            shown.contains("what is sent out of it comes back by it"),
            "{shown}"
        );
    });
    switch.stop();
}
