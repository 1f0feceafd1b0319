//! Frames as a kernel delivers them (offload header, tag in metadata, arbitrary bytes) pass the
//! bridge and leave by ports with many and with few capabilities.
//!
//! Each input is one run of a bridge with four ports: frames in batches, time, commands. Two
//! bridges run it, one frame by frame and one batch by batch, and must agree.

use std::time::Duration;

use super::Input;
use super::sink::{Sink, Wants};
use crate::bridge::{Bridge, BridgeConfig, OutputQueues, PortId, Verdict, VlanLearning};
use crate::frame::{MacAddr, Offload, Timestamp, VlanId, VlanTag};
use crate::port::{
    BATCH, Counters, Drops, Frame, FromKernel, Port, Selection, SoftwareOffload, TxReport,
    as_received,
};

const PORTS: u16 = 4;
const SEED: u64 = 42;

/// How long frames become by padding after their own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Up to a thousand bytes: many executions per second.
    Small,
    /// Beyond the size of any buffer: super-frames of 64 KiB.
    Large,
}

/// The fuzz target, with memory that its executions share.
pub struct Frames {
    scale: Scale,
    buffers: Vec<Vec<u8>>,
    /// In place of the ports from 1 on.
    sinks: Vec<Box<dyn Port>>,
    /// Checks the segments of super-frames one by one.
    cutter: Box<dyn Port>,
    queues: OutputQueues,
}

/// The two bridges and their time.
struct Life {
    by_batch: Bridge,
    by_frame: Bridge,
    now: Timestamp,
    /// Whether either has broken a loop: from then on they need not agree.
    have_parted: bool,
}

impl Frames {
    /// Creates it for frames of that scale.
    #[must_use]
    pub fn new(scale: Scale) -> Self {
        let finished = |mtu_bytes| -> Box<dyn Port> {
            let wants = Wants::Finished;
            Box::new(SoftwareOffload::new(Sink { wants, mtu_bytes }))
        };
        let offloads = |mtu_bytes| -> Box<dyn Port> {
            let wants = Wants::Offloads;
            Box::new(Sink { wants, mtu_bytes })
        };
        let mut queues = OutputQueues::new();
        (1..=PORTS).for_each(|port| queues.add_port(PortId(port)));
        Self {
            scale,
            buffers: vec![Vec::new(); BATCH],
            sinks: vec![
                offloads(1500),
                finished(1500),
                finished(68),
                offloads(65_535),
            ],
            cutter: Box::new(SoftwareOffload::new(Sink {
                wants: Wants::Segments,
                mtu_bytes: 65_535,
            })),
            queues,
        }
    }

    /// Runs one input.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub fn run(&mut self, bytes: &[u8]) {
        let mut input = Input::new(bytes);
        let mut life = Life::new(&mut input);
        let mut buffers = std::mem::take(&mut self.buffers);
        while !input.is_empty() {
            let kind = input.byte();
            match kind % 8 {
                0 => life.change(&mut input),
                _ => self.batch(&mut life, kind, &mut input, &mut buffers),
            }
        }
        self.buffers = buffers;
    }

    /// Creates frames of one port, as many as `kind` says.
    fn batch(&mut self, life: &mut Life, kind: u8, input: &mut Input<'_>, buffers: &mut [Vec<u8>]) {
        let ingress = PortId(u16::from(kind >> 6) + 1);
        let count = usize::from(kind & 7);
        let mut frames: Vec<Frame<'_>> = Vec::with_capacity(BATCH);
        for buffer in buffers.iter_mut().take(count) {
            frames.extend(receive(input, buffer, self.scale));
        }
        if kind & 0x38 == 0x38 {
            // A full batch of the same frame.
            while let Some(first) = frames.first().copied().filter(|_| frames.len() < BATCH) {
                frames.push(first);
            }
        }
        let queues = &mut self.queues;
        life.decide(ingress, &frames, queues);
        for (port, indices) in queues.iter() {
            let sink = &mut self.sinks[usize::from(port.0) - 1];
            let mut counters = Counters::default();
            sink.transmit(
                Selection::new(&frames, indices),
                &mut TxReport::new(&mut counters),
            );
            let counted = counters.tx.frames + counters.drops.total();
            assert_eq!(counted, indices.len() as u64, "each is counted once");
        }
        for frame in frames.iter().take(count) {
            if frame.offload.segmentation().is_some() {
                let mut counters = Counters::default();
                let one = std::slice::from_ref(frame);
                self.cutter
                    .transmit(Selection::new(one, &[0]), &mut TxReport::new(&mut counters));
                assert_eq!(counters.tx.frames + counters.drops.total(), 1);
            }
        }
    }
}

