//! The pure core: check, learn, look up, verdict, output queues, for batches of 64 frames.
//!
//! What is timed is `Bridge::classify` and reading the output queues, and also, because the
//! core takes its frames as slices, gathering 64 of them from their headers: about 0.7 ns a
//! frame. What is not timed is where frames come from. The headers of four batches are written
//! to the same 4 KiB before the clock is read, since in a switch they are in the cache as well:
//! the kernel has just written them. Reading the clock adds about 0.1 ns a frame. Which station
//! sends to which is drawn anew for each frame, so that nothing but the table knows.
//!
//! Before a case is timed, its allocations are counted, and there may be none.

mod alloc;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vswitch_switch::Timestamp;
use vswitch_switch::bridge::{
    Bridge, BridgeConfig, Damping, LoopGuard, OutputQueues, PortId, PortLimits,
};
use vswitch_switch::port::{BATCH, Batch, Drops, Frame};

type Header = [u8; 16];

/// Limits that are looked at, and never met: a frame for each nanosecond.
const LIMITS: PortLimits = PortLimits {
    max_stations: 0,
    broadcast: 1_000_000_000,
    multicast: 1_000_000_000,
    unknown_unicast: 1_000_000_000,
};

/// A bridge and what surrounds it, and the frames that come in next.
struct Lab {
    bridge: Bridge,
    queues: OutputQueues,
    drops: Drops,
    ports: Vec<PortId>,
    now: Timestamp,
}

impl Lab {
    fn new(ports: usize, max_stations: usize) -> Self {
        let config = BridgeConfig {
            max_stations,
            port_limits: LIMITS,
            // Every station moves all the time in the case that is about that.
            damping: Damping {
                moves: 0,
                ..Damping::default()
            },
            loop_guard: LoopGuard::OFF,
            ..BridgeConfig::default()
        };
        let mut bridge = Bridge::with_seed(config, 1);
        let mut queues = OutputQueues::new();
        let ports: Vec<_> = (0..ports)
            .map(|_| bridge.add_port().expect("few ports"))
            .collect();
        for &port in &ports {
            queues.add_port(port);
        }
        Self {
            bridge,
            queues,
            drops: Drops::default(),
            ports,
            now: Timestamp::from_secs(1),
        }
    }

    /// Puts `count` stations behind the ports, in turn.
    fn populate(mut self, count: usize) -> Self {
        for station in 0..count {
            let port = self.ports[station % self.ports.len()];
            let header = header(BROADCAST, address(station));
            self.bridge.handle(self.now, port, &header[..14]);
        }
        assert_eq!(self.bridge.station_count(), count);
        self
    }

    /// One batch through the core. Returns how many frames leave, copies counted.
    fn step(&mut self, ingress: PortId, headers: &[Header]) -> usize {
        self.now = self.now + Duration::from_nanos(BATCH as u64);
        let mut batch = Batch::new();
        batch.extend(headers.iter().map(|header| Frame::finished(&header[..14])));
        self.bridge
            .classify(self.now, ingress, &batch, &mut self.queues, &mut self.drops);
        self.queues
            .iter()
            .map(|(port, indices)| usize::from(port.0 > 0) * black_box(indices).len())
            .sum()
    }
}

const BROADCAST: u64 = 0xffff_ffff_ffff;

/// The address of station `number`: one vendor's, spread over the lower bytes.
fn address(number: usize) -> u64 {
    0x0200_0000_0000 | number as u64
}

fn header(dst: u64, src: u64) -> Header {
    let mut header = [0; 16];
    header[..6].copy_from_slice(&dst.to_be_bytes()[2..]);
    header[6..12].copy_from_slice(&src.to_be_bytes()[2..]);
    header[12..14].copy_from_slice(&[8, 0]);
    header
}

/// Batches of frames from random stations of a port to `destination`, port after port.
fn batches(
    lab: &Lab,
    stations: usize,
    frames: usize,
    mut destination: impl FnMut(&mut StdRng, usize) -> u64,
) -> Vec<Header> {
    let mut rng = StdRng::seed_from_u64(2);
    let ports = lab.ports.len();
    (0..frames)
        .map(|frame| {
            let ingress = frame / BATCH % ports;
            let of_port = (stations - ingress).div_ceil(ports);
            let src = rng.random_range(0..of_port) * ports + ingress;
            header(destination(&mut rng, ingress), address(src))
        })
        .collect()
}

