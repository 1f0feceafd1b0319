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
    told: Told,
}

/// Stations of which it was told that they move too often: once is enough for a while.
#[derive(Debug, Default)]
struct Told(BTreeMap<(u16, [u8; 6]), Instant>);

impl Told {
    /// So long nothing more is said of a station.
    const PAUSE: Duration = Duration::from_secs(600);
    const MAX: usize = 1024;

    /// Whether there is nothing new in an alarm.
    fn is_old(&mut self, alarm: &Alarm, now: Instant) -> bool {
        let Alarm::Flapping { vlan, mac, .. } = alarm else {
            return false;
        };
        self.0
            .retain(|_, since| now.duration_since(*since) < Self::PAUSE);
        let station = (vlan.get(), mac.0);
        if self.0.contains_key(&station) {
            return true;
        }
        if self.0.len() < Self::MAX {
            self.0.insert(station, now);
        }
        false
    }
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
            told: Told::default(),
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
            let now = Instant::now();
            if self.told.is_old(&alarm, now) {
                continue;
            }
            match self.quota.take(now) {
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

/// For how many seconds a port is blocked.
fn hold_of(alarm: &Alarm) -> u64 {
    match alarm {
        Alarm::Loop { hold, .. } => hold.as_secs(),
        _ => 0,
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
            "station {mac} moves between {} and {} all the time: its entry stays on {0} for up to {} \
             s; a bond, gateways or virtual machines may share one address",
            name(port),
            name(other),
            hold.as_secs()
        ),
        Alarm::Loop { port, peer, .. } if port == peer => format!(
            "what is sent out of {} comes back by it: there is a loop behind it; it is blocked until \
             {} s after the loop has ended",
            name(port),
            hold_of(alarm)
        ),
        Alarm::Loop { port, peer, .. } => format!(
            "{} and {} are joined outside the switch, in a loop: a probe sent out of one came back \
             by the other; {0} is blocked until {} s after the loop has ended",
            name(port),
            name(peer),
            hold_of(alarm)
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
    use vswitch_switch::frame::{MacAddr, VlanId};

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
    fn a_loop_is_told_as_what_is_known_of_it() {
        let names = [
            (PortId(1), "left".to_owned()),
            (PortId(2), "right".to_owned()),
        ]
        .into();
        let told = |peer| {
            let alarm = Alarm::Loop {
                port: PortId(2),
                peer: PortId(peer),
                hold: Duration::from_secs(5),
                vlan: VlanId::NONE,
                mac: MacAddr([2, 0, 0, 0, 0, 1]),
            };
            sentence(&alarm, &names)
        };
        assert_eq!(
            told(1),
            "right and left are joined outside the switch, in a loop: a probe sent out of one came \
             back by the other; right is blocked until 5 s after the loop has ended"
        );
        assert_eq!(
            told(2),
            "what is sent out of right comes back by it: there is a loop behind it; it is blocked \
             until 5 s after the loop has ended"
        );
    }

    #[test]
    fn a_station_that_moves_is_told_once_in_a_while() {
        let start = Instant::now();
        let mut told = Told::default();
        let flapping = |last| Alarm::Flapping {
            vlan: VlanId::NONE,
            mac: MacAddr([2, 0, 0, 0, 0, last]),
            port: PortId(1),
            other: PortId(2),
            hold: Duration::from_secs(5),
        };
        assert!(!told.is_old(&flapping(1), start));
        assert!(told.is_old(&flapping(1), start + Duration::from_secs(599)));
        assert!(!told.is_old(&flapping(2), start));
        assert!(!told.is_old(&flapping(1), start + Told::PAUSE));
        assert!(!told.is_old(&Alarm::Unblocked { port: PortId(1) }, start));
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
