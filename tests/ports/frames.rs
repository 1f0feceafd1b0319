//! Frames of every kind arrive byte for byte as they were sent.

use libtest_mimic::Trial;
use vswitch_switch::frame::Offload;
use vswitch_switch::port::{Counters, Frame};

use super::relay::Relay;
use super::{Lab, deliver, endpoint, frame, port_of, send, take};
use crate::harness::packet::Endpoint;
use crate::harness::ports::open_port;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("ports_tags_keep_their_kind_and_priority", tags),
        isolated("ports_jumbo_frames_pass", jumbo_frames),
        isolated("ports_super_frames_of_64_kib_pass_whole", super_frames),
        isolated("ports_own_transmissions_are_not_seen", own_transmissions),
    ]
}

fn relay() -> Relay {
    Relay::between(
        open_port("left-vsw").unwrap(),
        open_port("right-vsw").unwrap(),
    )
}

fn tags() {
    let lab = Lab::new(1500);
    let relay = relay();
    let (left, right) = (endpoint(&lab.left, "eth0"), endpoint(&lab.right, "eth0"));
    let kinds: &[&[u8]] = &[
        &[],
        &[0x81, 0, 0, 100],
        &[0x81, 0, 0xe0, 0],                   // priority 7, no VLAN
        &[0x81, 0, 0x7f, 0xff],                // priority 3, drop eligible, VLAN 4095
        &[0x88, 0xa8, 0x20, 100],              // service tag
        &[0x88, 0xa8, 0, 1, 0x81, 0, 0xb0, 2], // QinQ
        &[0x81, 0, 0, 1, 0x81, 0, 0, 2],
        &[0x81, 0, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3],
        &[0x91, 0, 0, 1], // an old tag type, which is payload
    ];
    for tags in kinds {
        for len in [60, 100, 1000] {
            let sent = frame(tags, len);
            // Every other test frame of this length has the same addresses, and other tags.
            let wanted = |got: &[u8]| got.len() == len && got[12..] == sent[12..];
            deliver(&right, wanted, || left.send(&sent).unwrap());
        }
    }
    relay.end();
}

fn jumbo_frames() {
    let lab = Lab::new(9000);
    let relay = relay();
    let (left, right) = (endpoint(&lab.left, "eth0"), endpoint(&lab.right, "eth0"));
    for sent in [
        frame(&[], 14),
        frame(&[], 9014),
        frame(&[0x81, 0, 0, 100], 9018),
    ] {
        let wanted = |got: &[u8]| *got == sent;
        deliver(&right, wanted, || left.send(&sent).unwrap());
    }
    relay.end();
}

/// A TCP super-frame, as large as can be, passes with what is left to do for it.
fn super_frames() {
    let lab = Lab::new(1500);
    let relay = relay();
    let (mut left, mut right) = (port_of(&lab.left), port_of(&lab.right));
    for tag in [&[][..], &[0x81, 0, 0x20, 100], &[0x88, 0xa8, 0x20, 100]] {
        let (bytes, offload) = tcp_super_frame(tag);
        let mut counters = Counters::default();
        let mut got = Vec::new();
        let arrived = wait_until(PATIENCE, || {
            send(
                &mut left,
                &[Frame {
                    bytes: &bytes,
                    offload,
                }],
            );
            got.extend(take(&mut right, &mut counters).0);
            got.retain(|frame| frame.bytes[..16] == bytes[..16]);
            !got.is_empty()
        });
        assert!(arrived, "tag {tag:02x?}: {counters:?} {:?}", relay.end());
        let changed = got[0]
            .bytes
            .iter()
            .zip(&bytes)
            .position(|(got, sent)| got != sent);
        assert_eq!(changed, None, "the super-frame was changed");
        assert_eq!(got[0].bytes.len(), bytes.len());
        let hdr_len = got[0].offload.hdr_len; // a hint, which the kernel sets as it likes
        assert_eq!(got[0].offload, Offload { hdr_len, ..offload });
        assert_eq!(counters.drops.total(), 0);
    }
    relay.end();
}

/// The longest frame that the kernel does not cut itself (`gso_features_check`), for segments of
/// 1,448 bytes, its checksum partial.
pub(super) fn tcp_super_frame(tag: &[u8]) -> (Vec<u8>, Offload) {
    const LEN: u16 = 65_535;
    let mut bytes = frame(tag, LEN.into());
    let network = 14 + tag.len();
    bytes[network - 2..network].copy_from_slice(&[8, 0]);
    let packet_len = (LEN - network as u16).to_be_bytes();
    let packet = &mut bytes[network..];
    packet[..20].copy_from_slice(&[
        0x45, 0, 0xff, 0xff, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ]);
    packet[2..4].copy_from_slice(&packet_len);
    packet[20..40].fill(0);
    (packet[32], packet[33]) = (0x50, 0x10);
    let offload = Offload {
        flags: Offload::NEEDS_CSUM,
        gso_type: 1,
        hdr_len: (network + 40) as u16,
        gso_size: 1448,
        csum_start: (network + 20) as u16,
        csum_offset: 16,
    };
    (bytes, offload)
}

/// Neither what the port sends, nor what anybody else sends by its interface.
fn own_transmissions() {
    let lab = Lab::new(1500);
    let left = endpoint(&lab.left, "eth0");
    let mut port = open_port("left-vsw").unwrap();
    let stranger = Endpoint::open("left-vsw").unwrap();
    let (own, foreign) = (frame(&[], 60), frame(&[], 61));
    send(&mut port, &[Frame::finished(&own)]);
    deliver(
        &left,
        |got| *got == foreign,
        || stranger.send(&foreign).unwrap(),
    );
    // Comes in behind what went out: once it is here, that would be too.
    let answer = frame(&[], 62);
    let mut seen = Vec::new();
    let came = wait_until(PATIENCE, || {
        left.send(&answer).unwrap();
        seen.extend(take(&mut port, &mut Counters::default()).0);
        seen.iter().any(|frame| frame.bytes == answer)
    });
    assert!(came);
    assert!(
        !seen
            .iter()
            .any(|frame| frame.bytes == own || frame.bytes == foreign)
    );
}