/// How many batches of headers are written before the clock starts.
const WARM: usize = 4;

/// Counts the allocations of a few rounds, then times the batches, round and round.
fn forward(c: &mut Criterion, id: BenchmarkId, lab: &mut Lab, headers: &[Header], copies: usize) {
    let mut turn = 0;
    let mut warm = [[0; 16]; WARM * BATCH];
    // So many batches, and the time they took.
    let mut pass = |lab: &mut Lab, batches: usize| {
        let frames = &mut warm[..batches * BATCH];
        for (place, batch) in frames.chunks_mut(BATCH).enumerate() {
            let first = (turn + place) * BATCH % headers.len();
            batch.copy_from_slice(&headers[first..first + BATCH]);
        }
        let start = Instant::now();
        for batch in frames.chunks(BATCH) {
            let left = lab.step(lab.ports[turn % lab.ports.len()], batch);
            assert_eq!(left, copies * BATCH, "what the benchmark is about");
            turn += 1;
        }
        start.elapsed()
    };
    assert_no_allocations(BATCH, || {
        pass(lab, 1);
    });
    let mut group = c.benchmark_group("core");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function(id, |b| {
        b.iter_custom(|batches| {
            let batches = usize::try_from(batches).expect("not that many");
            let whole = (0..batches / WARM)
                .map(|_| pass(lab, WARM))
                .sum::<Duration>();
            whole + pass(lab, batches % WARM)
        });
    });
    group.finish();
}

/// Lets `round`, of so many frames, be done until nothing is new, then counts.
fn assert_no_allocations(frames: usize, mut round: impl FnMut()) {
    let rounds = 2048;
    (0..rounds).for_each(|_| round());
    let allocations = alloc::count(|| (0..rounds).for_each(|_| round()));
    assert_eq!(allocations, 0, "allocations in {} frames", rounds * frames);
}

fn measure(
    c: &mut Criterion,
    id: BenchmarkId,
    frames: usize,
    lab: &mut Lab,
    next: &mut impl FnMut(&mut Lab) -> usize,
) {
    assert_no_allocations(frames, || {
        black_box(next(lab));
    });
    let mut group = c.benchmark_group("core");
    group.throughput(Throughput::Elements(frames as u64));
    group.bench_function(id, |b| b.iter(|| next(lab)));
    group.finish();
}

/// Between known stations, in random order.
fn known_unicast(c: &mut Criterion) {
    for (stations, ports) in [(2, 2), (1_000, 16), (65_536, 16), (1_000_000, 16)] {
        let mut lab = Lab::new(ports, stations.max(65_536)).populate(stations);
        let frames = stations.next_multiple_of(ports * BATCH).max(4096);
        let headers = batches(&lab, stations, frames, |rng, ingress| {
            let behind = (ingress + rng.random_range(1..ports)) % ports;
            let of_port = (stations - behind).div_ceil(ports);
            address(rng.random_range(0..of_port) * ports + behind)
        });
        let id = BenchmarkId::new("known_unicast", stations);
        forward(c, id, &mut lab, &headers, 1);
    }
}

/// One station of each port sends to one of the next: batches of a single flow.
fn one_flow(c: &mut Criterion) {
    let (stations, ports) = (1_000, 16);
    let mut lab = Lab::new(ports, 65_536).populate(stations);
    let headers: Vec<_> = (0..ports * BATCH)
        .map(|frame| frame / BATCH)
        .map(|port| header(address((port + 1) % ports), address(port)))
        .collect();
    let id = BenchmarkId::new("one_flow", stations);
    forward(c, id, &mut lab, &headers, 1);
}

/// From known stations to unknown ones.
fn unknown_unicast(c: &mut Criterion) {
    for (stations, ports) in [(1_000, 3), (1_000, 17), (65_536, 17)] {
        let mut lab = Lab::new(ports, 65_536).populate(stations);
        let headers = batches(&lab, stations, ports * BATCH * 64, |rng, _| {
            address(0x4000_0000 | rng.random_range(0..1 << 24))
        });
        let id = BenchmarkId::new(format!("unknown_unicast_to_{}", ports - 1), stations);
        forward(c, id, &mut lab, &headers, ports - 1);
    }
}

