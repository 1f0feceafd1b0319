//! A port in memory: the other end is a [`Cable`] that a test or a program holds.
//!
//! # Theory of operation
//!
//! Two bounded queues of byte vectors, one per direction, each with its own lock that is taken once
//! per batch. Vectors move from the sender to the receiver and come back through a list of spare
//! ones, so nothing is allocated once the queue has been full. The port takes a batch of vectors
//! out of its queue and lends their bytes to the switch until the next batch. The eventfd is
//! written only when the queue was empty before: while it is not, the port has not yet returned
//! [`RxStatus::Drained`], and the datapath polls it again by itself.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Arena, BATCH, Batch, Counters, Frame, Port, RxStatus, Selection, TxReport, TxStatus};
use crate::frame::{DropReason, HEADER_LEN, Offload};

/// The options of a port in memory.
#[derive(Clone, Copy, Debug)]
pub struct MemoryOptions {
    /// The most frames that are queued in each direction. Frames that find the queue full are
    /// dropped.
    pub capacity: usize,
    /// The largest payload behind the Ethernet header, in bytes.
    pub mtu_bytes: usize,
    /// Whether frames reach the cable with offloaded work not done.
    pub offloads: bool,
}

impl Default for MemoryOptions {
    /// 1,024 frames, 1,500 bytes, no offloads.
    fn default() -> Self {
        Self {
            capacity: 1024,
            mtu_bytes: 1500,
            offloads: false,
        }
    }
}

/// Creates a port called `name` and the cable that leads to it.
///
/// Fails if the process has no descriptor left for the port's eventfd.
pub fn pair(name: &str, options: MemoryOptions) -> io::Result<(MemoryPort, Cable)> {
    let shared = Arc::new(Shared {
        to_switch: Mutex::default(),
        from_switch: Mutex::default(),
        arrived: Condvar::new(),
        wake: EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?,
        options,
    });
    let port = MemoryPort {
        name: name.to_owned(),
        shared: Arc::clone(&shared),
        lent: Vec::with_capacity(BATCH),
    };
    Ok((port, Cable { shared }))
}

/// A frame that owns its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedFrame {
    /// The frame from its destination address on.
    pub bytes: Vec<u8>,
    /// The offloaded work that is not done yet.
    pub offload: Offload,
}

/// The cable did not accept a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The queue towards the switch is full.
    #[error("the queue towards the switch is full: {0} frames wait; let the switch run")]
    Full(usize),
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<OwnedFrame>,
    spare: Vec<Vec<u8>>,
}

impl Queue {
    /// Appends a frame of two pieces.
    fn push(&mut self, head: &[u8], rest: &[u8], offload: Offload) {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(head);
        copy.extend_from_slice(rest);
        self.frames.push_back(OwnedFrame {
            bytes: copy,
            offload,
        });
    }
}

struct Shared {
    to_switch: Mutex<Queue>,
    from_switch: Mutex<Queue>,
    arrived: Condvar,
    wake: EventFd,
    options: MemoryOptions,
}

/// A queue is consistent between any two calls, so a panic elsewhere does not spoil it.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The switch's end, created by [`pair`].
pub struct MemoryPort {
    name: String,
    shared: Arc<Shared>,
    lent: Vec<OwnedFrame>,
}

impl Port for MemoryPort {
    fn name(&self) -> &str {
        &self.name
    }

    fn driver(&self) -> &'static str {
        "memory"
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.shared.wake.as_fd())
    }

    fn mtu(&self) -> usize {
        self.shared.options.mtu_bytes
    }

    fn takes_offloads(&self) -> bool {
        self.shared.options.offloads
    }

    fn takes_tag_actions(&self) -> bool {
        true
    }

    fn receive<'a>(
        &'a mut self,
        _: &'a mut Arena,
        batch: &mut Batch<'a>,
        _: &mut Counters,
    ) -> RxStatus {
        let mut queue = lock(&self.shared.to_switch);
        queue
            .spare
            .extend(self.lent.drain(..).map(|frame| frame.bytes));
        let taken = queue.frames.len().min(batch.remaining_capacity());
        self.lent.extend(queue.frames.drain(..taken));
        let status = if queue.frames.is_empty() {
            RxStatus::Drained
        } else {
            RxStatus::More
        };
        drop(queue);
        batch.extend(self.lent.iter().map(|frame| Frame {
            bytes: &frame.bytes,
            offload: frame.offload,
        }));
        status
    }

    fn transmit(&mut self, frames: Selection<'_, '_>, report: &mut TxReport<'_>) -> TxStatus {
        let options = self.shared.options;
        let mut queue = lock(&self.shared.from_switch);
        for (frame, action) in frames.actions() {
            let frame = action.edit(frame);
            let fits = frame.len() <= options.mtu_bytes + HEADER_LEN + crate::frame::TAG_LEN
                || frame.offload.segmentation().is_some();
            if !fits {
                report.dropped(DropReason::EgressTooBig, 1);
            } else if queue.frames.len() >= options.capacity {
                report.dropped(DropReason::EgressFull, 1);
            } else {
                queue.push(frame.head(), frame.rest(), frame.offload);
                report.sent(1, frame.len());
            }
        }
        drop(queue);
        self.shared.arrived.notify_all();
        TxStatus::Done
    }
}

