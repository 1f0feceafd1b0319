//! Frames through real veth pairs: from a packet socket in one namespace to one in another,
//! over the cable alone and over a switch between two cables.
//!
//! `cargo bench --bench veth`, as root or wherever user namespaces are allowed; elsewhere it says
//! so and measures nothing. The difference between the two is what the switch costs.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use vswitch_netns::{InterfaceName, LinkChange, Namespace, Netlink, VethEnd, userns};
use vswitch_switch::port::{
    Arena, BATCH, Batch, Counters, Frame, PacketPort, Port, Selection, TxReport,
};
use vswitch_switch::{BridgeConfig, Running, Switch};

/// Batches on the way at once: fewer frames than any queue between holds.
const BATCHES_UNDER_WAY: usize = 4;
const MTU_BYTES: u32 = 9000;
/// How long frames may stay away before the benchmark says that they are lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// A host: a namespace with one interface, and a packet socket on that.
struct Host {
    port: PacketPort,
    _namespace: Namespace,
}

/// Two hosts and what is between them.
struct Path {
    sender: Host,
    receiver: Host,
    _switch: Option<Running>,
}

type Failure = Box<dyn std::error::Error>;

fn end(name: &str) -> Result<VethEnd, Failure> {
    Ok(VethEnd::new(InterfaceName::new(name)?).mtu_bytes(MTU_BYTES))
}

fn up(netlink: &mut Netlink, interface: &str) -> Result<(), Failure> {
    let link = netlink.link(interface)?;
    netlink.change_link(&link, &LinkChange::new().up(true))?;
    Ok(())
}

impl Host {
    fn new(namespace: Namespace, interface: &str) -> Result<Self, Failure> {
        up(&mut Netlink::open_in(&namespace)?, interface)?;
        Ok(Self {
            port: namespace.run(|| PacketPort::open(interface))??,
            _namespace: namespace,
        })
    }
}

impl Path {
    /// One cable from host to host.
    fn direct() -> Result<Self, Failure> {
        let (near, far) = (Namespace::create_unnamed()?, Namespace::create_unnamed()?);
        Netlink::open_in(&near)?.create_veth(&end("eth0")?, &end("eth0")?, Some(&far))?;
        // An end has a carrier only when both are up.
        up(&mut Netlink::open_in(&near)?, "eth0")?;
        Ok(Self {
            receiver: Host::new(far, "eth0")?,
            sender: Host::new(near, "eth0")?,
            _switch: None,
        })
    }

    /// A cable from either host to a switch.
    fn switched() -> Result<Self, Failure> {
        let mut switch = Switch::new(BridgeConfig::default())?;
        let mut host = |port: &str| -> Result<Host, Failure> {
            let namespace = Namespace::create_unnamed()?;
            let mut here = Netlink::open()?;
            here.create_veth(&end(port)?, &end("eth0")?, Some(&namespace))?;
            up(&mut here, port)?;
            switch.add_port(PacketPort::open(port)?)?;
            Host::new(namespace, "eth0")
        };
        let (sender, receiver) = (host("port1")?, host("port2")?);
        Ok(Self {
            sender,
            receiver,
            _switch: Some(switch.spawn()?),
        })
    }

    /// Sends `batches` full batches of `frame` and waits until every frame has arrived.
    fn pass(&mut self, frame: &[u8], batches: usize, arena: &mut Arena) {
        let frames = [Frame::finished(frame); BATCH];
        let all: Vec<u8> = (0..64).collect();
        let (mut sent, mut received) = (0, 0);
        let mut counters = Counters::default();
        let mut progress = Instant::now();
        while received < batches * BATCH {
            if sent < batches && sent * BATCH < received + BATCHES_UNDER_WAY * BATCH {
                let batch = Selection::new(&frames, &all);
                self.sender
                    .port
                    .transmit(black_box(batch), &mut TxReport::new(&mut counters));
                sent += 1;
            }
            let arrived = arrivals(&mut self.receiver.port, frame, arena, &mut counters);
            if arrived > 0 {
                received += arrived;
                progress = Instant::now();
            } else if sent == batches {
                std::thread::yield_now();
            }
            assert!(
                progress.elapsed() < PATIENCE,
                "frames were lost: {counters:?}"
            );
        }
    }
}

/// How many copies of `frame` have arrived; others, such as the kernel's own, do not count.
fn arrivals(
    port: &mut PacketPort,
    frame: &[u8],
    arena: &mut Arena,
    counters: &mut Counters,
) -> usize {
    let mut batch = Batch::new();
    port.receive(arena, &mut batch, counters);
    batch
        .iter()
        .filter(|arrived| arrived.bytes.len() == frame.len() && arrived.bytes[..14] == frame[..14])
        .count()
}

fn frame(len: usize) -> Vec<u8> {
    // To nobody: of two ports the switch floods to the other one, as it would forward.
    let mut bytes = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x88\xb5".to_vec();
    bytes.resize(len, 0);
    bytes
}

fn measure(c: &mut Criterion) -> Result<(), Failure> {
    let mut arena = Arena::new();
    let mut paths = [("cable", Path::direct()?), ("switch", Path::switched()?)];
    for len in [64, 1514, 9014] {
        let frame = frame(len);
        let mut group = c.benchmark_group(format!("veth/{len} bytes"));
        group.throughput(Throughput::Elements(BATCH as u64));
        for (name, path) in &mut paths {
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter_custom(|batches| {
                    let start = Instant::now();
                    path.pass(&frame, usize::try_from(batches).unwrap_or(1), &mut arena);
                    start.elapsed()
                });
            });
        }
        group.finish();
    }
    Ok(())
}

fn main() {
    // Before the first thread: a user namespace is entered by a process that has only one.
    if let Err(reason) = userns::enter_private_namespaces() {
        eprintln!("no frames through veth pairs are measured: {reason}");
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    if let Err(failure) = measure(&mut criterion) {
        eprintln!("can't measure frames through veth pairs: {failure}");
        std::process::exit(1);
    }
    criterion.final_summary();
}
