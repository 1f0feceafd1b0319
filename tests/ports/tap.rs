//! TAP devices, with offloads and without.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use libtest_mimic::Trial;
use vswitch_netns::{Namespace, Netlink};
use vswitch_switch::bridge::DropReason;
use vswitch_switch::frame::Offload;
use vswitch_switch::port::memory::{self, MemoryOptions};
use vswitch_switch::port::{
    BATCH, Counters, Frame, PacketPort, Port, RxStatus, SoftwareOffload, TapError, TapOptions,
    TapPort, TxStatus,
};
use vswitch_switch::{BridgeConfig, Switch};

use super::relay::Relay;
use super::transfers::tcp;
use super::verify::{Kind, verify};
use super::{A_WHILE, Lab, bring_up, endpoint, frame, port_of, sctp, send, take};
use crate::harness::devices::may_open_tun;
use crate::harness::ports::open_port;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    let cannot_run = !may_open_tun() && std::env::var_os("CI").is_none();
    if cannot_run {
        eprintln!(
            "!!! THE TESTS OF TAP DEVICES DO NOT RUN: /dev/net/tun may not be opened here. Run \
             them as root, or give ordinary users the device: chmod 0666 /dev/net/tun"
        );
    }
    let tests = [
        isolated("ports_tap_with_offloads_carries_tcp", || carries_tcp(true)),
        isolated("ports_tap_without_offloads_carries_tcp", || {
            carries_tcp(false);
        }),
        isolated(
            "ports_tap_without_offloads_gets_complete_frames",
            complete_frames,
        ),
        isolated("ports_tap_keeps_tags", tags),
        isolated("ports_tap_is_refused_with_a_reason", refusals),
        isolated("ports_tap_goes_down_and_away", down_and_away),
        isolated("ports_tap_losses_are_counted", losses),
        isolated("ports_tap_cannot_silence_a_packet_port", undescribable),
        isolated("ports_tap_cannot_silence_a_switch", || silence(true)),
        isolated("ports_tap_cannot_silence_a_new_switch", || silence(false)),
    ];
    let tests = tests.into_iter();
    tests
        .map(|test| test.with_ignored_flag(cannot_run))
        .collect()
}

const HERE: &str = "10.0.0.1:7000";
const THERE: &str = "10.0.0.9:7000";

/// A TAP device `tap0` in a namespace of its own, up, its addresses ending in 9.
fn tap(offloads: bool) -> (Namespace, TapPort) {
    let host = Namespace::create("tapped").unwrap();
    let create = || TapPort::create(Some("tap0"), TapOptions { offloads });
    let port = host.run(create).unwrap().unwrap();
    assert_eq!(port.takes_offloads(), offloads);
    assert_eq!(port.name(), "tap0");
    bring_up(&host, "tap0", 9);
    (host, port)
}

/// A relay from the lab's left host to the TAP device.
fn relay(port: TapPort) -> Relay {
    let left = open_port("left-vsw").unwrap();
    if port.takes_offloads() {
        Relay::between(left, port)
    } else {
        Relay::between(left, SoftwareOffload::new(port))
    }
}

fn carries_tcp(offloads: bool) {
    const BYTES: u64 = 16 << 20;
    let lab = Lab::new(1500);
    let (host, port) = tap(offloads);
    let relay = relay(port);
    tcp(&lab.left, &host, THERE, BYTES);
    tcp(&host, &lab.left, HERE, BYTES);
    tcp(&lab.left, &host, "[fd00::9]:7000", BYTES);
    let outcome = relay.end();
    assert!(outcome.super_frames > 0, "{outcome:?}");
}

