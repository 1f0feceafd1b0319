//! The forwarding thread's end of captures.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};
use rtrb::{Producer, RingBuffer};

use super::wakeup::Wakeup;
use super::{Capture, CaptureOptions, Direction, Filter, Interface, News, Record, Totals};
use crate::bridge::{Decision, PortId, Verdict};
use crate::frame::{Outcome, Timestamp};
use crate::port::{Frame, Selection};

/// All active captures.
#[derive(Default)]
pub(crate) struct Recorders(Vec<Recorder>);

/// One capture.
struct Recorder {
    filter: Filter,
    snap_len: usize,
    records: Producer<Record>,
    bytes: Producer<u8>,
    news: Sender<News>,
    wakeup: Arc<Wakeup>,
    /// By port number: its interface, if the port is captured.
    interfaces: Vec<Option<u32>>,
    counts: Vec<Count>,
    /// Whether anything was pushed since the reader was woken.
    has_news: bool,
}

/// The counters of one interface.
#[derive(Clone, Copy, Default)]
struct Count {
    totals: Totals,
    lost_since: u32,
}

impl Recorders {
    /// Reports whether there is no capture.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Starts a capture, of `ports` at first.
    pub(crate) fn start<'a>(
        &mut self,
        options: CaptureOptions,
        ports: impl Iterator<Item = (PortId, &'a str)>,
    ) -> std::io::Result<Capture> {
        let (records, read_records) = RingBuffer::new(options.room_frames);
        let (bytes, read_bytes) = RingBuffer::new(options.room_bytes);
        let (news, read_news) = unbounded();
        let wakeup = Arc::new(Wakeup::new()?);
        let mut recorder = Recorder {
            filter: options.filter,
            snap_len: options.snap_len,
            records,
            bytes,
            news,
            wakeup: Arc::clone(&wakeup),
            interfaces: Vec::new(),
            counts: Vec::new(),
            has_news: false,
        };
        for (port, name) in ports {
            recorder.plug(port, name);
        }
        self.0.push(recorder);
        Ok(Capture {
            records: read_records,
            bytes: read_bytes,
            news: read_news,
            wakeup,
            frame: Vec::new(),
            interfaces: 0,
            ended: None,
            origin: Duration::ZERO,
            handle: None,
        })
    }

    /// Ends captures whose reader is gone.
    pub(crate) fn sweep(&mut self) {
        self.0.retain(|recorder| !recorder.wakeup.has_ended());
    }

    /// Announces an added port.
    pub(crate) fn plug(&mut self, port: PortId, name: &str) {
        for recorder in &mut self.0 {
            recorder.plug(port, name);
            recorder.wake();
        }
    }

    /// Handles a removed port.
    pub(crate) fn unplug(&mut self, port: PortId) {
        for recorder in &mut self.0 {
            if let Some(interface) = recorder.interfaces.get_mut(usize::from(port.0)) {
                *interface = None;
            }
        }
    }

    /// Returns which frames of a batch that arrived on `port` any capture selects, one bit per
    /// frame.
    pub(crate) fn wanted(&mut self, port: PortId, frames: &[Frame<'_>]) -> u64 {
        self.sweep();
        let recorders = self.0.iter();
        let recorders = recorders.filter(|recorder| recorder.interface(port).is_some());
        recorders.fold(0, |wanted, recorder| wanted | recorder.wanted(frames))
    }

    /// Records a batch that arrived on `port`, with the bridge's decisions.
    pub(crate) fn came_in(
        &mut self,
        now: Timestamp,
        port: PortId,
        frames: &[Frame<'_>],
        decisions: &[Option<Decision>],
    ) {
        for recorder in &mut self.0 {
            let Some(interface) = recorder.interface(port) else {
                continue;
            };
            for (frame, decision) in frames.iter().zip(decisions) {
                // A frame that no capture selects has no decision here.
                let Some(decision) = decision else { continue };
                if recorder.filter.wants(Direction::In, frame.bytes) {
                    let outcome = match decision.verdict {
                        Verdict::Drop(reason) => Outcome::Dropped(reason),
                        Verdict::Forward(_) | Verdict::Flood => Outcome::Passed,
                    };
                    recorder.copy(
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

    /// Records frames that leave by `port`, as they leave, with their outcomes.
    pub(crate) fn went_out(
        &mut self,
        now: Timestamp,
        port: PortId,
        frames: Selection<'_, '_>,
        outcomes: &[Outcome],
    ) {
        for recorder in &mut self.0 {
            let Some(interface) = recorder.interface(port) else {
                continue;
            };
            for ((frame, action), outcome) in frames.actions().zip(outcomes) {
                let edited = action.edit(frame);
                let whole = edited.whole();
                let frame = Frame {
                    bytes: &whole,
                    offload: edited.offload,
                };
                if recorder.filter.wants(Direction::Out, frame.bytes) {
                    recorder.copy(now, interface, Direction::Out, &frame, *outcome, None);
                }
            }
        }
    }

    /// Wakes the readers at the end of a batch.
    pub(crate) fn wake(&mut self) {
        for recorder in &mut self.0 {
            recorder.wake();
        }
    }
}

impl Recorder {
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
            return; // the reader is gone
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
        // The bytes first: a reader that sees the record must find them.
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
        debug_assert!(
            pushed.is_ok(),
            "there was room, and only this thread fills it"
        );
        self.has_news = true;
    }

    fn wake(&mut self) {
        if std::mem::take(&mut self.has_news) {
            self.wakeup.wake();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let totals = self.counts.iter().map(|count| count.totals).collect();
        // The reader may be gone.
        let _ = self.news.send(News::Ended(totals));
        self.wakeup.wake();
    }
}
