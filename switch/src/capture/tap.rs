//! The forwarding thread's end of captures.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};
use rtrb::{Producer, RingBuffer};

use super::bell::Bell;
use super::{Capture, CaptureOptions, Direction, Filter, Interface, News, Record, Totals};
use crate::bridge::{Decision, PortId, Verdict};
use crate::frame::{Outcome, Timestamp};
use crate::port::{Frame, Selection};

/// All captures that run.
#[derive(Default)]
pub(crate) struct Taps(Vec<Tap>);

/// One of them.
struct Tap {
    filter: Filter,
    snap_len: usize,
    records: Producer<Record>,
    bytes: Producer<u8>,
    news: Sender<News>,
    bell: Arc<Bell>,
    /// By port number: its interface, where the port is captured.
    interfaces: Vec<Option<u32>>,
    counts: Vec<Count>,
    /// Whether anything was put there since the bell rang.
    has_news: bool,
}

/// What was captured on one interface.
#[derive(Clone, Copy, Default)]
struct Count {
    totals: Totals,
    lost_since: u32,
}

impl Taps {
    /// Whether nobody looks on.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Begins a capture, of `ports` at first.
    pub(crate) fn start<'a>(
        &mut self,
        options: CaptureOptions,
        ports: impl Iterator<Item = (PortId, &'a str)>,
    ) -> std::io::Result<Capture> {
        let (records, read_records) = RingBuffer::new(options.room_frames);
        let (bytes, read_bytes) = RingBuffer::new(options.room_bytes);
        let (news, read_news) = unbounded();
        let bell = Arc::new(Bell::new()?);
        let mut tap = Tap {
            filter: options.filter,
            snap_len: options.snap_len,
            records,
            bytes,
            news,
            bell: Arc::clone(&bell),
            interfaces: Vec::new(),
            counts: Vec::new(),
            has_news: false,
        };
        for (port, name) in ports {
            tap.plug(port, name);
        }
        self.0.push(tap);
        Ok(Capture {
            records: read_records,
            bytes: read_bytes,
            news: read_news,
            bell,
            frame: Vec::new(),
            interfaces: 0,
            ended: None,
            origin: Duration::ZERO,
            handle: None,
        })
    }

    /// Ends the captures that nobody reads any more.
    pub(crate) fn sweep(&mut self) {
        self.0.retain(|tap| !tap.bell.has_ended());
    }

    /// Tells of a port that was plugged in.
    pub(crate) fn plug(&mut self, port: PortId, name: &str) {
        for tap in &mut self.0 {
            tap.plug(port, name);
            tap.ring();
        }
    }

    /// Tells of a port that was unplugged.
    pub(crate) fn unplug(&mut self, port: PortId) {
        for tap in &mut self.0 {
            if let Some(interface) = tap.interfaces.get_mut(usize::from(port.0)) {
                *interface = None;
            }
        }
    }

    /// Which frames of a batch that came in by `port` anybody wants, one bit for each.
    pub(crate) fn wanted(&mut self, port: PortId, frames: &[Frame<'_>]) -> u64 {
        self.sweep();
        let taps = self.0.iter();
        let taps = taps.filter(|tap| tap.interface(port).is_some());
        taps.fold(0, |wanted, tap| wanted | tap.wanted(frames))
    }

    /// Shows a batch that came in by `port`, with what the bridge made of the frames.
    pub(crate) fn came_in(
        &mut self,
        now: Timestamp,
        port: PortId,
        frames: &[Frame<'_>],
        decisions: &[Option<Decision>],
    ) {
        for tap in &mut self.0 {
            let Some(interface) = tap.interface(port) else {
                continue;
            };
            for (frame, decision) in frames.iter().zip(decisions) {
                // A frame that no capture wants has no decision here.
                let Some(decision) = decision else { continue };
                if tap.filter.wants(Direction::In, frame.bytes) {
                    let outcome = match decision.verdict {
                        Verdict::Drop(reason) => Outcome::Dropped(reason),
                        Verdict::Forward(_) | Verdict::Flood => Outcome::Passed,
                    };
                    tap.copy(
                        now,
                        interface,
                        Direction::In,
                        frame,
                        outcome,
                        Some(*decision),
                    );
                }
            }
        }
    }

    /// Shows frames that were to leave by `port`, with what became of them.
    pub(crate) fn went_out(
        &mut self,
        now: Timestamp,
        port: PortId,
        frames: Selection<'_, '_>,
        outcomes: &[Outcome],
    ) {
        for tap in &mut self.0 {
            let Some(interface) = tap.interface(port) else {
                continue;
            };
            for (frame, outcome) in frames.iter().zip(outcomes) {
                if tap.filter.wants(Direction::Out, frame.bytes) {
                    tap.copy(now, interface, Direction::Out, frame, *outcome, None);
                }
            }
        }
    }

    /// Wakes the readers, at the end of a batch.
    pub(crate) fn ring(&mut self) {
        for tap in &mut self.0 {
            tap.ring();
        }
    }
}

impl Tap {
    fn plug(&mut self, port: PortId, name: &str) {
        if !self.filter.wants_port(name) {
            return;
        }
        let Ok(interface) = u32::try_from(self.counts.len()) else {
            return;
        };
        let told = self.news.send(News::Interface(Interface {
            port,
            name: name.to_owned(),
        }));
        if told.is_err() {
            return; // nobody reads any more
        }
        let index = usize::from(port.0);
        if self.interfaces.len() <= index {
            self.interfaces.resize(index + 1, None);
        }
        self.interfaces[index] = Some(interface);
        self.counts.push(Count::default());
        self.has_news = true;
    }

    fn interface(&self, port: PortId) -> Option<u32> {
        self.interfaces.get(usize::from(port.0)).copied().flatten()
    }

    fn wanted(&self, frames: &[Frame<'_>]) -> u64 {
        let numbered = (0..u64::BITS).zip(frames);
        numbered.fold(0, |wanted, (index, frame)| {
            wanted | u64::from(self.filter.wants(Direction::In, frame.bytes)) << index
        })
    }

    fn copy(
        &mut self,
        now: Timestamp,
        interface: u32,
        direction: Direction,
        frame: &Frame<'_>,
        outcome: Outcome,
        decision: Option<Decision>,
    ) {
        let Some(count) = self.counts.get_mut(interface as usize) else {
            return;
        };
        count.totals.frames += 1;
        let bytes = &frame.bytes[..frame.bytes.len().min(self.snap_len)];
        // The bytes first: who sees the record finds them.
        if self.records.is_full() || self.bytes.push_entire_slice(bytes).is_err() {
            count.totals.lost += 1;
            count.lost_since = count.lost_since.saturating_add(1);
            return;
        }
        let number = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let pushed = self.records.push(Record {
            interface,
            direction,
            time: now,
            len: number(frame.bytes.len()),
            captured: number(bytes.len()),
            offload: frame.offload,
            outcome,
            decision,
            lost_before: std::mem::take(&mut count.lost_since),
        });
        debug_assert!(pushed.is_ok(), "there was room, and nobody else fills it");
        self.has_news = true;
    }

    fn ring(&mut self) {
        if std::mem::take(&mut self.has_news) {
            self.bell.ring();
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let totals = self.counts.iter().map(|count| count.totals).collect();
        // Nobody may be there to read it.
        let _ = self.news.send(News::Ended(totals));
        self.bell.ring();
    }
}
