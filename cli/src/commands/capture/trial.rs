//! Captures of any bytes, for fuzzers.

use std::time::Duration;

use super::words;
use crate::pcapng::file::{CHUNK, CaptureFile};
use crate::pcapng::{Blocks, Frame, Told, flag, read, split_first};

/// Reads what might be a file, or a stream of blocks, and puts what might be a frame in words. Panics where
/// something is wrong.
pub(crate) fn capture(bytes: &[u8]) {
    file(bytes);
    let mut blocks = Blocks::new(bytes, Vec::new());
    while let Ok(run) = blocks.next_run() {
        if run.is_empty() {
            break;
        }
        let mut rest = run;
        while let Some((_, block, behind)) = split_first(rest) {
            assert!(behind.len() < rest.len(), "a block of no length");
            if let Told::Frame(frame) = read(block) {
                in_words(&frame);
            }
            rest = behind;
        }
    }
    in_words(&Frame {
        interface: 0,
        time: Duration::ZERO,
        len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        bytes,
        flags: 0,
        lost_before: 0,
        comments: Vec::new(),
    });
}

fn in_words(frame: &Frame<'_>) {
    for words in [words::frame(frame), words::payload(frame)] {
        assert!(!words.contains('\n'), "{words:?}");
    }
    let _ = words::Addresses::of(frame.bytes);
}

/// What is read of a file of any bytes, for fuzzers: never more than there is, and to an end.
pub(crate) fn file(bytes: &[u8]) {
    let Ok(mut file) = CaptureFile::open(bytes) else {
        return;
    };
    let mut sum = 0;
    while let Ok(Some(packet)) = file.next_packet() {
        sum += packet.bytes.len();
        assert!(sum <= bytes.len(), "more than there is");
        let _ = packet.flags & flag::INBOUND;
    }
    let most = 2 * (bytes.len() + CHUNK);
    assert!(file.buffered() <= most, "memory without need");
}