/// The other end of a [`MemoryPort`]: frames that are sent here enter the switch, and frames that
/// the switch sends are received here.
#[derive(Clone)]
pub struct Cable {
    shared: Arc<Shared>,
}

impl Cable {
    /// Sends a complete frame into the switch.
    pub fn send(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.send_offloaded(bytes, Offload::NONE)
    }

    /// Sends a frame with offloaded work into the switch.
    pub fn send_offloaded(&self, bytes: &[u8], offload: Offload) -> Result<(), SendError> {
        let mut queue = lock(&self.shared.to_switch);
        let waiting = queue.frames.len();
        if waiting >= self.shared.options.capacity {
            return Err(SendError::Full(waiting));
        }
        queue.push(&[], bytes, offload);
        drop(queue);
        if waiting == 0 {
            // Fails only if the counter is about to overflow; it is readable then anyway.
            let _ = self.shared.wake.write(1);
        }
        Ok(())
    }

    /// Returns the next frame that the switch has sent, if there is one already.
    #[must_use]
    pub fn try_recv(&self) -> Option<OwnedFrame> {
        lock(&self.shared.from_switch).frames.pop_front()
    }

    /// Calls `each` for every frame that the switch has sent so far, without allocating. Returns
    /// how many there were.
    pub fn drain(&self, mut each: impl FnMut(&OwnedFrame)) -> usize {
        let mut queue = lock(&self.shared.from_switch);
        let waiting = queue.frames.len();
        while let Some(frame) = queue.frames.pop_front() {
            each(&frame);
            queue.spare.push(frame.bytes);
        }
        waiting
    }

    /// Returns the next frame that the switch sends, or `None` if none arrives within `patience`.
    #[must_use]
    pub fn recv_timeout(&self, patience: Duration) -> Option<OwnedFrame> {
        let deadline = Instant::now() + patience;
        let mut queue = lock(&self.shared.from_switch);
        loop {
            if let Some(frame) = queue.frames.pop_front() {
                return Some(frame);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            queue = self
                .shared
                .arrived
                .wait_timeout(queue, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(port: &mut MemoryPort) -> (Vec<Vec<u8>>, RxStatus) {
        let (mut arena, mut batch) = (Arena::new(), Batch::new());
        let status = port.receive(&mut arena, &mut batch, &mut Counters::default());
        let bytes = batch.iter().map(|frame| frame.bytes.to_vec()).collect();
        (bytes, status)
    }

    #[test]
    fn a_batch_takes_what_fits_and_says_whether_there_is_more() {
        let (mut port, cable) = pair("a", MemoryOptions::default()).unwrap();
        for n in 0..=64 {
            cable.send(&[n; 14]).unwrap();
        }
        let (first, status) = receive(&mut port);
        assert_eq!((first.len(), status), (64, RxStatus::More));
        assert_eq!(
            receive(&mut port),
            (vec![vec![64; 14]], RxStatus::Drained),
            "in order, none lost"
        );
    }

    #[test]
    fn a_full_queue_loses_and_counts() {
        let options = MemoryOptions {
            capacity: 1,
            ..MemoryOptions::default()
        };
        let (mut port, cable) = pair("a", options).unwrap();
        cable.send(&[0; 14]).unwrap();
        assert_eq!(cable.send(&[0; 14]), Err(SendError::Full(1)));

        let frames = [
            Frame::finished(&[1; 14]),
            Frame::finished(&[2; 14]),
            Frame::finished(&[0; 1519]),
        ];
        let mut counters = Counters::default();
        port.transmit(
            Selection::new(&frames, &[0, 1, 2]),
            &mut TxReport::new(&mut counters),
        );
        assert_eq!(counters.tx.frames, 1);
        assert_eq!(counters.drops.get(DropReason::EgressFull), 1);
        assert_eq!(counters.drops.get(DropReason::EgressTooBig), 1);
        assert_eq!(cable.try_recv().map(|frame| frame.bytes), Some(vec![1; 14]));
        assert_eq!(cable.recv_timeout(Duration::from_millis(1)), None);
    }
}
