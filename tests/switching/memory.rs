//! A host on a packet port, and in place of the other one a port that takes no offloads.

mod peer;

use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::thread;

use libtest_mimic::Trial;
use vswitch_switch::port::memory::{self, Cable, MemoryOptions};

use self::peer::Peer;
use super::lab::{Host, Lab};
use super::reference;
use crate::harness::{PATIENCE, isolated, sys};

const MTU_BYTES: usize = 1500;
/// `UDP_SEGMENT` (udp(7)).
const UDP_SEGMENT: i32 = 103;

pub(super) fn tests() -> Vec<Trial> {
    let of = |version: u8| {
        [
            isolated(
                &format!("switching_tcp_v{version}_is_segmented_for_a_port_without_offloads"),
                move || tcp_is_segmented(version),
            ),
            isolated(
                &format!("switching_udp_v{version}_is_finished_for_a_port_without_offloads"),
                move || udp_is_finished(version),
            ),
            isolated(
                &format!("switching_udp_v{version}_from_such_a_port_has_its_checksum_verified"),
                move || only_right_checksums(version),
            ),
        ]
    };
    of(4).into_iter().chain(of(6)).collect()
}

/// A lab with one host, and a cable to a port in memory.
fn lab_with_cable() -> (Lab, Cable) {
    let lab = Lab::talking(1);
    let options = MemoryOptions {
        capacity: 8192,
        mtu_bytes: MTU_BYTES,
        offloads: false,
    };
    let (port, cable) = memory::pair("memory", options).unwrap();
    lab.handle().add_port(port).unwrap();
    (lab, cable)
}

/// Whether the kernel gave the switch super-frames: else there was nothing to segment.
fn had_super_frames(lab: &Lab) -> bool {
    let rx = lab.counters(&lab.hosts[0]).rx;
    rx.bytes / rx.frames > 3000
}

fn data() -> Vec<u8> {
    (0..3_000_017_u32)
        .map(|n| (n % 65_521 % 253) as u8)
        .collect()
}

fn tcp_is_segmented(version: u8) {
    let (lab, cable) = lab_with_cable();
    let host = &lab.hosts[0];
    let mut peer = Peer::new(cable, version);
    let target = SocketAddr::new(peer.address(), 7);
    let sent = data();
    let received = thread::scope(|scope| {
        let receiver = scope.spawn(move || peer.receive_stream());
        host.run(|| {
            let mut stream = TcpStream::connect_timeout(&target, PATIENCE).unwrap();
            stream.set_write_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(&sent).unwrap();
        });
        receiver.join().unwrap()
    });
    assert_eq!(received.len(), sent.len());
    assert!(received == sent, "other bytes than were sent");
    assert!(had_super_frames(&lab), "{:?}", lab.counters(host));
    lab.stop();
}

fn udp_is_finished(version: u8) {
    let (lab, cable) = lab_with_cable();
    let mut peer = Peer::new(cable, version);
    let target = SocketAddr::new(peer.address(), 7);
    let sent = &data()[..40_321];
    lab.hosts[0].run(|| {
        let own = if version == 4 {
            lab.hosts[0].v4()
        } else {
            lab.hosts[0].v6()
        };
        let socket = UdpSocket::bind((own, 0)).unwrap();
        for length in [0, 1, 2, 17, 1400] {
            socket.send_to(&sent[..length], target).unwrap();
        }
        sys::set_option(&socket, libc::SOL_UDP, UDP_SEGMENT, 1000).unwrap();
        socket.send_to(sent, target).unwrap();
    });
    let whole = [0, 1, 2, 17, 1400].map(|length| &sent[..length]);
    for expected in whole.into_iter().chain(sent.chunks(1000)) {
        let datagram = peer.next_datagram();
        assert!(datagram == expected, "{} bytes", datagram.len());
    }
    lab.stop();
}

/// What comes from a port without offloads is finished, so the receiver's stack verifies it.
fn only_right_checksums(version: u8) {
    let (lab, cable) = lab_with_cable();
    let host = &lab.hosts[0];
    let peer = Peer::new(cable, version);
    let own = if version == 4 { host.v4() } else { host.v6() };
    let socket = bind(host, own);
    let port = socket.local_addr().unwrap().port();
    for number in 0..20 {
        let mut frame = peer.datagram(host.mac(), own, port, &[number; 33]);
        if number % 2 == 1 {
            let last = frame.len() - 1;
            frame[last] ^= 0xff;
            assert_ne!(reference::parse(&frame).unwrap().checksum(), 0);
        }
        peer.send(&frame);
    }
    for number in (0..20).step_by(2) {
        let mut buffer = [0; 100];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..length], [number; 33]);
    }
    lab.stop();
}

fn bind(host: &Host, address: IpAddr) -> UdpSocket {
    host.run(|| {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    })
}
