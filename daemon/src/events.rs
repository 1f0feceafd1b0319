//! What happens in the switch, told to the clients who listen.
//!
//! Theory of operation. The daemon itself listens to its switch once, as long as any client does;
//! the switch wakes the loop through an eventfd(2). Each event becomes one message, which all who
//! listen share. With nobody there, the switch collects nothing and nothing wakes.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use nix::sys::eventfd::{EfdFlags, EventFd};
use serde_json::json;
use vswitch_switch::Handle;
use vswitch_switch::bridge::{self, Alarm, PortId};
use vswitch_switch::control::{ControlError, Event, Events, Notice};
use vswitch_switch::frame::{MacAddr, VlanId};
use vswitch_switch::port::LinkState;

use super::control::refusal;
use super::news::Line;
use vswitch_control::protocol::{EVENT, ErrorCode, ErrorObject, EventView, Happening};

/// So many events wait for the daemon, which may be busy attaching.
const CAPACITY: usize = 8192;
/// So many are told before others have their turn.
const EVENTS_PER_TURN: usize = 1024;
/// So many clients may listen. They are never closed to make room: half of the places stay free
/// for those who ask.
const MAX_SEATS: usize = 32;

/// The place of a client who listens, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat(#[expect(dead_code, reason = "it is counted")] Arc<()>);

/// Between the switch and those who listen.
#[derive(Debug)]
pub(super) struct Hub {
    wake: Arc<EventFd>,
    /// Each seat is one more reference.
    seats: Arc<()>,
    tap: Option<Tap>,
    news: Vec<Line>,
}

/// What the daemon hears of its switch.
#[derive(Debug)]
struct Tap {
    events: Events,
    names: HashMap<PortId, String>,
    /// Losses that were told.
    lost: u64,
}

impl Hub {
    /// Nobody listens yet.
    ///
    /// # Errors
    /// Where the system gives no descriptor.
    pub(super) fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        Ok(Self {
            wake: Arc::new(EventFd::from_flags(flags)?),
            seats: Arc::new(()),
            tap: None,
            news: Vec::new(),
        })
    }

    /// The descriptor that becomes readable when [`Hub::listen`] has something to do.
    pub(super) fn fd(&self) -> RawFd {
        self.wake.as_fd().as_raw_fd()
    }

    /// A place for one more who listens, from now on.
    ///
    /// # Errors
    /// Where all are taken, or the switch has stopped.
    pub(super) fn seat(&mut self, handle: &Handle) -> Result<Seat, ErrorObject> {
        if Arc::strong_count(&self.seats) > MAX_SEATS {
            return Err(ErrorObject::new(
                ErrorCode::Conflict,
                format!("{MAX_SEATS} clients listen already: end one of them"),
            ));
        }
        // What happened while nobody listened is nobody's news.
        if self.tap.is_none() || Arc::strong_count(&self.seats) == 1 {
            self.tap = Some(Tap::open(handle, &self.wake).map_err(refusal)?);
        }
        Ok(Seat(Arc::clone(&self.seats)))
    }

    /// Turns what was heard into news.
    pub(super) fn listen(&mut self) {
        // It holds a number that nobody needs.
        let _ = self.wake.read();
        if Arc::strong_count(&self.seats) == 1 {
            self.tap = None;
            return;
        }
        let Some(tap) = &mut self.tap else { return };
        let notices: Vec<_> = tap.events.take().take(EVENTS_PER_TURN).collect();
        if notices.len() == EVENTS_PER_TURN {
            wake(&self.wake);
        }
        for notice in notices {
            let Notice { time, event } = notice;
            if let Some(what) = tap.happening(event) {
                self.news.extend(line(time, what));
            }
        }
        let lost = tap.events.lost();
        if lost > tap.lost {
            let count = lost - tap.lost;
            tap.lost = lost;
            self.news.extend(lost_line(count));
        }
    }

    /// The last that anybody hears of this process: what has happened so far, and that the switch
    /// ends or goes on elsewhere.
    pub(super) fn say_farewell(&mut self, last: Happening) {
        // No more than is there now: the switch may go on telling.
        let waiting = self
            .tap
            .as_ref()
            .map_or(0, |tap| tap.events.receiver().len());
        for _ in 0..waiting.div_ceil(EVENTS_PER_TURN) {
            self.listen();
        }
        self.news.extend(line(SystemTime::now(), last));
    }

    /// The messages for all who listen, since the last call.
    pub(super) fn take_news(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.news)
    }
}

