//! Ports that come and go leave nothing behind in the process.

use std::fs;

use libtest_mimic::Trial;
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::memory::{self, MemoryOptions};

use super::frames::{BROADCAST, numbered};
use super::lab::Lab;
use crate::harness::{PATIENCE, isolated, sys, wait_until};

const ROUNDS: u32 = 200;

pub(super) fn tests() -> Vec<Trial> {
    vec![isolated(
        "switching_ports_leave_no_descriptors_behind",
        no_descriptors_behind,
    )]
}

/// Of what kinds the descriptors of this thread's table are.
fn descriptors() -> Vec<String> {
    let entries = fs::read_dir("/proc/thread-self/fd").unwrap();
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let mut names: Vec<_> = targets
        .map(|target| target.display().to_string())
        // Without the number of the very socket or namespace.
        .map(|name| {
            name.split_once(":[")
                .map_or(name.clone(), |(kind, _)| kind.to_owned())
        })
        // The directory that is being read.
        .filter(|name| !name.ends_with("/fd"))
        .collect();
    names.sort_unstable();
    names
}

fn no_descriptors_behind() {
    // Tests run side by side in one process: the others' descriptors would be counted too.
    sys::own_descriptors().unwrap();
    let lab = Lab::silent(3);
    let last = &lab.hosts[2];
    let wire = last.endpoint();
    let handle = lab.handle();
    let before = descriptors();
    assert!(before.iter().any(|name| name == "socket"));
    for round in 0..ROUNDS {
        drop(handle.remove_port(last.port_name()).unwrap());
        let (port, cable) = memory::pair("memory", MemoryOptions::default()).unwrap();
        handle.add_port(port).unwrap();
        cable.send(&numbered(BROADCAST, last.mac(), 0)).unwrap();
        drop(handle.remove_port("memory").unwrap());
        drop(cable);
        let id = handle.add_port(last.open_port()).unwrap();
        assert_eq!(id, PortId(3), "numbers are used again");
        let frame = numbered(BROADCAST, last.mac(), round.into());
        wire.send_patiently(&frame).unwrap();
    }
    // Threads close the sockets, which takes the kernel a while.
    wait_until(PATIENCE, || descriptors() == before);
    assert_eq!(descriptors(), before);
    lab.stop();
}
