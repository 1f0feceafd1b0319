//! Segmentation that a switch's packet socket can carry.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use socket2::Socket;
use vswitch_netns::{DuplicateDetection, Namespace, Netlink, OffloadError, Offloads};

use super::end;
use crate::harness::devices::{self, Vxlan};
use crate::harness::packet::Endpoint;
use crate::harness::{isolated, sys, transfer};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("netns_offloads_that_cannot_be_described_go_off", go_off),
        isolated("netns_offloads_of_no_interface_are_refused", refused),
        isolated("netns_tcp_over_vxlan_passes_a_packet_socket", vxlan),
    ]
}

fn go_off() {
    let mario = Namespace::create("mario").unwrap();
    let mut here = Netlink::open().unwrap();
    here.create_veth(&end("near"), &end("far"), Some(&mario))
        .unwrap();
    let mut offloads = Offloads::open_in(&mario).unwrap();
    let active = |offloads: &mut Offloads| -> Vec<String> {
        let features = offloads.features("far").unwrap().into_iter();
        features
            .filter(|feature| feature.active)
            .map(|feature| feature.name)
            .collect()
    };
    let before = active(&mut offloads);
    let switched_off = offloads.keep_describable("far").unwrap();
    let after = active(&mut offloads);
    for name in [
        "tx-udp_tnl-segmentation",
        "tx-gre-segmentation",
        "tx-sctp-segmentation",
    ] {
        assert!(
            before.iter().any(|n| n == name),
            "{name} is not among {before:?}"
        );
        assert!(
            switched_off.iter().any(|n| n == name),
            "{name} is not among {switched_off:?}"
        );
    }
    let expected: Vec<_> = before
        .into_iter()
        .filter(|name| !switched_off.contains(name))
        .collect();
    assert_eq!(after, expected, "something else was changed");
    for name in [
        "tx-tcp-segmentation",
        "tx-tcp6-segmentation",
        "tx-checksum-ip-generic",
    ] {
        assert!(after.iter().any(|n| n == name), "{name} is off");
    }
    assert_eq!(offloads.keep_describable("far").unwrap(), [""; 0]);
}

fn refused() {
    let mut offloads = Offloads::open().unwrap();
    for name in ["peach", "", &"x".repeat(300)] {
        let error = offloads.keep_describable(name).unwrap_err();
        assert!(matches!(error, OffloadError::Refused { .. }), "{error}");
    }
}

/// Length of `struct virtio_net_hdr`, whose second byte is the kind of segmentation.
const VNET_HEADER_BYTES: usize = 10;
const GSO_TCPV4: u8 = 1;

/// What a switch does with two ports, in the simplest way: every frame goes across, with its
/// offload header.
struct Wire {
    done: AtomicBool,
    failures: Mutex<Vec<String>>,
}

impl Wire {
    fn carry(&self, mut from: &Socket, mut to: &Socket) {
        let mut buffer = vec![0; 1 << 17];
        while !self.done.load(Ordering::Relaxed) {
            let failure = match from.read(&mut buffer) {
                Ok(length) if is_misdescribed(&buffer[..length]) => {
                    "a tunnel passes for TCP".into()
                }
                Ok(length) => {
                    // A full queue loses frames, as a full switch does.
                    let _ = to.write(&buffer[..length]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => format!("a frame was lost: {error}"),
            };
            // Nothing more need be carried: the test has failed.
            self.failures.lock().unwrap().push(failure);
            return;
        }
    }
}

/// Ends the wire's threads when the test is over, however it ends.
struct EndOnDrop<'a>(&'a Wire);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::Relaxed);
    }
}

/// Whether a frame of UDP over IPv4 is said to be a super-frame of TCP: the kernel refuses to
/// send it on.
fn is_misdescribed(frame: &[u8]) -> bool {
    let (header, frame) = frame.split_at(VNET_HEADER_BYTES);
    let is_tcp = header[1] & 0x7f == GSO_TCPV4;
    is_tcp && frame[12..14] == [0x08, 0] && frame[23] == 17
}

fn port(interface: &str) -> io::Result<Socket> {
    let socket = Endpoint::open(interface)?.into_socket();
    sys::set_packet_option(&socket, libc::PACKET_VNET_HDR, 1)?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    Ok(socket)
}

/// Makes a namespace with a cable to the test's own and a tunnel to the other's end of its.
fn host(name: &str, number: u8) -> Namespace {
    let namespace = Namespace::create(name).unwrap();
    let near = format!("{name}-vsw");
    let near = Netlink::open()
        .unwrap()
        .create_veth(&end(&near), &end("eth0"), Some(&namespace))
        .unwrap();
    let mut here = Netlink::open().unwrap();
    let _quiet = here.quiet(&near).unwrap();
    here.set_up(&near).unwrap();
    Offloads::open_in(&namespace)
        .unwrap()
        .keep_describable("eth0")
        .unwrap();

    let mut inside = Netlink::open_in(&namespace).unwrap();
    let mut give = |interface: &str, address: String| {
        let link = inside.link(interface).unwrap();
        inside.set_up(&link).unwrap();
        let address = address.parse().unwrap();
        inside
            .add_address(&link, address, DuplicateDetection::Skip)
            .unwrap();
    };
    give("eth0", format!("10.0.0.{number}/24"));
    let tunnel = Vxlan {
        remote: [10, 0, 0, 3 - number].into(),
        checksum: false,
    };
    namespace
        .run(|| devices::vxlan("vx0", &tunnel).unwrap())
        .unwrap();
    give("vx0", format!("172.31.0.{number}/24"));
    namespace
}

fn vxlan() {
    let (mario, luigi) = (host("mario", 1), host("luigi", 2));
    let ports = [port("mario-vsw").unwrap(), port("luigi-vsw").unwrap()];
    let wire = Wire {
        done: AtomicBool::new(false),
        failures: Mutex::default(),
    };
    let (sent, received) = thread::scope(|scope| {
        scope.spawn(|| wire.carry(&ports[0], &ports[1]));
        scope.spawn(|| wire.carry(&ports[1], &ports[0]));
        let _ended = EndOnDrop(&wire);
        let listener = luigi
            .run(|| TcpListener::bind("172.31.0.2:5001"))
            .unwrap()
            .unwrap();
        let receiver = scope.spawn(move || transfer::tcp_receive(&listener));
        let address = "172.31.0.2:5001".parse().unwrap();
        let sent = mario
            .run(|| transfer::tcp_send(address, 3_000_000))
            .unwrap();
        (sent, receiver.join().unwrap())
    });
    assert_eq!(wire.failures.into_inner().unwrap(), [""; 0]);
    assert_eq!(sent.unwrap(), received.unwrap());
}
