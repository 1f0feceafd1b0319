//! Numbered frames both ways between two hosts, for tests that do something to the switch between
//! them meanwhile.
//!
//! A sender goes by what has arrived, not by the clock: no more frames are in flight than fit into
//! the ring of a port. So none is lost because somebody does not get the processor, for however
//! long; one that is lost was lost by the switch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vswitch_netns::Namespace;

use super::packet::Endpoint;
use super::{A_WHILE, PATIENCE, wait_until};

/// Nobody handles frames of it.
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
/// The most frames in flight one way: less than the smallest ring holds, beside what the hosts say
/// of themselves.
pub(crate) const IN_FLIGHT: u64 = 128;
/// Between two frames, at least: a burst is not what these tests are about.
const INTERVAL: Duration = Duration::from_micros(500);

/// A host's interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Station<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) interface: &'a str,
    pub(crate) mac: [u8; 6],
}

/// Two hosts that send each other numbered frames.
pub(crate) struct Traffic {
    is_over: Arc<AtomicBool>,
    flows: [Flow; 2],
}

/// What both ends of a flow know.
struct Progress {
    /// Frames that have arrived.
    arrived: AtomicU64,
    /// Frames that were sent in all, once that is known.
    total: AtomicU64,
}

/// One direction.
struct Flow {
    progress: Arc<Progress>,
    sender: JoinHandle<u64>,
    receiver: JoinHandle<Vec<u64>>,
}

/// What was sent in both directions, all of which came once and in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent(pub(crate) [u64; 2]);

impl Traffic {
    /// Begins, once a frame has come through each way, by which the switch knows both.
    pub(crate) fn begin(hosts: [Station<'_>; 2]) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let open = |station: Station<'_>| {
            let namespace = Namespace::open(station.namespace).unwrap();
            let wire = namespace.run(|| Endpoint::open(station.interface));
            let wire = wire.unwrap().unwrap();
            wire.set_room(64 << 20).unwrap();
            Arc::new(wire)
        };
        let [a, b] = hosts;
        let wires = [open(a), open(b)];
        for (from, to, at) in [(a, b, [0, 1]), (b, a, [1, 0])] {
            introduce(&wires[at[0]], &wires[at[1]], from.mac, to.mac);
        }
        let flow = |from: Station<'_>, to: Station<'_>, at: [usize; 2]| {
            let [near, far] = at.map(|at| Arc::clone(&wires[at]));
            let (from, to) = (from.mac, to.mac);
            let over = Arc::clone(&is_over);
            let progress = Arc::new(Progress {
                arrived: AtomicU64::new(0),
                total: AtomicU64::new(u64::MAX),
            });
            let [of_sender, of_receiver] = [(); 2].map(|()| Arc::clone(&progress));
            Flow {
                progress,
                sender: thread::spawn(move || {
                    let sent = send(&near, from, to, &of_sender, &over);
                    of_sender.total.store(sent, Ordering::Release);
                    sent
                }),
                receiver: thread::spawn(move || receive(&far, from, &of_receiver)),
            }
        };
        let flows = [flow(a, b, [0, 1]), flow(b, a, [1, 0])];
        Self { is_over, flows }
    }

    /// Waits until frames have gone both ways that were sent after this call.
    pub(crate) fn goes_on(&self) {
        // Those that are in flight by now were perhaps sent before.
        let wanted = self.arrived().map(|arrived| arrived + IN_FLIGHT + 1);
        let go = wait_until(PATIENCE, || {
            let mut pairs = self.arrived().into_iter().zip(wanted);
            pairs.all(|(now, wanted)| now >= wanted)
        });
        assert!(go, "{:?} of {wanted:?} frames arrived", self.arrived());
    }

    fn arrived(&self) -> [u64; 2] {
        [0, 1].map(|at: usize| self.flows[at].progress.arrived.load(Ordering::Acquire))
    }

    /// Ends it, and asserts that each frame came once and in order; `told` is what there is to say
    /// besides if not.
    pub(crate) fn end_without_loss(self, told: impl Fn() -> String) -> Sent {
        self.is_over.store(true, Ordering::Release);
        let flows = self.flows.map(|flow| {
            let sent = flow.sender.join().unwrap();
            (sent, flow.receiver.join().unwrap())
        });
        for (sent, came) in &flows {
            let expected: Vec<u64> = (1..=*sent).collect();
            let wrong = came
                .iter()
                .zip(&expected)
                .position(|(came, sent)| came != sent);
            assert!(
                *came == expected,
                "{} of {sent} frames came; the first that is wrong is at {wrong:?}: {:?}; {}",
                came.len(),
                wrong.map(|at| &came[at.saturating_sub(2)..came.len().min(at + 3)]),
                told()
            );
        }
        Sent(flows.map(|(sent, _)| sent))
    }
}

fn frame(from: [u8; 6], to: [u8; 6], number: u64) -> Vec<u8> {
    let mut frame = [&to[..], &from, &ETHERTYPE, &number.to_be_bytes()].concat();
    frame.resize(60, 0);
    frame
}

/// The number of a frame that this host has sent; 0 introduces.
fn number_of(bytes: &[u8], from: [u8; 6]) -> Option<u64> {
    let is_ours = bytes.get(6..12)? == from && bytes.get(12..14)? == ETHERTYPE;
    let number = bytes.get(14..22)?.try_into().ok()?;
    is_ours.then(|| u64::from_be_bytes(number))
}

fn introduce(near: &Endpoint, far: &Endpoint, from: [u8; 6], to: [u8; 6]) {
    let came = wait_until(PATIENCE, || {
        near.send_patiently(&frame(from, to, 0)).unwrap();
        let is_it = |bytes: &[u8]| number_of(bytes, from) == Some(0);
        far.receive_where(A_WHILE, is_it).is_some()
    });
    assert!(came, "no frame comes through");
}

fn send(
    wire: &Endpoint,
    from: [u8; 6],
    to: [u8; 6],
    progress: &Progress,
    is_over: &AtomicBool,
) -> u64 {
    let mut sent = 0;
    while !is_over.load(Ordering::Acquire) {
        if sent - progress.arrived.load(Ordering::Acquire) < IN_FLIGHT {
            sent += 1;
            wire.send_patiently(&frame(from, to, sent)).unwrap();
        }
        thread::sleep(INTERVAL);
    }
    sent
}

fn receive(wire: &Endpoint, from: [u8; 6], progress: &Progress) -> Vec<u64> {
    let mut came = Vec::new();
    let mut silent = Duration::ZERO;
    loop {
        let total = progress.total.load(Ordering::Acquire);
        let next = wire.receive_where(A_WHILE, |bytes| number_of(bytes, from).is_some());
        match next.and_then(|frame| number_of(&frame.bytes, from)) {
            Some(0) => {}
            Some(number) => {
                came.push(number);
                // One that comes twice makes no room for another.
                let arrived = number.min(came.len() as u64);
                progress.arrived.fetch_max(arrived, Ordering::AcqRel);
                silent = Duration::ZERO;
            }
            // What is sent stays in order: nothing comes behind the last but what comes twice.
            None if total == 0 || came.last() == Some(&total) => break,
            None if total == u64::MAX => {}
            None => {
                silent += A_WHILE;
                if silent >= PATIENCE {
                    break;
                }
            }
        }
    }
    assert_eq!(
        wire.take_losses().unwrap(),
        0,
        "the test itself was too slow"
    );
    came
}