impl Tap {
    /// This thread alone plugs ports in and out: what it sees of them now is how they are when
    /// the first event comes.
    fn open(handle: &Handle, descriptor: &Arc<EventFd>) -> Result<Self, ControlError> {
        let descriptor = Arc::clone(descriptor);
        let events = handle.subscribe_with(CAPACITY, move || wake(&descriptor))?;
        let ports = handle.ports()?;
        Ok(Self {
            events,
            names: ports.into_iter().map(|port| (port.id, port.name)).collect(),
            lost: 0,
        })
    }

    fn name(&self, port: PortId) -> String {
        let name = self.names.get(&port).cloned();
        name.unwrap_or_else(|| port.to_string())
    }

    /// `None` for what there are no words for.
    fn happening(&mut self, event: Event) -> Option<Happening> {
        Some(match event {
            Event::Station(event) => self.of_station(event),
            Event::StaticAdded { vlan, mac, port } => {
                let (mac, vlan, port) = self.whereabouts(vlan, mac, port);
                Happening::StaticAdded { mac, vlan, port }
            }
            Event::StationRemoved { vlan, mac } => Happening::Removed {
                mac: mac.to_string(),
                vlan: vlan.map(VlanId::get),
            },
            Event::Flushed { port, stations } => Happening::Flushed {
                port: port.map(|port| self.name(port)),
                stations: stations as u64,
            },
            Event::PortAdded { port, name } => {
                self.names.insert(port, name.clone());
                Happening::PortAdded { port: name }
            }
            Event::PortRemoved { port, name } => {
                self.names.remove(&port);
                Happening::PortRemoved { port: name }
            }
            Event::Link { port, state } => {
                let port = self.name(port);
                match state {
                    LinkState::Up => Happening::PortUp { port },
                    LinkState::Down => Happening::PortDown { port },
                    LinkState::Absent => Happening::PortAbsent { port },
                }
            }
            Event::Alarm(alarm) => self.of_alarm(&alarm),
            _ => return None,
        })
    }

    fn of_alarm(&self, alarm: &Alarm) -> Happening {
        match *alarm {
            Alarm::Flapping {
                vlan,
                mac,
                port,
                other,
                hold,
            } => Happening::Flapping {
                mac: mac.to_string(),
                vlan: vlan.get(),
                port: self.name(port),
                other: self.name(other),
                hold_s: hold.as_secs(),
            },
            Alarm::Loop {
                port,
                peer,
                hold,
                vlan,
                mac,
            } => Happening::Loop {
                port: self.name(port),
                peer: self.name(peer),
                mac: mac.to_string(),
                vlan: vlan.get(),
                hold_s: hold.as_secs(),
            },
            Alarm::Unblocked { port } => Happening::Unblocked {
                port: self.name(port),
            },
            Alarm::Storm { port, kind, limit } => Happening::Storm {
                port: self.name(port),
                kind: kind.as_str().to_owned(),
                limit,
            },
        }
    }

    fn of_station(&self, event: bridge::Event) -> Happening {
        match event {
            bridge::Event::Learnt { vlan, mac, port } => {
                let (mac, vlan, port) = self.whereabouts(vlan, mac, port);
                Happening::Learnt { mac, vlan, port }
            }
            bridge::Event::Moved {
                vlan,
                mac,
                from,
                to,
            } => {
                let from = self.name(from);
                let (mac, vlan, port) = self.whereabouts(vlan, mac, to);
                Happening::Moved {
                    mac,
                    vlan,
                    from,
                    port,
                }
            }
            bridge::Event::Aged { vlan, mac, port } => {
                let (mac, vlan, port) = self.whereabouts(vlan, mac, port);
                Happening::Aged { mac, vlan, port }
            }
            bridge::Event::Evicted { vlan, mac, port } => {
                let (mac, vlan, port) = self.whereabouts(vlan, mac, port);
                Happening::Evicted { mac, vlan, port }
            }
        }
    }

    fn whereabouts(&self, vlan: VlanId, mac: MacAddr, port: PortId) -> (String, u16, String) {
        (mac.to_string(), vlan.get(), self.name(port))
    }
}

fn wake(descriptor: &EventFd) {
    // Fails only where it was woken 2^64 times without a look.
    let _ = descriptor.write(1);
}

/// The message that so many events are not told.
pub(super) fn lost_line(count: u64) -> Option<Line> {
    line(SystemTime::now(), Happening::Lost { count })
}

fn line(time: SystemTime, what: Happening) -> Option<Line> {
    // A clock outside of the years that can be written is nothing to fail of.
    let time = Timestamp::try_from(time).unwrap_or_default();
    let event = EventView {
        time: format!("{time:.9}"),
        what,
    };
    let message = json!({"jsonrpc": "2.0", "method": EVENT, "params": event});
    serde_json::to_vec(&message).map(Line::from).ok()
}
