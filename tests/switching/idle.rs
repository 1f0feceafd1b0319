//! A switch with nothing to do does nothing.

use std::fs;
use std::sync::mpsc;
use std::thread;

use libtest_mimic::Trial;
use nix::unistd::gettid;
use vswitch_netns::Netlink;
use vswitch_switch::{BridgeConfig, Switch};

use super::frames::{BROADCAST, numbered, received_before};
use super::lab::{Host, Plan};
use crate::harness::packet::Endpoint;
use crate::harness::{A_WHILE, PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![isolated(
        "switching_an_idle_switch_uses_no_processor_time",
        idle,
    )]
}

/// Whether a thread waits for something (`proc_pid_stat(5)`).
fn sleeps(thread: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.starts_with('S')
}

/// How often a thread has gone to sleep, and the ticks of processor time it has used.
fn work_of(thread: &str) -> (u64, u64) {
    let read = |file| fs::read_to_string(format!("/proc/self/task/{thread}/{file}")).unwrap();
    let status = read("status");
    let sleeps = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
        .unwrap();
    // Behind the name, in brackets: utime and stime are the 12th and 13th (proc_pid_stat(5)).
    let stat = read("stat");
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks = ticks.map(|field| field.parse::<u64>().unwrap()).sum();
    (sleeps.trim().parse().unwrap(), ticks)
}

/// Traffic both ways between the first two, with floods.
fn talk(hosts: &[Host], wires: &[Endpoint]) {
    for number in 0..2_000 {
        for (from, to) in [(0, 1), (1, 0)] {
            let dst = if number % 10 == 0 {
                BROADCAST
            } else {
                hosts[to].mac()
            };
            let frame = numbered(dst, hosts[from].mac(), number);
            wires[from].send_patiently(&frame).unwrap();
            received_before(&wires[to], number);
        }
    }
}

fn idle() {
    let mut netlink = Netlink::open().unwrap();
    let hosts: Vec<_> = (1..=3)
        .map(|number| Host::new(&mut netlink, number, Plan::SILENT))
        .collect();
    let wires: Vec<_> = hosts.iter().map(Host::endpoint).collect();
    let mut switch = Switch::new(BridgeConfig::default()).unwrap();
    for host in &hosts {
        switch.add_port(host.open_port()).unwrap();
    }
    let handle = switch.handle();
    let (tell, told) = mpsc::channel();
    let running = thread::spawn(move || {
        tell.send(gettid().to_string()).unwrap();
        switch.run()
    });
    let thread = told.recv().unwrap();

    talk(&hosts, &wires);
    // One whose interface went down and stays so.
    let link = netlink.link(&hosts[2].port_name()).unwrap();
    netlink.set_down(&link).unwrap();
    // Two answers, so that it has done all that it was woken for.
    handle.ports().unwrap();
    handle.ports().unwrap();
    // However long it takes until it gets the processor for it.
    let mut before = work_of(&thread);
    let rests = wait_until(PATIENCE, || {
        let rested = std::mem::replace(&mut before, work_of(&thread));
        sleeps(&thread) && rested == before
    });
    assert!(rests && before.0 > 0, "it never sleeps");
    thread::sleep(A_WHILE * 10);
    assert_eq!(
        work_of(&thread),
        before,
        "sleeps and ticks of an idle switch"
    );
    handle.stop();
    running.join().unwrap().unwrap();
}
