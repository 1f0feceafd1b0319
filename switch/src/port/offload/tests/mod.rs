//! Checks the frames that leave a port without offloads with an independent parser.
#![allow(
    clippy::cast_possible_truncation,
    reason = "lengths of the packets made here fit their fields"
)]

mod flow;
mod reader;
mod tunnel;

use proptest::prelude::*;

use self::flow::{Flow, Transport, flow};
use self::reader::{Packet, read};
use super::SoftwareOffload;
use crate::frame::{DropReason, Offload, Outcome, TagAction, TagActions, VlanTag};
use crate::port::memory::{Cable, MemoryOptions, pair};
use crate::port::{BATCH, Counters, Frame, Outcomes, Port, Selection, Traffic, TxReport, TxStatus};

const ALL: [u8; BATCH] = super::IN_ORDER;

fn port(mtu_bytes: usize, capacity: usize) -> (SoftwareOffload, Cable) {
    let options = MemoryOptions {
        capacity,
        mtu_bytes,
        offloads: false,
    };
    let (port, cable) = pair("test", options).unwrap();
    (SoftwareOffload::new(port), cable)
}

/// Sends `frames` through a port; returns what leaves and the counters.
fn finish(frames: &[Frame<'_>], mtu_bytes: usize) -> (Vec<Vec<u8>>, Counters) {
    let (mut port, cable) = port(mtu_bytes, 1 << 14);
    let mut counters = Counters::default();
    let status = port.transmit(
        Selection::new(frames, &ALL[..frames.len()]),
        &mut TxReport::new(&mut counters),
    );
    assert_eq!(status, TxStatus::Done);
    let out = std::iter::from_fn(|| cable.try_recv());
    (out.map(|frame| frame.bytes).collect(), counters)
}

/// Does so for frames with tag actions, and also returns the outcomes.
fn finish_with_tags(frames: &[Frame<'_>], actions: &[TagAction]) -> (Vec<Vec<u8>>, Outcomes) {
    let (mut port, cable) = port(65_535, 1 << 14);
    let (mut counters, mut outcomes) = (Counters::default(), Outcomes::new());
    let mut report = TxReport::watched(&mut counters, &mut outcomes);
    let selection = Selection::new(frames, &ALL[..frames.len()]);
    port.transmit(selection.with_tags(TagActions::Each(actions)), &mut report);
    let out = std::iter::from_fn(|| cable.try_recv());
    (out.map(|frame| frame.bytes).collect(), outcomes)
}

fn tag_action() -> impl Strategy<Value = TagAction> {
    let tag = |tpid| any::<u16>().prop_map(move |tci| VlanTag { tpid, tci });
    prop_oneof![
        Just(TagAction::Keep),
        Just(TagAction::Pop),
        tag(0x8100).prop_map(TagAction::Push),
        tag(0x88a8).prop_map(TagAction::Replace),
    ]
}

fn one_sent(bytes: usize) -> Traffic {
    Traffic {
        frames: 1,
        bytes: bytes as u64,
    }
}

/// Checks the segments of a super-frame against its properties.
fn check_segments(flow: &Flow, packets: &[Packet]) {
    let size = usize::from(flow.gso_size);
    let last = packets.len() - 1;
    for (index, packet) in packets.iter().enumerate() {
        let is_full = packet.payload.len() == size;
        assert!(is_full || index == last && packet.payload.len() <= size);
        assert_eq!(packet.link, flow.link(), "addresses and tags");
        if !flow.is_v6 {
            let expected = flow.identification.wrapping_add(index as u16);
            assert_eq!(packet.identification, Some(expected));
        }
        if let Transport::Tcp { sequence, flags } = flow.transport {
            let offset = u32::try_from(index * size).unwrap();
            assert_eq!(packet.sequence, Some(sequence.wrapping_add(offset)));
            let not_first = if index == 0 { 0 } else { 0x80 };
            let not_last = if index == last { 0 } else { 0x09 };
            assert_eq!(packet.tcp_flags, Some(flags & !not_first & !not_last));
        }
    }
    let payload: Vec<u8> = packets.iter().flat_map(|p| p.payload.clone()).collect();
    assert_eq!(payload, flow.payload);
}

proptest! {
    #[test]
    fn segments_are_whole_packets_that_carry_the_payload(flow in flow()) {
        let (bytes, offload) = flow.super_frame();
        let frame = Frame { bytes: &bytes, offload };
        let (out, counters) = finish(&[frame], 65_535);
        prop_assert_eq!(counters.drops.total(), 0);
        prop_assert_eq!(counters.tx, one_sent(bytes.len()), "the super-frame counts once");
        let packets: Vec<Packet> = out.iter().map(|frame| read(frame)).collect();
        let expected = flow.payload.len().div_ceil(usize::from(flow.gso_size)).max(1);
        prop_assert_eq!(packets.len(), expected);
        check_segments(&flow, &packets);
    }

    #[test]
    fn frames_whose_tags_change_leave_as_if_they_had_come_so(
        flows in prop::collection::vec((flow(), tag_action(), 0..3_u8), 0..12),
    ) {
        let frames: Vec<_> = flows.iter().map(|(flow, _, unfinished)| {
            let (bytes, offload) = flow.super_frame();
            let partial = Offload { gso_type: 0, gso_size: 0, ..offload };
            (bytes, [Offload::NONE, partial, offload][usize::from(*unfinished)])
        }).collect();
        let actions: Vec<_> = flows.iter().map(|(_, action, _)| *action).collect();
        let frame = |(bytes, offload): &'_ (Vec<u8>, Offload)| (bytes.clone(), *offload);
        let by_hand: Vec<_> = frames.iter().map(frame).zip(&actions).map(|((bytes, offload), action)| {
            let edited = action.edit(&Frame { bytes: &bytes, offload });
            (edited.whole().into_owned(), edited.offload)
        }).collect();
        let borrow = |frames: &'_ [(Vec<u8>, Offload)], actions: &[TagAction]| {
            let frames: Vec<_> = frames
                .iter()
                .map(|(bytes, offload)| Frame { bytes, offload: *offload })
                .collect();
            finish_with_tags(&frames, actions)
        };
        let keep = vec![TagAction::Keep; actions.len()];
        prop_assert_eq!(borrow(&frames, &actions), borrow(&by_hand, &keep));
    }

    #[test]
    fn a_partial_checksum_is_filled_in_and_nothing_else_changes(flow in flow()) {
        let (bytes, offload) = flow.super_frame();
        let partial = Offload { gso_type: 0, gso_size: 0, ..offload };
        let (out, counters) = finish(&[Frame { bytes: &bytes, offload: partial }], 65_535);
        prop_assert_eq!(counters.tx, one_sent(bytes.len()));
        let at = usize::from(offload.csum_start + offload.csum_offset);
        prop_assert_eq!(&out[0][..at], &bytes[..at]);
        prop_assert_eq!(&out[0][at + 2..], &bytes[at + 2..]);
        prop_assert_eq!(read(&out[0]).payload, flow.payload);
    }

    #[test]
    fn each_frame_counts_once_whatever_its_headers_say(
        flow in flow(),
        header in any::<[u8; Offload::LEN]>(),
        plausible_type in prop::sample::select(vec![0_u8, 1, 3, 4, 5, 0x81, 0x84, 0x85]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        keep_header in any::<bool>(),
    ) {
        let (mut bytes, mut offload) = flow.super_frame();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        if !keep_header {
            offload = Offload::from_bytes(header);
        }
        offload.gso_type = plausible_type;
        let (out, counters) = finish(&[Frame { bytes: &bytes, offload }], 1500);
        prop_assert_eq!(counters.tx.frames + counters.drops.total(), 1);
        prop_assert!(counters.tx.frames == 1 || out.is_empty());
    }

    #[test]
    fn any_bytes_and_any_header_are_survived(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        header in any::<[u8; Offload::LEN]>(),
    ) {
        let offload = Offload::from_bytes(header);
        let (_, counters) = finish(&[Frame { bytes: &bytes, offload }], 1500);
        prop_assert_eq!(counters.tx.frames + counters.drops.total(), 1);
    }
}

#[test]
fn finished_partial_and_super_frames_leave_in_their_order() {
    let flow = Flow::example();
    let (bytes, offload) = flow.super_frame();
    let partial = Offload {
        gso_type: 0,
        gso_size: 0,
        ..offload
    };
    let small = Flow {
        payload: vec![7; 10],
        ..Flow::example()
    };
    let (small, _) = small.super_frame();
    let frame = |bytes, offload| Frame { bytes, offload };
    let frames = [
        Frame::finished(b"first: addresses and more"),
        frame(&small, partial),
        frame(&bytes, offload),
        Frame::finished(b"second: addresses and more"),
        frame(&bytes, offload),
        frame(&small, partial),
    ];
    let (out, counters) = finish(&frames, 1500);
    assert_eq!(counters.tx.frames, 6);
    let lengths: Vec<usize> = out.iter().map(Vec::len).collect();
    let headers = bytes.len() - flow.payload.len();
    let (full, rest) = (headers + 1000, headers + 500);
    let expected = [
        25,
        small.len(),
        full,
        full,
        rest,
        26,
        full,
        full,
        rest,
        small.len(),
    ];
    assert_eq!(lengths, expected);
    read(&out[1]);
    read(&out[9]);
}

#[test]
fn a_run_longer_than_the_scratch_memory_is_sent_in_pieces() {
    let flow = Flow {
        payload: vec![7; 30_000],
        ..Flow::example()
    };
    let (bytes, offload) = flow.super_frame();
    let partial = Offload {
        gso_type: 0,
        gso_size: 0,
        ..offload
    };
    let frame = Frame {
        bytes: &bytes,
        offload: partial,
    };
    let (out, counters) = finish(&[frame; BATCH], 65_535);
    assert_eq!(counters.tx.frames, BATCH as u64);
    assert_eq!(out.len(), BATCH);
    assert!(out.iter().all(|bytes| read(bytes).payload == flow.payload));
}

#[test]
fn segments_beyond_the_mtu_are_too_big_and_none_leaves() {
    let flow = Flow::example(); // segments of 40 and 1,000 bytes, without the link header
    let (bytes, offload) = flow.super_frame();
    let frame = Frame {
        bytes: &bytes,
        offload,
    };
    let (out, counters) = finish(&[frame], 1039);
    assert!(out.is_empty());
    assert_eq!(counters.drops.get(DropReason::EgressTooBig), 1);
    assert_eq!(counters.tx, Traffic::default());
    assert_eq!(finish(&[frame], 1040).1.tx.frames, 1);
}

#[test]
fn a_super_frame_that_loses_a_segment_is_one_drop() {
    let (bytes, offload) = Flow::example().super_frame();
    let frames = [Frame {
        bytes: &bytes,
        offload,
    }];
    let (mut port, _cable) = port(1500, 1); // two of three are lost
    let mut counters = Counters::default();
    port.transmit(
        Selection::new(&frames, &[0]),
        &mut TxReport::new(&mut counters),
    );
    assert_eq!(counters.drops.get(DropReason::EgressFull), 1);
    assert_eq!(counters.drops.total(), 1);
    assert_eq!(counters.tx, Traffic::default());
}

#[test]
fn what_becomes_of_each_frame_is_told_in_order() {
    let (bytes, offload) = Flow::example().super_frame();
    let cut = Frame {
        bytes: &bytes,
        offload,
    };
    let unfinished = Frame {
        bytes: &[2; 60],
        offload: Offload {
            flags: Offload::NEEDS_CSUM,
            csum_start: 200,
            ..Offload::NONE
        },
    };
    let plain = Frame::finished(&[2; 60]);
    let long = Frame::finished(&[2; 2000]);
    let frames = [plain, unfinished, plain, cut, long, plain, plain];
    let (mut port, _cable) = port(1500, 6); // the last finds no room
    let (mut counters, mut outcomes) = (Counters::default(), Outcomes::new());
    let mut report = TxReport::watched(&mut counters, &mut outcomes);
    port.transmit(Selection::new(&frames, &ALL[..frames.len()]), &mut report);
    report.finish(frames.len());
    let (passed, dropped) = (Outcome::Passed, Outcome::Dropped);
    let expected = [
        passed,
        dropped(DropReason::EgressOffload),
        passed,
        passed,
        dropped(DropReason::EgressTooBig),
        passed,
        dropped(DropReason::EgressFull),
    ];
    assert_eq!(outcomes[..], expected);
    assert_eq!((counters.tx.frames, counters.drops.total()), (4, 3));
}

#[test]
fn what_cannot_be_finished_is_counted_as_that() {
    let flow = Flow::example();
    let (bytes, offload) = flow.super_frame();
    let huge = vec![0; super::Scratch::LEN + 1];
    let (short, _) = Flow {
        payload: vec![7; 100],
        ..Flow::example()
    }
    .super_frame();
    let mut small_header = bytes.clone();
    small_header[46] = 0x40; // four words of TCP header
    let with = |change: fn(&mut Offload)| {
        let mut offload = offload;
        change(&mut offload);
        offload
    };
    let unfit = DropReason::EgressOffload;
    for (bad, bytes, reason) in [
        (offload, &small_header, unfit),
        (with(|bad| bad.gso_size = 0), &short, unfit),
        (with(|bad| bad.gso_size = 0), &bytes, unfit),
        (with(|bad| bad.gso_size = 1), &vec![0; 60], unfit),
        (with(|bad| bad.gso_type = 4), &bytes, unfit),
        (with(|bad| bad.gso_type = 3), &bytes, unfit),
        (with(|bad| bad.gso_type = 77), &bytes, unfit),
        (with(|bad| bad.csum_start = 35), &bytes, unfit),
        (with(|bad| bad.gso_size = 1), &bytes, unfit),
        (offload, &huge, DropReason::EgressTooBig),
    ] {
        let frame = Frame {
            bytes,
            offload: bad,
        };
        let (out, counters) = finish(&[frame], 1500);
        assert!(out.is_empty(), "{bad:?}");
        assert_eq!(counters.drops.get(reason), 1, "{bad:?}");
    }
}

/// Zero in the field means that there is no checksum; a sum of zero is stored as its complement.
#[test]
fn a_udp_checksum_is_never_zero() {
    let checksum_with = |payload: [u8; 2], gso_type| {
        let flow = Flow {
            transport: Transport::Udp,
            payload: payload.to_vec(),
            ..Flow::example()
        };
        let (bytes, mut offload) = flow.super_frame();
        offload.gso_type = gso_type;
        let frame = Frame {
            bytes: &bytes,
            offload,
        };
        let out = finish(&[frame], 1500).0.swap_remove(0);
        read(&out);
        [out[40], out[41]]
    };
    for gso_type in [0, 5] {
        // With its own checksum as payload the packet sums up to zero.
        let payload = checksum_with([0, 0], gso_type);
        assert_eq!(checksum_with(payload, gso_type), [0xff, 0xff]);
    }
}
