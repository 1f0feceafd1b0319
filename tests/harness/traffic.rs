//! Numbered frames both ways between two hosts, for tests that do something to the switch between
//! them meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use vswitch_netns::Namespace;

use super::packet::Endpoint;
use super::{PATIENCE, wait_until};

/// Nobody handles frames of it.
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
/// How long to look for frames that come late, or twice.
const A_WHILE: Duration = Duration::from_millis(200);

/// A host's interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Station<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) interface: &'a str,
    pub(crate) mac: [u8; 6],
}

/// Two hosts that send each other numbered frames at a steady rate.
pub(crate) struct Traffic {
    is_over: Arc<AtomicBool>,
    flows: [Flow; 2],
}

/// One direction.
struct Flow {
    sender: JoinHandle<u64>,
    receiver: JoinHandle<Vec<u64>>,
}

/// What was sent in both directions, all of which came once and in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent(pub(crate) [u64; 2]);

impl Traffic {
    /// Begins, once a frame has come through each way, by which the switch knows both.
    pub(crate) fn begin(hosts: [Station<'_>; 2], interval: Duration) -> Self {
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
            let (over, sent_all) = (Arc::clone(&is_over), Arc::new(AtomicBool::new(false)));
            let all_sent = Arc::clone(&sent_all);
            Flow {
                sender: thread::spawn(move || {
                    let sent = send(&near, from, to, interval, &over);
                    all_sent.store(true, Ordering::Release);
                    sent
                }),
                receiver: thread::spawn(move || receive(&far, from, &sent_all)),
            }
        };
        let flows = [flow(a, b, [0, 1]), flow(b, a, [1, 0])];
        Self { is_over, flows }
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
    interval: Duration,
    is_over: &AtomicBool,
) -> u64 {
    let begin = Instant::now();
    let mut sent = 0;
    while !is_over.load(Ordering::Acquire) {
        sent += 1;
        wire.send_patiently(&frame(from, to, sent)).unwrap();
        // Where the machine was busy elsewhere it does not make up for it: that would be a burst.
        let due = interval * u32::try_from(sent).unwrap_or(u32::MAX);
        thread::sleep(due.saturating_sub(begin.elapsed()).min(interval));
    }
    sent
}

fn receive(wire: &Endpoint, from: [u8; 6], all_sent: &AtomicBool) -> Vec<u64> {
    let mut came = Vec::new();
    loop {
        let is_last_look = all_sent.load(Ordering::Acquire);
        let next = wire.receive_where(A_WHILE, |bytes| number_of(bytes, from).is_some());
        match next.and_then(|frame| number_of(&frame.bytes, from)) {
            Some(0) => {}
            Some(number) => came.push(number),
            None if is_last_look => break,
            None => {}
        }
    }
    assert_eq!(
        wire.take_losses().unwrap(),
        0,
        "the test itself was too slow"
    );
    came
}