/// Creates a frame as a packet socket delivers it, or `None` if it is dropped at once.
fn receive<'a>(input: &mut Input<'_>, buffer: &'a mut Vec<u8>, scale: Scale) -> Option<Frame<'a>> {
    let form = input.byte();
    let header: [u8; Offload::LEN] = if form & 1 == 0 {
        Offload::NONE.to_bytes()
    } else {
        input.array()
    };
    let tag = (form & 2 != 0).then(|| VlanTag {
        tpid: if form & 4 == 0 { 0x8100 } else { 0x88a8 },
        tci: input.short(),
    });
    let length = usize::from(input.byte());
    let padding = usize::from(input.byte());
    let padding = match scale {
        Scale::Small => padding * 4,
        Scale::Large => padding * 260,
    };
    let lie = if form & 8 == 0 { 0 } else { input.short() };
    let message = FromKernel {
        header,
        tag,
        bytes: input.take(length),
        padding,
        missing: lie,
        is_truncated: form & 0xf0 == 0xf0,
    };
    as_received(&message, buffer).ok()
}

impl Life {
    fn new(input: &mut Input<'_>) -> Self {
        let options = input.byte();
        #[allow(clippy::needless_update, reason = "settings to come are as they come")]
        let config = BridgeConfig {
            ageing: Duration::from_secs(u64::from(options & 3) * 10),
            max_stations: usize::from(options >> 3),
            forward_reserved: options & 4 != 0,
            vlan_learning: if options & 8 == 0 {
                VlanLearning::Shared
            } else {
                VlanLearning::Independent
            },
            ..BridgeConfig::default()
        };
        let bridge = || {
            let mut bridge = Bridge::with_seed(config, SEED);
            for _ in 0..PORTS {
                let _ = bridge.add_port();
            }
            bridge
        };
        Self {
            by_batch: bridge(),
            by_frame: bridge(),
            now: Timestamp::from_secs(1),
            have_parted: false,
        }
    }

    /// Lets both bridges decide; the decision about the batch must equal those about its frames.
    /// This holds until a loop is suspected or broken: that is handled after a batch, and so after
    /// each frame if they arrive one by one.
    fn decide(&mut self, ingress: PortId, frames: &[Frame<'_>], queues: &mut OutputQueues) {
        let mut drops = Drops::default();
        self.by_batch
            .classify(self.now, ingress, frames, queues, &mut drops);
        let mut expected = Drops::default();
        let mut leaves = [0_u64; PORTS as usize + 1];
        for (index, frame) in frames.iter().enumerate() {
            let _ = self.by_frame.explain(self.now, ingress, frame.bytes);
            match self.by_frame.handle(self.now, ingress, frame.bytes) {
                Verdict::Forward(port) => leaves[usize::from(port.0)] |= 1 << index,
                Verdict::Flood => {
                    for port in self.by_frame.forwarding_ports() {
                        leaves[usize::from(port.0)] |= 1 << index;
                    }
                    leaves[usize::from(ingress.0)] &= !(1 << index);
                }
                Verdict::Drop(reason) => expected.add(reason, 1),
            }
        }
        let has_blocked = |bridge: &Bridge| (1..=PORTS).any(|port| bridge.is_blocked(PortId(port)));
        self.have_parted |= has_blocked(&self.by_batch) || has_blocked(&self.by_frame);
        for bridge in [&mut self.by_batch, &mut self.by_frame] {
            while let Some(probe) = bridge.next_probe() {
                // A bridge that is probing may drop the probes of others.
                self.have_parted = true;
                assert!((60..=68).contains(&probe.frame().len()));
            }
        }
        if !self.have_parted {
            assert_eq!(drops, expected, "drops, by batch and by frame");
        }
        for (port, indices) in queues.iter() {
            assert_ne!(port, ingress, "a frame leaves where it came in");
            let mut in_order = indices.iter().zip(indices.iter().skip(1));
            assert!(in_order.all(|(one, next)| one < next), "out of order");
            let set = indices.iter().fold(0, |set, index| set | 1_u64 << index);
            let of_port = std::mem::take(&mut leaves[usize::from(port.0)]);
            if !self.have_parted {
                assert_eq!(set, of_port, "what leaves by port {port}");
            }
        }
        let stations = self.by_batch.station_count();
        assert!(stations <= self.by_batch.config().max_stations);
        if !self.have_parted {
            assert_eq!(leaves, [0; PORTS as usize + 1], "frames that do not leave");
            assert_eq!(stations, self.by_frame.station_count());
        }
    }

    /// A command to both, or time that passes.
    fn change(&mut self, input: &mut Input<'_>) {
        let what = input.byte();
        let port = PortId(u16::from(what >> 6) + 1);
        if what.is_multiple_of(8) {
            self.now = self.now + Duration::from_millis(u64::from(input.short()) * 10);
        }
        let vlan = VlanId::from_tci(u16::from(what >> 3 & 1));
        let mac = MacAddr([2, 0, 0, 0, 0, input.byte() % 16]);
        for bridge in [&mut self.by_batch, &mut self.by_frame] {
            match what % 8 {
                0 => {
                    while bridge.next_timeout().is_some_and(|due| due <= self.now) {
                        bridge.handle_timeout(self.now);
                    }
                }
                1 => bridge.set_forwarding(port, false),
                2 => bridge.set_forwarding(port, true),
                3 => {
                    bridge.flush(Some(port));
                }
                4 => {
                    let _ = bridge.add_static(vlan, mac, port);
                }
                5 => {
                    bridge.remove_station(mac, Some(vlan));
                }
                6 => bridge.remove_port(port),
                _ => {
                    let _ = bridge.add_port_at(port);
                }
            }
        }
    }
}