/// From known stations to all.
fn broadcast(c: &mut Criterion) {
    for copies in [2, 16, 256] {
        let mut lab = Lab::new(copies + 1, 65_536).populate(1_000);
        let headers = batches(&lab, 1_000, (copies + 1) * BATCH, |_, _| BROADCAST);
        let id = BenchmarkId::new("broadcast_to", copies);
        forward(c, id, &mut lab, &headers, copies);
    }
}

/// Every frame's source was on another port before.
fn moves(c: &mut Criterion) {
    for stations in [64, 16_384] {
        let mut lab = Lab::new(3, 65_536);
        // The headers are the same for each port, and their number is no multiple of the ports'.
        let headers: Vec<_> = (0..stations)
            .map(|station| header(address(0x4000_0000), address(station)))
            .collect();
        let id = BenchmarkId::new("moves", stations);
        forward(c, id, &mut lab, &headers, 2);
        assert_eq!(lab.bridge.station_count(), stations);
    }
}

/// Every frame's source is new, and the table is empty at first and just full at the end: the
/// learning rate at full caching capacity (RFC 2889, 5.7 and 5.8), with addresses that follow
/// one another and with scattered ones.
fn learning(c: &mut Criterion) {
    let follow: fn(usize) -> u64 = address;
    let scatter: fn(usize) -> u64 = |station| {
        let scattered = (station as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
        0x0200_0000_0000 | scattered
    };
    for stations in [1_024, 8_192, 65_536, 1_000_000] {
        for (name, address) in [("learning", follow), ("learning_scattered", scatter)] {
            learn_all(c, BenchmarkId::new(name, stations), stations, address);
        }
    }
}

fn learn_all(c: &mut Criterion, id: BenchmarkId, stations: usize, address: fn(usize) -> u64) {
    let headers: Vec<_> = (0..stations)
        .map(|station| header(BROADCAST, address(station)))
        .collect();
    let mut group = c.benchmark_group("core");
    group
        .throughput(Throughput::Elements(stations as u64))
        .sample_size(10);
    group.bench_function(id, |b| {
        b.iter_batched_ref(
            || Lab::new(2, stations),
            |lab| {
                for batch in headers.chunks(BATCH) {
                    lab.step(lab.ports[0], batch);
                }
                assert_eq!(lab.bridge.station_count(), stations);
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Every frame's source is new, and the table is full.
fn eviction(c: &mut Criterion) {
    for (ports, flooding) in [(2, 1), (256, 1), (256, 256)] {
        let stations = 65_536;
        let mut lab = Lab::new(ports, stations).populate(stations);
        let (mut turn, mut station) = (0, stations);
        let mut next = move |lab: &mut Lab| {
            let mut headers = [[0; 16]; BATCH];
            for place in &mut headers {
                // To oneself, so that no time goes into flooding.
                *place = header(address(station), address(station));
                station += 1;
            }
            turn += 1;
            lab.step(lab.ports[turn % flooding], &headers)
        };
        let id = BenchmarkId::new(format!("eviction_flood_from_{flooding}_of"), ports);
        measure(c, id, BATCH, &mut lab, &mut next);
        assert_eq!(lab.bridge.station_count(), stations);
    }
}

/// The worst case of finding whom to evict: of many ports that hold equally many, each holds
/// one more than before, and a port that holds few learns as many, so that after each eviction
/// another port holds the most.
fn eviction_between_equals(c: &mut Criterion) {
    let (ports, stations) = (256, 65_536);
    let mut lab = Lab::new(ports, stations).populate(stations);
    lab.bridge.flush(Some(lab.ports[0]));
    let mut station = stations;
    let mut next = move |lab: &mut Lab| {
        let mut headers = [[0; 16]; BATCH];
        for (place, port) in headers.iter_mut().zip(&lab.ports[1..]) {
            *place = header(address(station), address(station));
            station += 1;
            lab.bridge.handle(lab.now, lab.ports[0], &place[..14]);
            lab.bridge.handle(lab.now, *port, &place[..14]);
        }
        0
    };
    let id = BenchmarkId::new("eviction_between_equals", ports);
    measure(c, id, 2 * BATCH, &mut lab, &mut next);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(40)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets =
        known_unicast,
        one_flow,
        unknown_unicast,
        broadcast,
        moves,
        learning,
        eviction,
        eviction_between_equals
}
criterion_main!(benches);
