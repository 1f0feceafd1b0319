//! What it costs that somebody looks on, and that nobody does: batches through the datapath over
//! ports in memory, without a poll loop around it.
//!
//! `cargo bench --bench capture`

mod alloc;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vswitch_switch::bridge::PortId;
use vswitch_switch::capture::{Capture, CaptureOptions, Filter, Item};
use vswitch_switch::datapath::Datapath;
use vswitch_switch::port::BATCH;
use vswitch_switch::port::memory::{self, Cable, MemoryOptions};
use vswitch_switch::{BridgeConfig, Timestamp};

const ETHERTYPE: [u8; 2] = [0x88, 0xb5]; // local experiments (IEEE 802, clause 9)
const NOW: Timestamp = Timestamp::from_secs(1);

/// Two ports, whose cables end here.
struct Bench {
    datapath: Datapath,
    cables: Vec<Cable>,
    capture: Option<Capture>,
}

impl Bench {
    fn new(options: Option<CaptureOptions>) -> Self {
        let mut datapath = Datapath::new(BridgeConfig::default());
        let memory_options = MemoryOptions {
            offloads: true,
            ..MemoryOptions::default()
        };
        let cables = ["a", "b"].map(|name| {
            let (port, cable) = memory::pair(name, memory_options).expect("an eventfd");
            datapath.add_port(port).expect("a port number");
            cable
        });
        let capture = options.map(|options| datapath.capture(options).expect("a descriptor"));
        Self {
            datapath,
            cables: cables.into(),
            capture,
        }
    }

    /// A batch from the first port. What was captured is read, which is another thread's work
    /// elsewhere, and measured with the rest here.
    fn pass(&mut self, frame: &[u8]) {
        for _ in 0..BATCH {
            self.cables[0].send(frame).expect("room in the queue");
        }
        self.datapath.mark_ready(PortId(1));
        while self.datapath.service(NOW).is_some() {}
        if let Some(capture) = &mut self.capture {
            while !matches!(capture.read(), Item::Nothing) {}
        }
        assert_eq!(self.cables[1].drain(|_| ()), BATCH);
    }
}

fn frame(len: usize) -> Vec<u8> {
    let (src, dst) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let mut bytes = [&dst[..], &src, &ETHERTYPE].concat();
    bytes.resize(len, 0);
    bytes
}

fn measure(c: &mut Criterion, case: &str, options: Option<CaptureOptions>) {
    let mut bench = Bench::new(options);
    for len in [64, 1514] {
        let frame = frame(len);
        for _ in 0..64 {
            bench.pass(&frame); // queues and buffers reach their size
        }
        let allocations = alloc::count(|| bench.pass(&frame));
        assert_eq!(allocations, 0, "{case} allocates");
        let mut group = c.benchmark_group(format!("capture/{case}"));
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{len} bytes")), |b| {
            b.iter(|| bench.pass(black_box(&frame)));
        });
        group.finish();
    }
}

fn captures(c: &mut Criterion) {
    let all = CaptureOptions::default();
    let headers = CaptureOptions {
        snap_len: 96,
        ..all.clone()
    };
    let nothing = CaptureOptions {
        filter: Filter {
            vlan: Some(4000),
            ..Filter::default()
        },
        ..all.clone()
    };
    measure(c, "none", None);
    measure(c, "of nothing that passes", Some(nothing));
    measure(c, "of headers", Some(headers));
    measure(c, "of all", Some(all));
}

criterion_group!(benches, captures);
criterion_main!(benches);
