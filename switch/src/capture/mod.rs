//! Captures: copies of passing frames for a reader.
//!
//! # Theory of operation
//!
//! A [`Capture`] is the reading end of two rings, one of bytes and one of [`Record`]s about them,
//! which the forwarding thread fills and another thread empties. Their memory is allocated at the
//! start. A frame that finds no room is counted and not copied, so a slow reader does not delay the
//! switch. Frames are filtered before they are copied.
//!
//! A frame is recorded when it arrives, with the bridge's decision, and at each port by which it
//! leaves, with its outcome there. Without a capture, all of this costs one comparison per batch.
//!
//! Other news, such as an added port, goes through a channel of its own before the first frame that
//! concerns it, so it is never lost.

mod filter;
mod recorder;
mod wakeup;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::Receiver;
use rtrb::Consumer;

pub use filter::{Direction, Filter};
pub(crate) use recorder::Recorders;

use crate::bridge::{Decision, PortId};
use crate::control::Handle;
pub use crate::frame::Outcome;
use crate::frame::{Offload, Timestamp};
use wakeup::Wakeup;

/// What to capture, and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureOptions {
    /// Only frames that this filter selects.
    pub filter: Filter,
    /// The most bytes to copy of a frame.
    pub snap_len: usize,
    /// Bytes that can be queued for the reader.
    pub room_bytes: usize,
    /// Frames that can be queued for the reader.
    pub room_frames: usize,
}

impl Default for CaptureOptions {
    /// All bytes of every frame; 8 MiB and 32,768 frames can be queued.
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            snap_len: 262_144,
            room_bytes: 8 << 20,
            room_frames: 1 << 15,
        }
    }
}

/// A captured port, from the time it was added or the capture began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its number in the switch, which another port may get after it is removed.
    pub port: PortId,
    /// Its name.
    pub name: String,
}

/// One frame that passed a port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// The port, as the index of its [`Interface`] in the order of their announcement.
    pub interface: u32,
    /// The direction in which it passed, as seen from the switch.
    pub direction: Direction,
    /// When it passed.
    pub time: Timestamp,
    /// Its length.
    pub len: u32,
    /// How many of its bytes were copied.
    pub captured: u32,
    /// The offloaded work that is not done yet.
    pub offload: Offload,
    /// Its outcome.
    pub outcome: Outcome,
    /// The bridge's decision; `None` for a frame that leaves.
    pub decision: Option<Decision>,
    /// How many frames of this interface found no room since its previous record.
    pub lost_before: u32,
}

/// The totals of one [`Interface`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames that the filter selected.
    pub frames: u64,
    /// Those of them that found no room and were not copied.
    pub lost: u64,
}

/// The result of [`Capture::read`].
#[derive(Debug)]
pub enum Item<'a> {
    /// A port is captured from now on.
    Interface(Interface),
    /// A frame passed; with the bytes that were copied.
    Frame(Record, &'a [u8]),
    /// Nothing is queued at the moment.
    Nothing,
    /// The capture or the switch has stopped, and nothing will follow. The totals are in the order
    /// of the interfaces.
    Ended(Vec<Totals>),
}

/// News other than frames.
enum News {
    Interface(Interface),
    Ended(Vec<Totals>),
}

/// The reader's end of a capture. Dropping it ends the capture.
pub struct Capture {
    records: Consumer<Record>,
    bytes: Consumer<u8>,
    news: Receiver<News>,
    wakeup: Arc<Wakeup>,
    /// The bytes of the current frame.
    frame: Vec<u8>,
    interfaces: u32,
    ended: Option<Vec<Totals>>,
    origin: Duration,
    /// Notifies the forwarding thread that the capture has ended; without it the thread notices at
    /// the next frame.
    handle: Option<Handle>,
}

impl Capture {
    /// Returns the next item. Does not wait.
    pub fn read(&mut self) -> Item<'_> {
        while let Ok(news) = self.news.try_recv() {
            match news {
                News::Interface(interface) => {
                    self.interfaces += 1;
                    return Item::Interface(interface);
                }
                News::Ended(totals) => self.ended = Some(totals),
            }
        }
        let Ok(record) = self.records.peek().copied() else {
            return match &self.ended {
                Some(totals) => Item::Ended(totals.clone()),
                None => Item::Nothing,
            };
        };
        if record.interface >= self.interfaces {
            // Sent before the frame, but after the check above.
            return match self.news.try_recv() {
                Ok(News::Interface(interface)) => {
                    self.interfaces += 1;
                    Item::Interface(interface)
                }
                _ => Item::Nothing,
            };
        }
        // The frame's bytes were pushed before the record.
        self.frame.resize(record.captured as usize, 0);
        let _ = self.bytes.pop_entire_slice(&mut self.frame);
        let _ = self.records.pop();
        Item::Frame(record, &self.frame)
    }

    /// Prepares for waiting. Returns whether there is something to read already; if not, the
    /// descriptor becomes readable as soon as there is.
    pub fn arm(&self) -> bool {
        self.wakeup.arm();
        let has_something = !self.records.is_empty() || !self.news.is_empty();
        if has_something {
            self.wakeup.disarm();
        }
        has_something
    }

    /// Returns the descriptor to wait for, after [`Capture::arm`].
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }

    /// Ends a wait: the descriptor has no meaning until the next [`Capture::arm`].
    pub fn disarm(&self) {
        self.wakeup.disarm();
    }

    /// Stops copying frames. Frames that were already copied can still be read; [`Item::Ended`]
    /// follows them.
    pub fn stop(&self) {
        self.wakeup.end();
        if let Some(handle) = &self.handle {
            handle.sweep_captures();
        }
    }

    /// Returns the time of day of [`Timestamp::ZERO`], since 1970, as it was when the capture
    /// began; zero for a datapath without a clock.
    #[must_use]
    pub const fn origin(&self) -> Duration {
        self.origin
    }

    /// Sets the time of day at `now`, and the handle of the forwarding thread.
    pub(crate) fn attach(&mut self, now: Timestamp, handle: Handle) {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        self.origin = wall
            .unwrap_or_default()
            .saturating_sub(Duration::from_nanos(now.as_nanos()));
        self.handle = Some(handle);
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.stop();
        }
    }
}