/// Everything that reaches the interface while a namespace sends with all offloads on: no length
/// beyond the MTU, no checksum that is not right.
fn complete_frames() {
    let lab = Lab::new(1500);
    let (host, port) = tap(false);
    let capture = endpoint(&host, "tap0");
    let relay = relay(port);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let verifier = thread::spawn(move || {
        let mut seen = [0_u64; 3];
        while !stopped.load(Ordering::Relaxed) || seen.contains(&0) {
            let Some(got) = capture.receive(super::A_WHILE) else {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                continue;
            };
            assert!(!got.checksum_partial);
            assert!(got.bytes.len() <= 1518, "{}", got.bytes.len());
            match verify(&got.bytes) {
                Kind::Tcp => seen[0] += 1,
                Kind::Udp => seen[1] += 1,
                Kind::Sctp => seen[2] += 1,
                Kind::Other => {}
            }
        }
        seen
    });

    let (bytes, offload) = sctp::partial_frame(&[]);
    let mut raw = port_of(&lab.left);
    send(
        &mut raw,
        &[Frame {
            bytes: &bytes,
            offload,
        }],
    );
    let client = lab
        .left
        .run(|| UdpSocket::bind("[fd00::1]:0"))
        .unwrap()
        .unwrap();
    let (v4, v6) = ("10.0.0.9:7000", "[fd00::9]:7000");
    let client4 = lab
        .left
        .run(|| UdpSocket::bind("10.0.0.1:0"))
        .unwrap()
        .unwrap();
    for size in [0, 1, 100, 1452, 1472] {
        client4.send_to(&vec![7; size], v4).unwrap();
        client.send_to(&vec![7; size.min(1452)], v6).unwrap();
    }
    tcp(&lab.left, &host, v4, 1 << 20);
    tcp(&lab.left, &host, v6, 1 << 20);
    tcp(&host, &lab.left, HERE, 1 << 20);
    stop.store(true, Ordering::Relaxed);
    let seen = verifier.join().unwrap();
    assert!(!seen.contains(&0), "TCP, UDP and SCTP: {seen:?}");
    assert_eq!(relay.end().ports[1].drops.total(), 0);
}

fn tags() {
    for offloads in [false, true] {
        let (host, mut port) = tap(offloads);
        let wire = endpoint(&host, "tap0");
        for tags in [
            &[][..],
            &[0x81, 0, 0xe0, 100],
            &[0x88, 0xa8, 0x20, 100],
            &[0x88, 0xa8, 0, 1, 0x81, 0, 0xb0, 2],
        ] {
            let bytes = frame(tags, 200);
            send(&mut port, &[Frame::finished(&bytes)]);
            let got = wire.receive_where(PATIENCE, |got| got[..12] == bytes[..12]);
            assert_eq!(got.unwrap().bytes, bytes, "to the host");
            wire.send(&bytes).unwrap();
            let arrived = wait_until(PATIENCE, || {
                let (got, _) = take(&mut port, &mut Counters::default());
                got.iter().any(|frame| frame.bytes == bytes)
            });
            assert!(arrived, "from the host: {tags:02x?}");
        }
        drop(port);
        Namespace::delete("tapped").unwrap();
    }
}

fn refusals() {
    let _lab = Lab::new(1500);
    let create = |name| TapPort::create(Some(name), TapOptions::default());
    let invalid = create("a/b").unwrap_err();
    assert!(matches!(invalid, TapError::InvalidName { .. }), "{invalid}");
    let veth = create("left-vsw").unwrap_err();
    assert!(matches!(veth, TapError::NotTap { .. }), "{veth}");
    let first = create("tap7").unwrap();
    let taken = create("tap7").unwrap_err();
    assert!(matches!(taken, TapError::InUse { .. }), "{taken}");
    let unnamed = TapPort::create(None, TapOptions::default()).unwrap();
    assert_eq!((first.name(), unnamed.name()), ("tap7", "tap0"));
}

fn down_and_away() {
    let (host, mut port) = tap(true);
    let mut there = Netlink::open_in(&host).unwrap();
    let link = there.link("tap0").unwrap();
    let bytes = frame(&[], 60);
    let frames = [Frame::finished(&bytes), Frame::finished(&bytes)];
    assert_eq!(send(&mut port, &frames).1.tx.frames, 2);

    there.set_down(&link).unwrap();
    let (status, counters) = send(&mut port, &frames);
    assert_eq!(status, TxStatus::LinkDown);
    assert_eq!(counters.drops.get(DropReason::EgressDown), 2);
    there.set_up(&link).unwrap();
    assert_eq!(send(&mut port, &frames).1.tx.frames, 2);

    there.delete_link(&link).unwrap();
    let gone = wait_until(PATIENCE, || {
        take(&mut port, &mut Counters::default()).1 == RxStatus::LinkGone
    });
    assert!(gone);
    let (status, counters) = send(&mut port, &frames);
    assert_eq!(status, TxStatus::LinkGone);
    assert_eq!(counters.drops.get(DropReason::EgressDown), 2);
}

fn losses() {
    let (host, mut port) = tap(true);
    let mut there = Netlink::open_in(&host).unwrap();
    let link = there.link("tap0").unwrap();
    let _ = there.quiet(&link).unwrap();
    take(&mut port, &mut Counters::default());
    let mut counters = Counters::default();
    port.collect_losses(&mut counters);

    let long = frame(&[], 1515);
    let (_, sent) = send(&mut port, &[Frame::finished(&long)]);
    assert_eq!(sent.drops.get(DropReason::EgressTooBig), 1);

    // More than its queue of 1,000 frames, which nobody reads.
    let wire = endpoint(&host, "tap0");
    let bytes = frame(&[], 60);
    let before = counters.drops.get(DropReason::RxOverflow);
    for _ in 0..40 * BATCH {
        let _ = wire.send(&bytes);
    }
    let came = wait_until(PATIENCE, || {
        port.collect_losses(&mut counters);
        counters.drops.get(DropReason::RxOverflow) > before
    });
    assert!(came, "{counters:?}");
}

