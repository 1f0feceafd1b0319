//! SCTP's checksum, for which an offload header has no words.

use std::cell::RefCell;

use libtest_mimic::Trial;
use vswitch_switch::frame::Offload;
use vswitch_switch::port::Frame;

use super::relay::Relay;
use super::verify::{Kind, verify};
use super::{Lab, deliver, endpoint, frame, port_of, send};
use crate::harness::icmp::checksum;
use crate::harness::isolated;
use crate::harness::ports::open_port;

pub(super) fn tests() -> Vec<Trial> {
    vec![isolated(
        "ports_sctp_checksums_are_finished_on_the_way",
        finished_on_the_way,
    )]
}

/// A frame with an SCTP packet, behind `tag`, whose checksum its sender left to the device.
pub(super) fn partial_frame(tag: &[u8]) -> (Vec<u8>, Offload) {
    let network = 14 + tag.len();
    let mut bytes = frame(tag, network + 20 + 101);
    bytes[network - 2..network].copy_from_slice(&[8, 0]);
    let packet = &mut bytes[network..];
    packet[..20].copy_from_slice(&[
        0x45, 0, 0, 121, 0, 1, 0x40, 0, 64, 132, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ]);
    let sum = checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let offload = Offload {
        flags: Offload::NEEDS_CSUM,
        csum_start: (network + 20) as u16,
        csum_offset: 8,
        ..Offload::NONE
    };
    (bytes, offload)
}

fn finished_on_the_way() {
    let lab = Lab::new(1500);
    let relay = Relay::between(
        open_port("left-vsw").unwrap(),
        open_port("right-vsw").unwrap(),
    );
    let left = RefCell::new(port_of(&lab.left));
    let right = endpoint(&lab.right, "eth0");
    for tag in [&[][..], &[0x81, 0, 0, 100]] {
        let (bytes, offload) = partial_frame(tag);
        let frames = [Frame {
            bytes: &bytes,
            offload,
        }];
        let wanted = |got: &[u8]| got.len() == bytes.len();
        let got = deliver(&right, wanted, || {
            send(&mut *left.borrow_mut(), &frames);
        });
        assert!(!got.checksum_partial);
        assert_eq!(verify(&got.bytes), Kind::Sctp);
    }
    relay.end();
}
