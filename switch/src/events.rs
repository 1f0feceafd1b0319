//! Events of a running switch, for subscribers.
//!
//! # Theory of operation
//!
//! The switch's thread offers each event to every subscriber's channel and never waits: events that
//! find a channel full are counted there. A subscriber that also waits for other things passes a
//! function that wakes it. The function is called once when new events are queued, and again only
//! after the subscriber has begun to take them: a thousand stations learnt in one batch cost one
//! call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::bridge::{self, Alarm, PortId};
use crate::frame::{MacAddr, VlanId};
use crate::port::LinkState;

/// An event of a switch.
///
/// If a link goes down or a port is removed, its learnt entries are removed without an event for
/// each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A station was learnt, moved, aged or evicted.
    Station(bridge::Event),
    /// A static entry was added by command.
    StaticAdded {
        /// Its VLAN.
        vlan: VlanId,
        /// Its address.
        mac: MacAddr,
        /// Its port.
        port: PortId,
    },
    /// An entry was removed by command.
    StationRemoved {
        /// The VLAN, or `None` for all VLANs.
        vlan: Option<VlanId>,
        /// Its address.
        mac: MacAddr,
    },
    /// Learnt entries were removed by command.
    Flushed {
        /// The port, or `None` for all ports.
        port: Option<PortId>,
        /// How many there were.
        stations: usize,
    },
    /// A port was added.
    PortAdded {
        /// Its number.
        port: PortId,
        /// Its name.
        name: String,
    },
    /// A port was removed.
    PortRemoved {
        /// Its number.
        port: PortId,
        /// Its name.
        name: String,
    },
    /// A port's link came up, went down or vanished.
    Link {
        /// The port's number.
        port: PortId,
        /// The present state.
        state: LinkState,
    },
    /// A problem in the network, against which the switch has protected itself.
    Alarm(Alarm),
}

/// An event and its time, which is within the batch in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The time of day.
    pub time: SystemTime,
    /// What happened.
    pub event: Event,
}

/// A stream of events. A slow subscriber loses events and does not delay the switch.
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<Notice>,
    shared: Arc<Shared>,
}

/// The state shared by both ends of a stream.
#[derive(Debug, Default)]
struct Shared {
    lost: AtomicU64,
    /// Whether the subscriber was woken and has not taken events since.
    woken: AtomicBool,
}

impl Events {
    /// Returns the channel of the events; it is disconnected when the switch has stopped.
    #[must_use]
    pub const fn receiver(&self) -> &Receiver<Notice> {
        &self.receiver
    }

    /// Takes the queued events, and those that arrive meanwhile. A subscriber with a wake function
    /// must take events this way: from this call on, the function is called again.
    pub fn take(&self) -> impl Iterator<Item = Notice> + '_ {
        // Cleared before the first read, so that an event is either read here or wakes again.
        self.shared.woken.store(false, Ordering::SeqCst);
        self.receiver.try_iter()
    }

    /// Returns how many events were lost because the channel or the bridge's queue was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

/// The switch's end of an [`Events`].
pub(crate) struct Listener {
    sender: Sender<Notice>,
    shared: Arc<Shared>,
    wake: Option<Box<dyn Fn() + Send>>,
    wants: Wants,
}

/// The events that a subscriber wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// All events.
    Everything,
    /// Alarms only, for which the bridge need not record what it learns.
    Alarms,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

/// Creates the two ends of a stream with room for `capacity` events.
pub(crate) fn stream(
    capacity: usize,
    wake: Option<Box<dyn Fn() + Send>>,
    wants: Wants,
) -> (Listener, Events) {
    let (sender, receiver) = bounded(capacity);
    let shared = Arc::new(Shared::default());
    let listener = Listener {
        sender,
        shared: Arc::clone(&shared),
        wake,
        wants,
    };
    (listener, Events { receiver, shared })
}

/// All subscribers of a switch.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Vec<Listener>);

impl Listeners {
    pub(crate) fn add(&mut self, listener: Listener) {
        self.0.push(listener);
    }

    /// Reports whether any subscriber wants events of stations.
    pub(crate) fn want_everything(&self) -> bool {
        self.0
            .iter()
            .any(|listener| listener.wants == Wants::Everything)
    }

    /// Offers an event to all subscribers, and removes those that are gone.
    pub(crate) fn tell(&mut self, event: &Event) {
        if self.0.is_empty() {
            return;
        }
        let time = SystemTime::now();
        self.0.retain(|listener| listener.offer(time, event));
    }

    /// Reports to all subscribers that `events` events were lost before they could be offered.
    pub(crate) fn tell_lost(&self, events: u64) {
        let told = |listener: &&Listener| listener.wants == Wants::Everything;
        for listener in self.0.iter().filter(told) {
            listener.shared.lost.fetch_add(events, Ordering::Relaxed);
            listener.wake();
        }
    }
}

impl Listener {
    /// Returns whether the subscriber still exists.
    fn offer(&self, time: SystemTime, event: &Event) -> bool {
        if self.wants == Wants::Alarms && !matches!(event, Event::Alarm(_)) {
            return true;
        }
        let event = event.clone();
        match self.sender.try_send(Notice { time, event }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.shared.lost.fetch_add(1, Ordering::Relaxed);
            }
            Err(TrySendError::Disconnected(_)) => return false,
        }
        self.wake();
        true
    }

    fn wake(&self) {
        if let Some(wake) = &self.wake
            && !self.shared.woken.swap(true, Ordering::SeqCst)
        {
            wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(port: u16) -> Event {
        Event::Link {
            port: PortId(port),
            state: LinkState::Up,
        }
    }

    #[test]
    fn a_slow_subscriber_loses_events_and_can_read_how_many() {
        let (listener, events) = stream(2, None, Wants::Everything);
        let mut listeners = Listeners::default();
        listeners.add(listener);
        for port in 1..=5 {
            listeners.tell(&up(port));
        }
        assert_eq!(events.lost(), 3);
        listeners.tell_lost(4);
        assert_eq!(events.lost(), 7);
        let taken: Vec<_> = events.take().map(|notice| notice.event).collect();
        assert_eq!(taken, [up(1), up(2)]);
        drop(events);
        listeners.tell(&up(6));
        assert!(listeners.0.is_empty(), "no subscriber is left");
    }

    #[test]
    fn a_subscriber_is_woken_once_until_it_takes_events() {
        let wakes = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&wakes);
        let wake = move || {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        let (listener, events) = stream(100, Some(Box::new(wake)), Wants::Everything);
        let mut listeners = Listeners::default();
        listeners.add(listener);
        let woken = || wakes.load(Ordering::Relaxed);
        listeners.tell(&up(1));
        listeners.tell(&up(2));
        assert_eq!(woken(), 1);
        assert_eq!(events.take().count(), 2);
        listeners.tell(&up(3));
        assert_eq!(woken(), 2);
        assert_eq!(events.take().count(), 1);
        listeners.tell_lost(1);
        assert_eq!(woken(), 3, "of a loss as well");
    }
}