/// Whoever holds a TAP device may give its interface a frame to be fragmented (UFO), for which the
/// kernel has no words towards a packet socket. In a receive ring it takes a slot for ever.
fn without_words() -> (Vec<u8>, Offload) {
    let mut datagram = frame(&[], 14 + 20 + 8 + 1_200);
    datagram[12..14].copy_from_slice(&[8, 0]);
    datagram[14..34].copy_from_slice(&[
        0x45, 0, 4, 204, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ]);
    datagram[34..42].copy_from_slice(&[0x1b, 0x58, 0x1b, 0x58, 4, 184, 0, 0]);
    let offload = Offload {
        flags: Offload::NEEDS_CSUM,
        gso_type: 3, // VIRTIO_NET_HDR_GSO_UDP
        hdr_len: 42,
        gso_size: 500,
        csum_start: 34,
        csum_offset: 6,
    };
    (datagram, offload)
}

/// The other end of a TAP device, as a packet port, with nobody else's frames.
fn tapped() -> (TapPort, PacketPort) {
    let (host, sender) = tap(true);
    let mut there = Netlink::open_in(&host).unwrap();
    let link = there.link("tap0").unwrap();
    let _ = there.quiet(&link).unwrap();
    let port = host.run(|| open_port("tap0")).unwrap().unwrap();
    (sender, port)
}

fn undescribable() {
    let (mut sender, mut port) = tapped();
    let mut counters = Counters::default();
    take(&mut port, &mut counters);
    let (datagram, offload) = without_words();
    let ufo = Frame {
        bytes: &datagram,
        offload,
    };
    for round in 0..3 {
        assert_eq!(send(&mut sender, &[ufo]).1.tx.frames, 1);
        let before = counters.drops.get(DropReason::RxUnsupportedOffload);
        let bytes = frame(&[], 60 + round);
        let goes_on = wait_until(PATIENCE, || {
            send(&mut sender, &[Frame::finished(&bytes)]);
            let (got, _) = take(&mut port, &mut counters);
            got.iter().any(|frame| frame.bytes == bytes)
        });
        assert!(goes_on, "deaf after a frame without words");
        port.collect_losses(&mut counters);
        let lost = counters.drops.get(DropReason::RxUnsupportedOffload);
        assert!(lost > before, "{counters:?}");
    }
    assert_eq!(port.driver(), "packet socket, recvmmsg");
}

/// A switch that sleeps hears of such a frame, or of those lost after it, from nobody but the kernel;
/// be it the first of all.
fn silence(has_had_frames: bool) {
    let (mut sender, port) = tapped();
    let (other, cable) = memory::pair("other", MemoryOptions::default()).unwrap();
    let mut switch = Switch::new(BridgeConfig::default()).unwrap();
    switch.add_port(port).unwrap();
    switch.add_port(other).unwrap();
    let running = switch.spawn().unwrap();
    let handle = running.handle();
    let mut pass = |len| {
        let bytes = frame(&[], len);
        send(&mut sender, &[Frame::finished(&bytes)]);
        let arrived = cable.recv_timeout(A_WHILE);
        arrived.is_some_and(|frame| frame.bytes == bytes)
    };
    if has_had_frames {
        assert!(wait_until(PATIENCE, || pass(60)));
        assert!(wait_until(PATIENCE, || pass(61)));
    }
    // All that has come is done with: the switch waits.
    handle.ports().unwrap();
    handle.ports().unwrap();
    let (datagram, offload) = without_words();
    let ufo = Frame {
        bytes: &datagram,
        offload,
    };
    assert_eq!(send(&mut sender, &[ufo]).1.tx.frames, 1);
    let goes_on = wait_until(PATIENCE, || {
        let bytes = frame(&[], 62);
        send(&mut sender, &[Frame::finished(&bytes)]);
        cable.recv_timeout(A_WHILE).is_some()
    });
    assert!(goes_on, "deaf for ever");
    let ports = handle.ports().unwrap();
    let drops = &ports[0].counters.drops;
    assert!(drops.get(DropReason::RxUnsupportedOffload) > 0, "{drops:?}");
    running.stop().unwrap();
}
