//! Captures of any bytes, for fuzzers.

use std::time::Duration;

use super::words;
use vswitch_control::pcapng::trial::file;
use vswitch_control::pcapng::{Blocks, Frame, Told, read, split_first};

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
