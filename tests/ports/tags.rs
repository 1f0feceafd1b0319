//! Frames that leave with other tags than they came with arrive as frames would that had those tags
//! from the beginning.

use libtest_mimic::Trial;
use vswitch_switch::frame::{Offload, TagAction, TagActions, VlanTag};
use vswitch_switch::port::memory::OwnedFrame;
use vswitch_switch::port::{
    Counters, Frame, PacketPort, Port, Selection, TapOptions, TapPort, TxReport, TxStatus,
};

use super::frames::tcp_super_frame;
use super::{Lab, frame, port_of, take};
use crate::harness::ports::open_port;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("ports_tags_are_changed_on_the_way_out", cable),
        isolated("ports_tags_are_changed_on_the_way_into_a_tap_device", tap),
    ]
}

const ACTIONS: [TagAction; 5] = [
    TagAction::Keep,
    TagAction::Pop,
    TagAction::Push(VlanTag {
        tpid: 0x8100,
        tci: 10,
    }),
    TagAction::Push(VlanTag {
        tpid: 0x88a8,
        tci: 0x6014,
    }),
    TagAction::Replace(VlanTag {
        tpid: 0x8100,
        tci: 30,
    }),
];

/// Untagged and tagged ones, short and full-sized, finished and not, each with its own ending.
fn frames() -> Vec<OwnedFrame> {
    let tags: [&[u8]; 3] = [&[], &[0x81, 0, 0, 7], &[0x88, 0xa8, 0, 8, 0x81, 0, 0, 7]];
    let mut all = Vec::new();
    for tags in tags {
        for len in [60, 1514] {
            all.push(OwnedFrame {
                bytes: frame(tags, len),
                offload: Offload::NONE,
            });
        }
        let (bytes, offload) = tcp_super_frame(tags);
        let bytes = bytes[..20_000].to_vec();
        all.push(OwnedFrame { bytes, offload });
    }
    for (number, frame) in (0..).zip(&mut all) {
        *frame.bytes.last_mut().unwrap() = number;
    }
    all
}

/// What arrives at `host` of `frames` that are sent by `port`, each with its action.
fn arriving(
    port: &mut dyn Port,
    host: &mut dyn Port,
    frames: &[OwnedFrame],
    actions: &[TagAction],
) -> Vec<OwnedFrame> {
    let frames: Vec<Frame<'_>> = frames
        .iter()
        .map(|frame| Frame {
            bytes: &frame.bytes,
            offload: frame.offload,
        })
        .collect();
    let indices: Vec<u8> = (0..).take(frames.len()).collect();
    let mut counters = Counters::default();
    let selection = Selection::new(&frames, &indices).with_tags(TagActions::Each(actions));
    let status = port.transmit(selection, &mut TxReport::new(&mut counters));
    assert_eq!(status, TxStatus::Done);
    assert_eq!(counters.drops.total(), 0, "{counters:?}");
    let mut got = Vec::new();
    let arrived = wait_until(PATIENCE, || {
        let (more, _) = take(host, &mut Counters::default());
        got.extend(
            more.into_iter()
                .filter(|got| got.bytes[..6] == [2, 0, 0, 0, 0, 2]),
        );
        got.len() >= frames.len()
    });
    assert!(arrived, "{} of {} arrived", got.len(), frames.len());
    for frame in &mut got {
        // A hint, which the kernel sets as it likes.
        frame.offload.hdr_len = 0;
    }
    got
}

fn check(port: &mut dyn Port, host: &mut dyn Port) {
    take(host, &mut Counters::default());
    let frames = frames();
    let keep = vec![TagAction::Keep; frames.len()];
    for round in 0..ACTIONS.len() {
        let actions: Vec<_> = (0..frames.len())
            .map(|number| ACTIONS[(number + round) % ACTIONS.len()])
            .collect();
        let by_hand: Vec<_> = frames
            .iter()
            .zip(&actions)
            .map(|(OwnedFrame { bytes, offload }, action)| {
                let offload = *offload;
                let edited = action.edit(&Frame { bytes, offload });
                OwnedFrame {
                    bytes: edited.whole().into_owned(),
                    offload: edited.offload,
                }
            })
            .collect();
        let expected = arriving(port, host, &by_hand, &keep);
        let got = arriving(port, host, &frames, &actions);
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(&expected) {
            assert_eq!(got.bytes.len(), expected.bytes.len());
            assert!(got.bytes == expected.bytes, "in round {round}");
            assert_eq!(got.offload, expected.offload);
        }
        let sent = by_hand.iter().map(|frame| &frame.bytes);
        assert!(got.iter().map(|got| &got.bytes).eq(sent), "as by hand");
    }
}

fn cable() {
    let lab = Lab::new(1500 + 8);
    let mut host: PacketPort = port_of(&lab.left);
    let mut port = open_port("left-vsw").unwrap();
    check(&mut port, &mut host);
}

fn tap() {
    let mut here = vswitch_netns::Netlink::open().unwrap();
    let mut port = TapPort::create(Some("tap0"), TapOptions::default()).unwrap();
    let link = here.link("tap0").unwrap();
    let _ = here.quiet(&link).unwrap();
    here.set_up(&link).unwrap();
    super::wait_for_link(&mut here, "tap0");
    let mut host = open_port("tap0").unwrap();
    check(&mut port, &mut host);
}
