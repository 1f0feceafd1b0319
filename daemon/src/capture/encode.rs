//! What a capture tells, as blocks of pcapng.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vswitch_switch::bridge::PortId;
use vswitch_switch::capture::{Capture, Direction, Interface, Item, Outcome, Record, Totals};
use vswitch_switch::frame::{EthernetFrame, Offload};

use super::Captions;
use crate::explain;
use vswitch_control::pcapng::{self, Packet, Statistics, flag};

/// Bytes after which what was encoded is to be written first.
const ENOUGH: usize = 256 * 1024;

/// Makes blocks of a capture.
pub(super) struct Encoder {
    captions: Captions,
    snap_len: u32,
    reasons: bool,
    start: Duration,
    /// The names of the ports that have been told of, by their numbers.
    names: HashMap<PortId, String>,
    comments: Vec<String>,
    /// Blocks that are to be written.
    pub(super) out: Vec<u8>,
}

/// Where the encoder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// There may be more at once.
    More,
    /// There is nothing at the moment.
    Waiting,
    /// All is encoded.
    Ended,
}

impl Encoder {
    /// An encoder that has the header of the section ready.
    pub(super) fn new(captions: Captions, snap_len: u32, reasons: bool) -> Self {
        let mut out = Vec::with_capacity(2 * ENOUGH);
        pcapng::section(&mut out);
        Self {
            captions,
            snap_len,
            reasons,
            start: now(),
            names: HashMap::new(),
            comments: Vec::new(),
            out,
        }
    }

    /// Encodes what there is, up to a limit.
    pub(super) fn fill(&mut self, capture: &mut Capture) -> State {
        while self.out.len() < ENOUGH {
            // The clock is asked before the item is, which holds on to the capture.
            let origin = capture.origin();
            match capture.read() {
                Item::Interface(interface) => self.interface(&interface),
                Item::Frame(record, bytes) => {
                    let time = origin + Duration::from_nanos(record.time.as_nanos());
                    self.frame(time, &record, bytes);
                }
                Item::Nothing => return State::Waiting,
                Item::Ended(totals) => {
                    self.end(&totals);
                    return State::Ended;
                }
            }
        }
        State::More
    }

    fn interface(&mut self, interface: &Interface) {
        let namespace = self.captions.get(&interface.name);
        let description = namespace.map(|namespace| format!("namespace {namespace}"));
        pcapng::interface(
            &mut self.out,
            &interface.name,
            description.as_deref(),
            self.snap_len,
        );
        self.names.insert(interface.port, interface.name.clone());
    }

    fn frame(&mut self, time: Duration, record: &Record, bytes: &[u8]) {
        self.comments.clear();
        self.comments.extend(comment(record.outcome));
        if self.reasons
            && let Some(decision) = &record.decision
        {
            let name = |port: PortId| self.names.get(&port).cloned();
            self.comments.push(explain::in_short(decision, bytes, name));
        }
        let packet = Packet {
            interface: record.interface,
            time,
            len: record.len,
            bytes,
            flags: flags(record, bytes),
            lost_before: record.lost_before,
            comments: &self.comments,
        };
        pcapng::packet(&mut self.out, &packet);
    }

    fn end(&mut self, totals: &[Totals]) {
        let end = now();
        for (interface, totals) in (0..).zip(totals) {
            let statistics = Statistics {
                interface,
                start: self.start,
                end,
                frames: totals.frames,
                lost: totals.lost,
            };
            pcapng::statistics(&mut self.out, &statistics);
        }
    }
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// What is said of a frame that went no further.
fn comment(outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::Passed => None,
        Outcome::Dropped(reason) => Some(format!("dropped: {reason}")),
    }
}

/// Direction, kind of destination, what is left to do.
fn flags(record: &Record, bytes: &[u8]) -> u32 {
    let direction = match record.direction {
        Direction::In => flag::INBOUND,
        Direction::Out => flag::OUTBOUND,
    };
    let dst = EthernetFrame::new_checked(bytes).map(|frame| frame.dst());
    let destination = match dst {
        Ok(dst) if dst.is_broadcast() => flag::BROADCAST,
        Ok(dst) if dst.is_multicast() => flag::MULTICAST,
        Ok(_) => flag::UNICAST,
        Err(_) => 0,
    };
    let offload = &record.offload;
    let bit = |is_set: bool, bit: u32| if is_set { bit } else { 0 };
    direction
        | destination
        | bit(offload.needs_checksum(), flag::CHECKSUM_NOT_READY)
        | bit(
            offload.flags & Offload::DATA_VALID != 0,
            flag::CHECKSUM_VALID,
        )
        | bit(offload.segmentation().is_some(), flag::TO_BE_SEGMENTED)
}
