//! Frames as they pass, copied for somebody who looks on.
//!
//! # Theory of operation
//!
//! A [`Capture`] is the end of two rings, one of bytes and one of [`Record`]s about them, which
//! the forwarding thread fills and some other thread empties. Their memory is there from the
//! beginning; a frame that finds no room in them is counted and not copied, so that nobody who
//! is slow to read holds up the switch. What is not wanted is filtered out before it is copied.
//!
//! Frames are shown when they come in, with what the bridge made of them, and at each port that
//! they leave by, with what became of them there. While nobody looks on, all of this costs one
//! comparison for each batch.
//!
//! News other than frames, such as a port that is plugged in, goes through a channel of its own
//! before the first frame that it is about, so it is never lost.

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

/// What to capture, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureOptions {
    /// Only frames that pass this.
    pub filter: Filter,
    /// The most bytes that are copied of a frame.
    pub snap_len: usize,
    /// Bytes that may wait for the reader.
    pub room_bytes: usize,
    /// Frames that may wait for the reader.
    pub room_frames: usize,
}

impl Default for CaptureOptions {
    /// All of every frame; 8 MiB and 32,768 frames may wait.
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            snap_len: 262_144,
            room_bytes: 8 << 20,
            room_frames: 1 << 15,
        }
    }
}

/// A port that is captured, from when it was plugged in (or the capture began) on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its number in the switch, which may be another port's when this one is gone.
    pub port: PortId,
    /// Its name.
    pub name: String,
}

/// One frame that passed a port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// The port, as the number of its [`Interface`] in the order in which they were told.
    pub interface: u32,
    /// Which way it passed, as seen from the switch.
    pub direction: Direction,
    /// When.
    pub time: Timestamp,
    /// Its length.
    pub len: u32,
    /// How many of its bytes were copied.
    pub captured: u32,
    /// What its sender left undone.
    pub offload: Offload,
    /// What became of it.
    pub outcome: Outcome,
    /// What the bridge made of it; `None` for one that leaves.
    pub decision: Option<Decision>,
    /// How many frames of this interface found no room since its last record.
    pub lost_before: u32,
}

/// What was captured on one [`Interface`] in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames that passed the filter.
    pub frames: u64,
    /// Those among them that found no room and were not copied.
    pub lost: u64,
}

/// What [`Capture::read`] found.
#[derive(Debug)]
pub enum Item<'a> {
    /// A port is captured from now on.
    Interface(Interface),
    /// A frame passed; the bytes that were copied.
    Frame(Record, &'a [u8]),
    /// Nothing at the moment.
    Nothing,
    /// Nothing will ever come: the capture was stopped, or the switch was. The totals are in the
    /// order of the interfaces.
    Ended(Vec<Totals>),
}

/// What the forwarding thread tells beside frames.
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
    /// The bytes of the frame at hand.
    frame: Vec<u8>,
    interfaces: u32,
    ended: Option<Vec<Totals>>,
    origin: Duration,
    /// By whom the forwarding thread is told that the capture has ended; it finds out by itself
    /// when the next frame comes.
    handle: Option<Handle>,
}

impl Capture {
    /// What comes next. Does not wait.
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
            // Told before the frame was, but after the decision above.
            return match self.news.try_recv() {
                Ok(News::Interface(interface)) => {
                    self.interfaces += 1;
                    Item::Interface(interface)
                }
                _ => Item::Nothing,
            };
        }
        // The frame's bytes were put in before the record.
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

    /// The descriptor to wait for, after [`Capture::arm`].
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }

    /// Ends a wait: until [`Capture::arm`] the descriptor is of no concern.
    pub fn disarm(&self) {
        self.wakeup.disarm();
    }

    /// Has the forwarding thread copy no more frames. Those that it has copied can be read, after
    /// which comes [`Item::Ended`].
    pub fn stop(&self) {
        self.wakeup.end();
        if let Some(handle) = &self.handle {
            handle.sweep_captures();
        }
    }

    /// The time of day of [`Timestamp::ZERO`], since 1970, as it was when the capture began; zero
    /// for a datapath without a clock.
    #[must_use]
    pub const fn origin(&self) -> Duration {
        self.origin
    }

    /// Tells what time of day it is at `now`, and who speaks with the forwarding thread.
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
