//! The receive ring: what fits into a slot, what does not, and in which order they come.

use libtest_mimic::Trial;
use vswitch_netns::Netlink;
use vswitch_switch::bridge::DropReason;
use vswitch_switch::port::{BATCH, Counters, Frame, PacketOptions, PacketPort, Port, ReceivePath};

use super::{Lab, frame, port_of, send, take};
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("ports_ring_keeps_small_and_large_frames_in_order", order),
        isolated("ports_ring_loses_large_frames_by_count", large_overflow),
        isolated("ports_ring_may_be_refused", refused),
        isolated("ports_a_burst_of_2000_frames_waits_for_the_switch", burst),
    ]
}

/// The left host's interface with nobody else's frames, and the port it is plugged into.
fn cable(lab: &mut Lab, options: &PacketOptions) -> (PacketPort, PacketPort) {
    let mut there = Netlink::open_in(&lab.left).unwrap();
    let link = there.link("eth0").unwrap();
    let _ = there.quiet(&link).unwrap();
    there.set_up(&link).unwrap();
    let host = port_of(&lab.left);
    let mut port = PacketPort::open_with("left-vsw", options).unwrap();
    take(&mut port, &mut Counters::default());
    (host, port)
}

const fn ring(slots: usize) -> PacketOptions {
    PacketOptions {
        receive: ReceivePath::Ring,
        ring_slots: slots,
    }
}

/// Frame `number`, of that length.
fn numbered(number: u32, len: usize) -> Vec<u8> {
    let mut bytes = frame(&[], len);
    bytes[14..18].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// Around and around a ring of 32 slots, with frames that just fit into one, just do not, or need
/// several; the lengths come in runs of all kinds.
fn order() {
    let mut lab = Lab::new(9000);
    let (mut host, mut port) = cable(&mut lab, &ring(32));
    assert_eq!(port.driver(), "packet socket, mapped ring");
    let lengths = [60, 1514, 1960, 1980, 2048, 2100, 4000, 9014];
    let mut number = 0;
    for round in 0..200 {
        let burst: Vec<_> = (0..=round % 13)
            .map(|at| {
                number += 1;
                numbered(number, lengths[(at * round / 3 + round) % lengths.len()])
            })
            .collect();
        let frames: Vec<_> = burst.iter().map(|bytes| Frame::finished(bytes)).collect();
        let (_, sent) = send(&mut host, &frames);
        assert_eq!(sent.tx.frames, burst.len() as u64);
        let mut got = Vec::new();
        let mut counters = Counters::default();
        let came = wait_until(PATIENCE, || {
            got.extend(take(&mut port, &mut counters).0);
            got.len() >= burst.len()
        });
        assert!(came, "{} of {} came", got.len(), burst.len());
        assert!(got.iter().map(|frame| &frame.bytes).eq(&burst));
        port.collect_losses(&mut counters);
        assert_eq!(counters.drops.total(), 0);
    }
}

/// More large frames than the socket's queue has room for: their slots come, empty.
fn large_overflow() {
    let mut lab = Lab::new(9000);
    let (mut host, mut port) = cable(&mut lab, &ring(16_384));
    let large = numbered(0, 9014);
    let frames = [Frame::finished(&large); BATCH];
    let accepted: u64 = (0..100).map(|_| send(&mut host, &frames).1.tx.frames).sum();
    let last = numbered(1, 60);
    assert_eq!(send(&mut host, &[Frame::finished(&last)]).1.tx.frames, 1);

    let mut counters = Counters::default();
    let mut got = Vec::new();
    let came = wait_until(PATIENCE, || {
        got.extend(take(&mut port, &mut counters).0);
        got.last().is_some_and(|frame| frame.bytes == last)
    });
    assert!(came, "the last frame, a small one, has not come");
    assert!(
        got[..got.len() - 1]
            .iter()
            .all(|frame| frame.bytes == large)
    );
    port.collect_losses(&mut counters);
    let lost = counters.drops.get(DropReason::RxOverflow);
    assert!(lost > 0, "the queue has no bound?");
    assert_eq!(got.len() as u64 + lost, accepted + 1);
    assert_eq!(counters.drops.total(), lost);
}

/// Nobody reads while they come, and none is lost: a switch that gets its turn late, on a machine that
/// has other things to do, still gets all of them.
fn burst() {
    const FRAMES: u32 = 2000;
    let mut lab = Lab::new(1500);
    let (mut host, mut port) = cable(&mut lab, &PacketOptions::default());
    for number in 0..FRAMES {
        let bytes = numbered(number, 60);
        // The queue of the processor may be full of other tests' frames.
        let is_sent = || send(&mut host, &[Frame::finished(&bytes)]).1.tx.frames == 1;
        assert!(wait_until(PATIENCE, is_sent), "{number}");
    }
    let mut counters = Counters::default();
    let mut got = Vec::new();
    wait_until(PATIENCE, || {
        got.extend(take(&mut port, &mut counters).0);
        got.len() >= FRAMES as usize
    });
    port.collect_losses(&mut counters);
    let numbers: Vec<_> = got
        .iter()
        .map(|frame| u32::from_be_bytes(*frame.bytes[14..].first_chunk().unwrap()))
        .collect();
    assert_eq!(counters.drops.total(), 0);
    assert_eq!(numbers, (0..FRAMES).collect::<Vec<_>>());
}

fn refused() {
    let mut lab = Lab::new(1500);
    // Terabytes, which no kernel gives.
    let impossible = 1 << 30;
    let error = PacketPort::open_with("left-vsw", &ring(impossible)).unwrap_err();
    let sentence = error.to_string();
    assert!(sentence.contains("left-vsw"), "{sentence}");
    assert!(sentence.contains("receive ring"), "{sentence}");

    let options = PacketOptions {
        receive: ReceivePath::Auto,
        ring_slots: impossible,
    };
    let (mut host, mut port) = cable(&mut lab, &options);
    assert_eq!(port.driver(), "packet socket, recvmmsg");
    let bytes = frame(&[], 60);
    send(&mut host, &[Frame::finished(&bytes)]);
    let came = wait_until(PATIENCE, || {
        let (got, _) = take(&mut port, &mut Counters::default());
        got.iter().any(|frame| frame.bytes == bytes)
    });
    assert!(came);
}
