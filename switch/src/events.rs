//! What a running switch tells whoever listens.
//!
//! # Theory of operation
//!
//! The switch's thread offers each event to every listener's channel, and never waits: what
//! finds a channel full is counted there. A listener that waits for other things besides gives a
//! function that wakes it. It is called once, when events come that it has not been told of, and
//! again only after the listener has begun to take them: a thousand stations learnt in one batch
//! cost one call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::bridge::{self, Alarm, PortId};
use crate::frame::{MacAddr, VlanId};
use crate::port::LinkState;

/// Something that happened in a switch.
///
/// With a link that goes down or a port that is unplugged, the stations learnt behind it are
/// forgotten without an event for each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A station was learnt, moved, aged or evicted.
    Station(bridge::Event),
    /// A station was bound to a port by command.
    StaticAdded {
        /// Its VLAN.
        vlan: VlanId,
        /// Its address.
        mac: MacAddr,
        /// Its port.
        port: PortId,
    },
    /// A station was forgotten by command.
    StationRemoved {
        /// In this VLAN, or in all of them.
        vlan: Option<VlanId>,
        /// Its address.
        mac: MacAddr,
    },
    /// Learnt stations were forgotten by command.
    Flushed {
        /// Those of this port, or of all.
        port: Option<PortId>,
        /// How many.
        stations: usize,
    },
    /// A port was plugged in.
    PortAdded {
        /// Its number.
        port: PortId,
        /// Its name.
        name: String,
    },
    /// A port was unplugged.
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
        /// Its state now.
        state: LinkState,
    },
    /// Something is wrong outside, and the switch has protected itself.
    Alarm(Alarm),
}

/// An event and when it was told, which is within the batch in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The time of day.
    pub time: SystemTime,
    /// What happened.
    pub event: Event,
}

/// A stream of events. A listener that is slow loses events, never the switch its time.
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<Notice>,
    shared: Arc<Shared>,
}

/// What both ends of a stream know.
#[derive(Debug, Default)]
struct Shared {
    lost: AtomicU64,
    /// Whether the listener was woken and has not looked since.
    woken: AtomicBool,
}

impl Events {
    /// The channel of the events; it is disconnected when the switch has stopped.
    #[must_use]
    pub const fn receiver(&self) -> &Receiver<Notice> {
        &self.receiver
    }

    /// Takes the events that wait, and those that come meanwhile. Whoever gave a function that
    /// wakes it takes them by this: from the call on it is called anew.
    pub fn take(&self) -> impl Iterator<Item = Notice> + '_ {
        // Before the first look, so that an event is either seen here or wakes again.
        self.shared.woken.store(false, Ordering::SeqCst);
        self.receiver.try_iter()
    }

    /// How many events found the channel, or the bridge's own queue, full and were lost.
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

/// What a listener wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// All that happens.
    Everything,
    /// Alarms alone, for which the bridge need not note what it learns.
    Alarms,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

/// The two ends of a stream in which at most `capacity` events wait.
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

/// All who listen to a switch.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Vec<Listener>);

impl Listeners {
    pub(crate) fn add(&mut self, listener: Listener) {
        self.0.push(listener);
    }

    /// Whether anybody wants to hear of stations.
    pub(crate) fn want_everything(&self) -> bool {
        self.0
            .iter()
            .any(|listener| listener.wants == Wants::Everything)
    }

    /// Offers an event to all, and forgets those that have gone.
    pub(crate) fn tell(&mut self, event: &Event) {
        if self.0.is_empty() {
            return;
        }
        let time = SystemTime::now();
        self.0.retain(|listener| listener.offer(time, event));
    }

    /// Tells all that so many events were lost before they could be offered.
    pub(crate) fn tell_lost(&self, events: u64) {
        let told = |listener: &&Listener| listener.wants == Wants::Everything;
        for listener in self.0.iter().filter(told) {
            listener.shared.lost.fetch_add(events, Ordering::Relaxed);
            listener.wake();
        }
    }
}

impl Listener {
    /// Returns whether anybody still listens.
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
    fn who_is_slow_loses_and_is_told_how_much() {
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
        assert!(listeners.0.is_empty(), "nobody listens any more");
    }

    #[test]
    fn a_listener_is_woken_once_until_it_has_looked() {
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
