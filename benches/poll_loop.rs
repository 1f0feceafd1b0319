//! The loop end to end over ports in memory: wake, receive, classify, flush, and what that
//! allocates.
//!
//! `cargo bench --bench poll_loop`

mod alloc;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vswitch_switch::port::BATCH;
use vswitch_switch::port::memory::{self, Cable, MemoryOptions};
use vswitch_switch::{BridgeConfig, Switch};

const ETHERTYPE: [u8; 2] = [0x88, 0xb5]; // local experiments (IEEE 802, clause 9)

/// A switch whose ports' cables end here.
struct Bench {
    switch: Switch,
    cables: Vec<Cable>,
}

impl Bench {
    fn new(ports: usize) -> Self {
        let mut switch = Switch::new(BridgeConfig::default()).expect("a poller");
        let options = MemoryOptions {
            mtu_bytes: 9000,
            offloads: true,
            ..MemoryOptions::default()
        };
        let cables = (0..ports)
            .map(|number| {
                let (port, cable) =
                    memory::pair(&format!("port{number}"), options).expect("an eventfd");
                switch.add_port(port).expect("a port number");
                cable
            })
            .collect();
        let mut bench = Self { switch, cables };
        for number in 0..ports {
            // Every station is known before anything is measured.
            bench.cables[number]
                .send(&frame(number, ports, 64))
                .expect("room in the queue");
            bench.turn();
        }
        bench
    }

    /// Lets the switch do all that is to be done.
    fn turn(&mut self) {
        while {
            self.switch.step(Some(Duration::ZERO)).expect("a poll");
            self.cables
                .iter()
                .map(|cable| cable.drain(|_| ()))
                .sum::<usize>()
                > 0
        } {}
    }

    /// A batch from the first port. A busy port is asked by a clock: several batches may wait for
    /// it, and where they fill the queue, this waits too.
    fn pass(&mut self, frame: &[u8]) {
        for _ in 0..BATCH {
            while self.cables[0].send(frame).is_err() {
                self.turn();
            }
        }
        self.turn();
    }
}

fn frame(from: usize, to: usize, len: usize) -> Vec<u8> {
    let mac = |number: usize| [2, 0, 0, 0, 0, u8::try_from(number).unwrap_or(u8::MAX)];
    let mut bytes = [&mac(to)[..], &mac(from), &ETHERTYPE].concat();
    bytes.resize(len, 0);
    bytes
}

fn broadcast(len: usize) -> Vec<u8> {
    let mut bytes = frame(0, 1, len);
    bytes[..6].fill(0xff);
    bytes
}

fn measure(c: &mut Criterion, group: &str, case: &str, ports: usize, frame: &[u8]) {
    let mut bench = Bench::new(ports);
    for _ in 0..64 {
        bench.pass(frame); // queues and spare buffers reach their size
    }
    let allocations = alloc::count(|| bench.pass(frame));
    println!("{group}/{case}: {allocations} allocations for {BATCH} frames");
    assert_eq!(allocations, 0, "the loop allocates");

    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function(BenchmarkId::from_parameter(case), |b| {
        b.iter(|| bench.pass(black_box(frame)));
    });
    group.finish();
}

fn unicast(c: &mut Criterion) {
    for len in [64, 1514, 9014] {
        let case = format!("{len} bytes");
        measure(c, "loop/unicast", &case, 2, &frame(0, 1, len));
    }
}

fn flood(c: &mut Criterion) {
    for ports in [2, 16, 256] {
        let case = format!("{ports} ports");
        measure(c, "loop/broadcast", &case, ports, &broadcast(64));
    }
}

criterion_group!(benches, unicast, flood);
criterion_main!(benches);
