//! UDP: checksums, segmentation offload, fragments.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use libtest_mimic::Trial;

use super::lab::{Host, Lab};
use super::reference;
use crate::harness::{PATIENCE, isolated, sys};

/// `UDP_SEGMENT` (udp(7)): the size of the datagrams into which one call's data is cut.
const UDP_SEGMENT: i32 = 103;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated(
            "switching_udp_datagrams_arrive_with_right_checksums",
            arrive_with_right_checksums,
        ),
        isolated(
            "switching_udp_super_datagrams_arrive_in_segments",
            super_datagrams_arrive,
        ),
        isolated(
            "switching_udp_datagrams_of_60000_bytes_arrive_in_fragments",
            fragments_arrive,
        ),
    ]
}

fn bind(host: &Host, address: IpAddr) -> UdpSocket {
    host.run(|| {
        let socket = UdpSocket::bind(SocketAddr::new(address, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    })
}

/// A socket on each of two hosts, once for each address family.
fn pairs(lab: &Lab) -> [(UdpSocket, UdpSocket); 2] {
    let [one, two] = &lab.hosts[..] else {
        unreachable!()
    };
    [
        (bind(one, one.v4()), bind(two, two.v4())),
        (bind(one, one.v6()), bind(two, two.v6())),
    ]
}

fn payload(length: usize, seed: usize) -> Vec<u8> {
    let bytes = (0..length).map(|n| ((n + seed) % 251) as u8);
    bytes.collect()
}

#[track_caller]
fn expect(socket: &UdpSocket, expected: &[u8]) {
    let mut buffer = vec![0; 1 << 16];
    let (length, _) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(length, expected.len());
    assert!(buffer[..length] == *expected, "other bytes than were sent");
}

fn arrive_with_right_checksums() {
    let lab = Lab::talking(2);
    let wire = lab.hosts[1].endpoint();
    for (from, to) in pairs(&lab) {
        let target = to.local_addr().unwrap();
        for length in [0, 1, 7, 100, 999, 1452] {
            let sent = payload(length, length);
            from.send_to(&sent, target).unwrap();
            // Its stack takes no datagram with a wrong checksum. What it trusts unseen, since
            // the sender says that the device is to do it, is looked at on the wire.
            expect(&to, &sent);
            let is_it = |frame: &[u8]| {
                reference::parse(frame).is_some_and(|packet| packet.transport[8..] == sent)
            };
            let frame = wire.receive_where(PATIENCE, is_it).unwrap();
            let packet = reference::parse(&frame.bytes).unwrap();
            assert!(packet.is_right(frame.checksum_partial), "{frame:?}");
        }
    }
    lab.stop();
}

fn super_datagrams_arrive() {
    const SEGMENT: u16 = 1200;
    let segment = usize::from(SEGMENT);
    let lab = Lab::talking(2);
    for (from, to) in pairs(&lab) {
        sys::set_option(&from, libc::SOL_UDP, UDP_SEGMENT, SEGMENT.into()).unwrap();
        let before = lab.counters(&lab.hosts[0]).rx;
        // The last datagram is a short one.
        let sent = payload(40 * segment + 333, 5);
        from.send_to(&sent, to.local_addr().unwrap()).unwrap();
        for datagram in sent.chunks(segment) {
            expect(&to, datagram);
        }
        let after = lab.counters(&lab.hosts[0]).rx;
        let (frames, bytes) = (after.frames - before.frames, after.bytes - before.bytes);
        assert!(bytes > 40 * u64::from(SEGMENT));
        assert!(
            frames < 30,
            "{frames} frames, so they were cut before the switch"
        );
    }
    lab.stop();
}

fn fragments_arrive() {
    let lab = Lab::talking(2);
    for (one, two) in pairs(&lab) {
        let (a, b) = (one.local_addr().unwrap(), two.local_addr().unwrap());
        for round in 0..10 {
            for (from, to, target) in [(&one, &two, b), (&two, &one, a)] {
                let sent = payload(60_000, round);
                from.send_to(&sent, target).unwrap();
                expect(to, &sent);
            }
        }
    }
    lab.stop();
}
