//! Capture files of any bytes, for fuzzers.

use super::file::{CHUNK, CaptureFile};
use super::flag;

/// What is read of a file of any bytes, for fuzzers: never more than there is, and to an end.
pub fn file(bytes: &[u8]) {
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
