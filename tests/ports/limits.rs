//! Too many frames, and too long ones: each is counted once, and nothing hangs.

use libtest_mimic::Trial;
use vswitch_netns::Netlink;
use vswitch_switch::bridge::DropReason;
use vswitch_switch::port::{BATCH, Counters, Frame, Port, TxStatus};

use super::{Lab, endpoint, frame, port_of, send, take};
use crate::harness::ports::open_port;
use crate::harness::{PATIENCE, isolated};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("ports_an_overflow_is_counted_frame_by_frame", overflow),
        isolated("ports_frames_beyond_the_mtu_are_counted", beyond_the_mtu),
        isolated("ports_a_peer_with_a_smaller_mtu_stops_nobody", || {
            smaller_peer(None, DropReason::EgressFull);
        }),
        isolated("ports_a_peer_whose_smaller_mtu_is_known_is_named", || {
            smaller_peer(Some(1000), DropReason::EgressPeerMtu);
        }),
    ]
}

fn overflow() {
    let mut lab = Lab::new(1500);
    // The host's own stack has to be silent, so that every frame is the test's.
    let mut there = Netlink::open_in(&lab.left).unwrap();
    let link = there.link("eth0").unwrap();
    let _ = there.quiet(&link).unwrap();
    let mut host = port_of(&lab.left);
    let near = lab.link("left-vsw");
    lab.here.set_up(&near).unwrap();
    let mut port = open_port("left-vsw").unwrap();
    take(&mut port, &mut Counters::default());

    let bytes = frame(&[], 60);
    let frames = [Frame::finished(&bytes); BATCH];
    let mut counters = Counters::default();
    let mut accepted = 0;
    for _ in 0..2_000 {
        accepted += send(&mut host, &frames).1.tx.frames;
        port.collect_losses(&mut counters);
        if counters.drops.get(DropReason::RxOverflow) > 100 {
            break;
        }
    }
    let received = take(&mut port, &mut counters).0.len() as u64;
    port.collect_losses(&mut counters);
    let lost = counters.drops.get(DropReason::RxOverflow);
    assert!(lost > 100, "the queue has no bound?");
    assert_eq!(received + lost, accepted);
    assert_eq!(counters.drops.total(), lost);
}

fn beyond_the_mtu() {
    let lab = Lab::new(1500);
    let host = endpoint(&lab.left, "eth0");
    let mut port = open_port("left-vsw").unwrap();
    let fits = [frame(&[], 1514), frame(&[0x81, 0, 0, 100], 1518)];
    let too_big = [
        frame(&[], 1515),
        frame(&[0x81, 0, 0, 100], 1519),
        frame(&[], 60_000),
    ];
    // Between two that fit, each that does not: the others still leave, in order.
    for big in &too_big {
        let frames = [&fits[0], big, &fits[1], big].map(|bytes| Frame::finished(bytes));
        let (status, counters) = send(&mut port, &frames);
        assert_eq!(status, TxStatus::Done);
        assert_eq!(counters.tx.frames, 2);
        assert_eq!(counters.tx.bytes, 1514 + 1518);
        assert_eq!(counters.drops.get(DropReason::EgressTooBig), 2);
        assert_eq!(counters.drops.total(), 2);
        for sent in &fits {
            let got = host.receive_where(PATIENCE, |got| got[..12] == sent[..12]);
            assert_eq!(got.unwrap().bytes, *sent);
        }
    }
    let runt = [0; 13];
    let (_, counters) = send(&mut port, &[Frame::finished(&runt)]);
    assert_eq!(counters.drops.get(DropReason::EgressError), 1);
}

/// The kernel says "no buffer space" to every frame that is too long for the peer, for ever. A port
/// that knows the peer's MTU says why; one that does not cannot tell.
fn smaller_peer(peer_mtu: Option<usize>, reason: DropReason) {
    let lab = Lab::new(1500);
    let mut there = Netlink::open_in(&lab.left).unwrap();
    let link = there.link("eth0").unwrap();
    let change = vswitch_netns::LinkChange::new().mtu_bytes(1000);
    there.change_link(&link, &change).unwrap();
    let host = endpoint(&lab.left, "eth0");
    let mut port = open_port("left-vsw").unwrap();
    port.set_peer_mtu(peer_mtu);
    let (long, short) = (frame(&[], 1514), frame(&[], 60));
    let mut frames = Vec::new();
    for _ in 0..BATCH / 2 {
        frames.extend([Frame::finished(&long), Frame::finished(&short)]);
    }
    let (status, counters) = send(&mut port, &frames);
    assert_eq!(status, TxStatus::Done);
    assert_eq!(counters.tx.frames, BATCH as u64 / 2);
    assert_eq!(counters.drops.get(reason), BATCH as u64 / 2);
    assert_eq!(counters.drops.total(), BATCH as u64 / 2);
    for _ in 0..BATCH / 2 {
        let got = host.receive_where(PATIENCE, |got| got[..12] == short[..12]);
        assert_eq!(got.unwrap().bytes, short);
    }
}
