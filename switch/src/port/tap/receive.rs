//! Receives from the TAP device into the batch.

use std::fs::File;
use std::io::Read;

use crate::frame::{DropReason, Offload};
use crate::port::{Arena, Batch, Counters, Frame, RxStatus};

/// Reads frames, each preceded by an offload header if there are `offloads`, until the batch is
/// full or the device is empty.
pub(super) fn receive<'a>(
    mut tun: &File,
    offloads: bool,
    arena: &'a mut Arena,
    batch: &mut Batch<'a>,
    counters: &mut Counters,
) -> RxStatus {
    let mut errors = 0;
    for buffer in arena.buffers().take(batch.remaining_capacity()) {
        match tun.read(buffer) {
            Ok(len) => match accept(buffer, len, offloads) {
                Ok(frame) => batch.push(frame),
                Err(reason) => counters.drops.add(reason, 1),
            },
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN) => return RxStatus::Drained,
                Some(libc::EBADFD) => return RxStatus::LinkGone,
                Some(libc::EINTR) => {}
                Some(libc::EINVAL) => counters.drops.add(DropReason::RxUnsupportedOffload, 1),
                _ => {
                    errors += 1;
                    counters.drops.add(DropReason::RxError, 1);
                }
            },
        }
    }
    // Only errors: retrying at once could loop forever.
    if batch.is_empty() && errors > 0 {
        return RxStatus::LinkDown;
    }
    RxStatus::More
}

/// Makes a frame of the `len` bytes that were read into `buffer`.
fn accept(buffer: &[u8], len: usize, offloads: bool) -> Result<Frame<'_>, DropReason> {
    // The kernel does not report truncation; no complete frame fills the buffer.
    let read = buffer.get(..len).filter(|read| read.len() < buffer.len());
    let read = read.ok_or(DropReason::RxTruncated)?;
    if !offloads {
        return Ok(Frame::finished(read));
    }
    let (header, bytes) = read.split_first_chunk().ok_or(DropReason::RxError)?;
    Ok(Frame {
        bytes,
        offload: Offload::from_bytes(*header),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_fills_its_buffer_may_have_been_longer() {
        let reason = |len| accept(&[0; 20], len, true).map(|_| ()).unwrap_err();
        assert_eq!(reason(20), DropReason::RxTruncated);
        assert_eq!(reason(21), DropReason::RxTruncated);
        assert_eq!(reason(9), DropReason::RxError, "shorter than its header");
        assert_eq!(accept(&[0; 20], 19, true).unwrap().bytes.len(), 9);
        assert_eq!(accept(&[0; 20], 19, false).unwrap().bytes.len(), 19);
    }
}
