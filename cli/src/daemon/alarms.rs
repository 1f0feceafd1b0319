//! What the switch did to protect itself, in the log: a line for each occurrence, and not more
//! than so many in a time.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};
use vswitch_switch::bridge::{Alarm, PortId};
use vswitch_switch::control::{Event, Events};
use vswitch_switch::{Handle, Switch};

/// So many wait for the daemon.
const CAPACITY: usize = 256;
/// So many lines at most are written in [`PERIOD`].
const LINES: u32 = 10;
const PERIOD: Duration = Duration::from_secs(10);

/// The daemon's ear for alarms.
#[derive(Debug)]
pub(super) struct Alarms {
    events: Events,
    wake: Arc<EventFd>,
    quota: Quota,
}

/// How many lines may still be written.
#[derive(Debug)]
struct Quota {
    since: Instant,
    written: u32,
    suppressed: u32,
}

impl Quota {
    /// Whether one more may be written at `now`, and how many were not before it.
    fn take(&mut self, now: Instant) -> Option<u32> {
        if now.duration_since(self.since) >= PERIOD {
            (self.since, self.written) = (now, 0);
        }
        if self.written == LINES {
            self.suppressed += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

impl Alarms {
    /// Listens to a switch that does not run yet.
    ///
    /// # Errors
    /// Where the system gives no descriptor.
    pub(super) fn listen(switch: &mut Switch) -> std::io::Result<Self> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        let wake = Arc::new(EventFd::from_flags(flags)?);
        let descriptor = Arc::clone(&wake);
        let events = switch.subscribe_to_alarms(CAPACITY, move || {
            // Fails only where it was woken 2^64 times without a look.
            let _ = descriptor.write(1);
        });
        Ok(Self {
            events,
            wake,
            quota: Quota {
                since: Instant::now(),
                written: 0,
                suppressed: 0,
            },
        })
    }

    /// Readable when there is something to tell.
    pub(super) fn fd(&self) -> RawFd {
        self.wake.as_fd().as_raw_fd()
    }

    /// Logs what has happened.
    pub(super) fn log(&mut self, handle: &Handle) {
        // It holds a number that nobody needs.
        let _ = self.wake.read();
        let alarms: Vec<_> = self.events.take().take(CAPACITY).collect();
        if alarms.is_empty() {
            return;
        }
        let ports = handle.ports().unwrap_or_default();
        let names: BTreeMap<_, _> = ports.into_iter().map(|port| (port.id, port.name)).collect();
        for notice in alarms {
            let Event::Alarm(alarm) = notice.event else {
                continue;
            };
            match self.quota.take(Instant::now()) {
                None => {}
                Some(0) => log::warn!("{}", sentence(&alarm, &names)),
                Some(more) => log::warn!(
                    "{} ({more} warnings of this kind before it were left out)",
                    sentence(&alarm, &names)
                ),
            }
        }
    }
}

fn sentence(alarm: &Alarm, names: &BTreeMap<PortId, String>) -> String {
    let name = |port: &PortId| {
        let name = names.get(port).cloned();
        name.unwrap_or_else(|| format!("port {port}"))
    };
    match alarm {
        Alarm::Flapping {
            mac,
            port,
            other,
            hold,
            ..
        } => format!(
            "station {mac} moves between {} and {} all the time: for {} s it is held on {0}, and \
             its frames from {1} are dropped; two hosts may have one address",
            name(port),
            name(other),
            hold.as_secs()
        ),
        Alarm::Loop {
            port,
            peer,
            hold,
            mac,
            ..
        } => format!(
            "{} and {} are joined outside the switch, in a loop: frames of {mac} come round; {0} \
             is blocked for {} s and then tried again",
            name(port),
            name(peer),
            hold.as_secs()
        ),
        Alarm::Unblocked { port } => format!("{} is not blocked any more", name(port)),
        Alarm::Storm { port, kind, limit } => format!(
            "{} sends more than {limit} {} frames a second: what is more is dropped",
            name(port),
            kind.as_str()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswitch_switch::bridge::FloodKind;

    #[test]
    fn ports_are_told_by_their_names() {
        let names = [(PortId(1), "mario-vsw".to_owned())].into();
        let alarm = Alarm::Storm {
            port: PortId(1),
            kind: FloodKind::Broadcast,
            limit: 20_000,
        };
        assert_eq!(
            sentence(&alarm, &names),
            "mario-vsw sends more than 20000 broadcast frames a second: what is more is dropped"
        );
        let alarm = Alarm::Unblocked { port: PortId(2) };
        assert_eq!(sentence(&alarm, &names), "port 2 is not blocked any more");
    }

    #[test]
    fn a_rush_is_cut_short_and_counted() {
        let start = Instant::now();
        let mut quota = Quota {
            since: start,
            written: 0,
            suppressed: 0,
        };
        let written = (0..100).filter(|_| quota.take(start).is_some()).count();
        assert_eq!(written, 10);
        assert_eq!(quota.take(start + PERIOD), Some(90));
        assert_eq!(quota.take(start + PERIOD), Some(0));
    }
}
