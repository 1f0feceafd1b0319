//! Frames that say who sent them and where they stand in the order.

use std::time::Duration;

use crate::harness::PATIENCE;
use crate::harness::packet::{Captured, Endpoint};

/// For experiments (IEEE 802-2014, 9.2.4): no stack answers it.
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
pub(super) const BROADCAST: [u8; 6] = [0xff; 6];

/// A frame of 60 bytes with a number in it.
pub(super) fn numbered(dst: [u8; 6], src: [u8; 6], number: u64) -> Vec<u8> {
    let mut frame = [&dst[..], &src, &ETHERTYPE, &number.to_be_bytes()].concat();
    frame.resize(60, 0x5a);
    frame
}

/// The number in such a frame; `None` if it is another frame.
pub(super) fn number_of(frame: &[u8]) -> Option<u64> {
    let is_ours = frame.get(12..14)? == ETHERTYPE && frame.len() == 60;
    let number = frame.get(14..22)?.try_into().ok()?;
    is_ours.then_some(u64::from_be_bytes(number))
}

/// The source of a frame.
pub(super) fn source_of(frame: &[u8]) -> [u8; 6] {
    frame[6..12].try_into().unwrap()
}

/// All that arrives up to the frame with that number, without it.
///
/// One port's frames stay in order, so what was sent before that one and is not here will not
/// come any more.
pub(super) fn received_before(endpoint: &Endpoint, number: u64) -> Vec<Captured> {
    let mut frames = Vec::new();
    loop {
        let Some(frame) = endpoint.receive(PATIENCE) else {
            panic!("frame {number} did not come, but {frames:?}");
        };
        if number_of(&frame.bytes) == Some(number) {
            return frames;
        }
        frames.push(frame);
    }
}

/// Panics if anything waits to be received.
pub(super) fn nothing_more(endpoint: &Endpoint) {
    let more = endpoint.receive(Duration::from_millis(1));
    assert_eq!(more, None, "this came although nothing should");
}

/// The numbers in frames, in their order.
pub(super) fn numbers(frames: &[Captured]) -> Vec<u64> {
    let numbers = frames.iter().filter_map(|frame| number_of(&frame.bytes));
    numbers.collect()
}
