//! Tests of the ports on packet sockets and TAP devices: between real namespaces, with nothing
//! but two ports and a loop.

mod frames;
mod handover;
mod life;
mod limits;
mod relay;
mod ring;
mod sctp;
mod tags;
mod tap;
mod transfers;
mod tunnels;
mod verify;

use libtest_mimic::Trial;
use vswitch_netns::{
    DuplicateDetection, InterfaceName, Link, Namespace, Netlink, OperState, VethEnd,
};
use vswitch_switch::port::memory::OwnedFrame;
use vswitch_switch::port::{
    Arena, BATCH, Batch, Counters, Frame, PacketPort, Port, RxStatus, Selection, TxReport, TxStatus,
};

use crate::harness::packet::{Captured, Endpoint};
use crate::harness::ports::open_port;
use crate::harness::{A_WHILE, PATIENCE, wait_until};

/// Tests of the area.
pub(crate) fn tests() -> Vec<Trial> {
    [
        frames::tests(),
        handover::tests(),
        life::tests(),
        limits::tests(),
        ring::tests(),
        sctp::tests(),
        tags::tests(),
        tap::tests(),
        transfers::tests(),
        tunnels::tests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Two hosts, each a namespace with an `eth0`, whose other ends `left-vsw` and `right-vsw` are in
/// the test's own namespace. Their addresses end in 1 and 2.
struct Lab {
    left: Namespace,
    right: Namespace,
    here: Netlink,
}

impl Lab {
    /// Both hosts, all interfaces up with this MTU.
    fn new(mtu_bytes: u32) -> Self {
        let mut lab = Self {
            left: Namespace::create("left").unwrap(),
            right: Namespace::create("right").unwrap(),
            here: Netlink::open().unwrap(),
        };
        lab.connect("left", 1, mtu_bytes);
        lab.connect("right", 2, mtu_bytes);
        lab
    }

    fn connect(&mut self, host: &str, number: u8, mtu_bytes: u32) {
        let namespace = Namespace::open(host).unwrap();
        let end = |name: &str| VethEnd::new(InterfaceName::new(name).unwrap()).mtu_bytes(mtu_bytes);
        let near = end(&format!("{host}-vsw"));
        let far = end("eth0").mac([2, 0, 0, 0, 0, number]);
        let near = self
            .here
            .create_veth(&near, &far, Some(&namespace))
            .unwrap();
        // What was there before goes away with the test.
        let _ = self.here.quiet(&near).unwrap();
        self.here.set_up(&near).unwrap();
        bring_up(&namespace, "eth0", number);
        wait_for_link(&mut self.here, &near.name);
    }

    fn link(&mut self, name: &str) -> Link {
        self.here.link(name).unwrap()
    }
}

/// Sets an interface of a host up, with the addresses that end in `number`.
fn bring_up(namespace: &Namespace, interface: &str, number: u8) {
    let mut there = Netlink::open_in(namespace).unwrap();
    let link = there.link(interface).unwrap();
    for address in [format!("10.0.0.{number}/24"), format!("fd00::{number}/64")] {
        let address = address.parse().unwrap();
        there
            .add_address(&link, address, DuplicateDetection::Skip)
            .unwrap();
    }
    there.set_up(&link).unwrap();
    wait_for_link(&mut there, interface);
}

/// Waits until an interface that is up can send. The kernel sees to that a little later
/// (`linkwatch_do_dev`), and until then throws away what is sent without a word (`noop_enqueue`).
fn wait_for_link(there: &mut Netlink, interface: &str) {
    let can_send = wait_until(PATIENCE, || {
        // A TAP device has no carrier to speak of.
        let state = there.link(interface).unwrap().state;
        matches!(state, OperState::Up | OperState::Unknown)
    });
    assert!(can_send, "{interface} has no link");
}

/// A raw socket on an interface of a host.
fn endpoint(namespace: &Namespace, interface: &str) -> Endpoint {
    namespace
        .run(|| Endpoint::open(interface))
        .unwrap()
        .unwrap()
}

/// A packet port on a host's `eth0`: a way to send frames with unfinished offloads.
fn port_of(namespace: &Namespace) -> PacketPort {
    namespace.run(|| open_port("eth0")).unwrap().unwrap()
}

/// All that waits in a port, and how that ended.
fn take(port: &mut dyn Port, counters: &mut Counters) -> (Vec<OwnedFrame>, RxStatus) {
    let mut arena = Arena::new();
    let mut frames = Vec::new();
    loop {
        let mut batch = Batch::new();
        let status = port.receive(&mut arena, &mut batch, counters);
        frames.extend(batch.iter().map(|frame| OwnedFrame {
            bytes: frame.bytes.to_vec(),
            offload: frame.offload,
        }));
        if status != RxStatus::More {
            return (frames, status);
        }
    }
}

/// Sends up to a batch of frames.
fn send(port: &mut dyn Port, frames: &[Frame<'_>]) -> (TxStatus, Counters) {
    let indices: Vec<u8> = (0..BATCH as u8).take(frames.len()).collect();
    let mut counters = Counters::default();
    let status = port.transmit(
        Selection::new(frames, &indices),
        &mut TxReport::new(&mut counters),
    );
    (status, counters)
}

/// Does `send` until a frame arrives for which `wanted` holds, and gives that: the queues behind
/// the interfaces belong to the processor, and other tests may have filled them just then.
fn deliver(wire: &Endpoint, wanted: impl Fn(&[u8]) -> bool, send: impl Fn()) -> Captured {
    let mut arrived = None;
    let came = wait_until(PATIENCE, || {
        send();
        arrived = wire.receive_where(A_WHILE, &wanted);
        arrived.is_some()
    });
    assert!(came, "lost again and again");
    arrived.unwrap()
}

/// A frame of an ethertype that nobody handles, `len` bytes long, from host 1 to host 2, with
/// `behind_addresses` in front of that.
fn frame(behind_addresses: &[u8], len: usize) -> Vec<u8> {
    let addresses = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    let mut frame = [&addresses[..], behind_addresses, &[0x88, 0xb5]].concat();
    let header_len = frame.len();
    frame.extend((header_len..len).map(|n| (n % 251) as u8));
    frame
}
