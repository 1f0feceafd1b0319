//! Captures: frames as they pass, in pcapng, on the connection of the client that asked for them.
//!
//! Theory of operation. The reply to `capture.start` is the last line on its connection; the
//! stream then leaves the control loop for a thread of its own ([`stream`]), which takes copies of
//! frames from the switch's thread and writes them as blocks. It may wait for its client as long
//! as it likes: what does not fit into the capture's memory meanwhile is counted as lost.

mod captions;
mod encode;
mod stream;

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vswitch_switch::Handle;
use vswitch_switch::capture::{Capture, CaptureOptions, Direction, Filter};
use vswitch_switch::frame::{EtherType, MacAddr};
use vswitch_switch::threads;

pub(crate) use captions::Captions;

use super::control::refusal;
use stream::Stream;
use vswitch_control::protocol::{
    CaptureParams, CaptureStarted, DirectionView, ErrorCode, ErrorObject, PortView,
};

/// The most captures at once: each has 12 MiB of memory, and costs the switch a copy.
const MOST: usize = 8;
/// The shortest and the longest part of a frame that is kept.
const SNAP_LEN: std::ops::RangeInclusive<u32> = 14..=262_144;
/// How long the daemon's end waits for clients to read the rest.
const PATIENCE: Duration = Duration::from_secs(2);

/// All captures that run.
pub(crate) struct Captures {
    captions: Captions,
    threads: Vec<JoinHandle<()>>,
    running: Arc<AtomicUsize>,
    closing: Arc<AtomicBool>,
}

/// A capture that waits for the stream to write to.
pub(crate) struct Prepared {
    capture: Capture,
    snap_len: u32,
    reasons: bool,
    place: Place,
}

/// One of the places that there are.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(running: &Arc<AtomicUsize>) -> Result<Self, ErrorObject> {
        if running.fetch_add(1, Ordering::Relaxed) < MOST {
            return Ok(Self(Arc::clone(running)));
        }
        running.fetch_sub(1, Ordering::Relaxed);
        Err(ErrorObject::new(
            ErrorCode::Conflict,
            format!("{MOST} captures of this switch are running, which is the most: end one first"),
        ))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Captures {
    /// None yet; `captions` tell what is behind a port.
    pub(crate) fn new(captions: Captions) -> Self {
        Self {
            captions,
            threads: Vec::new(),
            running: Arc::default(),
            closing: Arc::default(),
        }
    }

    /// Begins a capture.
    ///
    /// # Errors
    /// Where a port is unknown, a value wrong, or too many captures run.
    pub(crate) fn start(
        &self,
        handle: &Handle,
        ports: &[PortView],
        params: &CaptureParams,
    ) -> Result<(Prepared, CaptureStarted), ErrorObject> {
        let snap_len = params.snaplen.unwrap_or(*SNAP_LEN.end());
        if !SNAP_LEN.contains(&snap_len) {
            let (least, most) = (SNAP_LEN.start(), SNAP_LEN.end());
            return Err(wrong(format!(
                "a snaplen of {snap_len} bytes is not possible: take {least} to {most}"
            )));
        }
        let filter = filter(ports, params)?;
        let place = Place::take(&self.running)?;
        let named = ports.iter().map(|port| port.name.clone());
        let started = CaptureStarted {
            format: "pcapng".to_owned(),
            ports: named.filter(|name| filter.wants_port(name)).collect(),
        };
        let options = CaptureOptions {
            filter,
            snap_len: usize::try_from(snap_len).unwrap_or(usize::MAX),
            ..CaptureOptions::default()
        };
        let prepared = Prepared {
            capture: handle.capture(options).map_err(refusal)?,
            snap_len,
            reasons: params.reasons,
            place,
        };
        Ok((prepared, started))
    }

    /// Gives a capture the stream to write to, on which `unsent` is still to go before.
    pub(crate) fn carry(&mut self, prepared: Prepared, socket: UnixStream, unsent: Vec<u8>) {
        self.threads.retain(|thread| !thread.is_finished());
        let Prepared {
            capture,
            snap_len,
            reasons,
            place,
        } = prepared;
        let captions = self.captions.clone();
        let closing = Arc::clone(&self.closing);
        let spawned = threads::spawn("capture", move || {
            let _place = place;
            let encoder = encode::Encoder::new(captions, snap_len, reasons);
            let ended = Stream::new(socket, capture, encoder, closing).run(&unsent);
            match ended {
                Ok(()) => log::info!("a capture has ended"),
                Err(error) => log::info!("a capture has ended: {error}"),
            }
        });
        match spawned {
            Ok(thread) => self.threads.push(thread),
            Err(error) => log::warn!("cannot start a capture's thread: {error}"),
        }
    }

    /// Waits until all captures have written what there is, but not for long: the switch has
    /// ended, and with it what they show.
    pub(crate) fn finish(self) {
        self.closing.store(true, Ordering::Relaxed);
        let end = Instant::now() + PATIENCE;
        let is_running = |thread: &JoinHandle<()>| !thread.is_finished();
        while self.threads.iter().any(is_running) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn wrong(sentence: String) -> ErrorObject {
    ErrorObject::new(ErrorCode::InvalidParams, sentence)
}

fn filter(ports: &[PortView], params: &CaptureParams) -> Result<Filter, ErrorObject> {
    let names = params.ports.iter().map(|wanted| port_name(ports, wanted));
    let macs = params.macs.iter().map(|mac| mac.parse::<MacAddr>());
    if let Some(vlan) = params.vlan.filter(|vlan| *vlan > 4095) {
        return Err(wrong(format!(
            "{vlan} is not a VLAN: use 1 to 4095, or 0 for untagged frames"
        )));
    }
    Ok(Filter {
        ports: names.collect::<Result<_, _>>()?,
        direction: params.direction.map(|direction| match direction {
            DirectionView::In => Direction::In,
            DirectionView::Out => Direction::Out,
        }),
        macs: macs
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(error.to_string()))?,
        vlan: params.vlan,
        ethertype: params.ethertype.map(EtherType),
        protocol: params.protocol,
        addresses: params.addresses.clone(),
    })
}

/// The port of that name, or the one to which the namespace of that name is attached.
pub(crate) fn port_name(ports: &[PortView], wanted: &str) -> Result<String, ErrorObject> {
    let by_name = ports.iter().find(|port| port.name == wanted);
    let mut behind = ports.iter();
    let found = by_name
        .or_else(|| behind.find(|port| port.namespace.as_deref() == Some(wanted)))
        .map(|port| port.name.clone());
    found.ok_or_else(|| {
        let sentence = format!(
            "the switch has no port '{0}', and no namespace '{0}' is attached to it: \
             'vswitch port list' lists those it has",
            vswitch_control::plain::text(wanted)
        );
        ErrorObject::new(ErrorCode::NotFound, sentence)
    })
}
