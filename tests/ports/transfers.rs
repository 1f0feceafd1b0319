//! What applications send, with all offloads at their defaults.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use libtest_mimic::Trial;
use nix::sys::socket::{setsockopt, sockopt};
use vswitch_netns::Namespace;

use super::relay::{Outcome, Relay};
use super::{A_WHILE, Lab};
use crate::harness::ports::open_port;
use crate::harness::{PATIENCE, isolated, transfer};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("ports_tcp_both_ways_arrives_with_its_hash", tcp_both_ways),
        isolated("ports_udp_of_every_size_comes_back", udp_of_every_size),
        isolated("ports_uso_datagrams_arrive_one_by_one", uso_datagrams),
    ]
}

const LEFT: &str = "10.0.0.1:7000";
const RIGHT: &str = "10.0.0.2:7000";

/// A relay between the two hosts of a lab.
fn relay() -> Relay {
    Relay::between(
        open_port("left-vsw").unwrap(),
        open_port("right-vsw").unwrap(),
    )
}

/// One transfer from host to host, which has to arrive as it was sent.
pub(super) fn tcp(from: &Namespace, to: &Namespace, address: &str, bytes: u64) {
    let address: SocketAddr = address.parse().unwrap();
    let listener = to.run(|| TcpListener::bind(address)).unwrap().unwrap();
    let receiver = thread::spawn(move || transfer::tcp_receive(&listener).unwrap());
    let sent = from
        .run(|| transfer::tcp_send(address, bytes))
        .unwrap()
        .unwrap();
    assert_eq!(receiver.join().unwrap(), sent);
}

fn check_super_frames(outcome: &Outcome, bytes: u64) {
    let frames = outcome.ports[0].tx.frames + outcome.ports[1].tx.frames;
    assert!(outcome.super_frames > 0, "offloads are on: {outcome:?}");
    assert!(
        frames < bytes / 1448,
        "fewer frames than segments: {outcome:?}"
    );
}

fn tcp_both_ways() {
    const BYTES: u64 = 64 << 20;
    let lab = Lab::new(1500);
    let relay = relay();
    tcp(&lab.left, &lab.right, RIGHT, BYTES);
    tcp(&lab.right, &lab.left, LEFT, BYTES);
    tcp(&lab.left, &lab.right, "[fd00::2]:7001", BYTES);
    check_super_frames(&relay.end(), 3 * BYTES);
}

fn udp_of_every_size() {
    let lab = Lab::new(1500);
    let relay = relay();
    for (address, bind) in [(RIGHT, "10.0.0.1:0"), ("[fd00::2]:7000", "[fd00::1]:0")] {
        let server = lab.right.run(|| UdpSocket::bind(address)).unwrap().unwrap();
        let sizes = [0_usize, 1, 2, 17, 1000, 1452, 1472, 1473, 9001, 60_000];
        let client = lab.left.run(|| UdpSocket::bind(bind)).unwrap().unwrap();
        let address = server.local_addr().unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| serve(&server, &stop));
            for size in sizes {
                let payload: Vec<u8> = (0..size).map(|n| (n % 253) as u8).collect();
                transfer::udp_echo(&client, address, &payload, PATIENCE).unwrap();
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
    relay.end();
}

/// Sends every datagram back, until it is to stop.
fn serve(server: &UdpSocket, stop: &AtomicBool) {
    let mut buffer = vec![0; 1 << 16];
    server.set_read_timeout(Some(A_WHILE)).unwrap();
    while !stop.load(Ordering::Relaxed) {
        if let Ok((len, from)) = server.recv_from(&mut buffer) {
            server.send_to(&buffer[..len], from).unwrap();
        }
    }
}

/// `UDP_SEGMENT` makes one super-frame of many datagrams, each of which has to arrive as itself.
fn uso_datagrams() {
    const SIZE: usize = 1000;
    const DATAGRAMS: usize = 30;
    let lab = Lab::new(1500);
    let relay = relay();
    for (address, bind) in [(RIGHT, "10.0.0.1:0"), ("[fd00::2]:7000", "[fd00::1]:0")] {
        let server = lab.right.run(|| UdpSocket::bind(address)).unwrap().unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        let client = lab.left.run(|| UdpSocket::bind(bind)).unwrap().unwrap();
        setsockopt(
            &client,
            sockopt::UdpGsoSegment,
            &i32::try_from(SIZE).unwrap(),
        )
        .unwrap();
        let payload: Vec<u8> = (0..DATAGRAMS * SIZE + 500)
            .map(|n| (n / SIZE) as u8)
            .collect();
        client
            .send_to(&payload, server.local_addr().unwrap())
            .unwrap();
        let mut buffer = vec![0; 1 << 16];
        for expected in payload.chunks(SIZE) {
            let len = server.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..len], *expected);
        }
    }
    let outcome = relay.end();
    assert!(outcome.super_frames >= 2, "{outcome:?}");
}
