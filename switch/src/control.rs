//! Controls a running switch from other threads: a [`Handle`] that sends tasks to it, and
//! [`Events`] that it sends to subscribers.
//!
//! # Theory of operation
//!
//! One thread owns the bridge and its ports. A task is a closure that this thread runs between two
//! batches; the result comes back through a channel created for it. So every method of the handle
//! is typed, and nothing on the forwarding path is locked. Tasks are short: a table of a million
//! stations is read in pages, with batches between them.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use mio::Waker;

use crate::bridge::{BridgeConfig, Cursor, PortId, PortSettings, StaticError, Station};
use crate::capture::{Capture, CaptureOptions};
use crate::datapath::{AddPortError, Explanation, PortInfo};
use crate::events::{self, Wants};
pub use crate::events::{Event, Events, Notice};
use crate::frame::{MacAddr, Offload, VlanId};
use crate::handover::{Snapshot, Then};
pub use crate::port::PortRef;
use crate::port::{Frame, LinkState, Port, PortParts};
use crate::switch::Engine;

/// Stations read in one task, so that the forwarding thread is never blocked for long.
const STATIONS_PER_TASK: usize = 4096;

pub(crate) type Task = Box<dyn FnOnce(&mut Engine) + Send>;

/// Reports why a switch did not do what a [`Handle`] requested.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The switch's thread has ended.
    #[error("the switch has stopped")]
    Stopped,
    /// No port has that name.
    #[error("the switch has no port {0}")]
    NoSuchPort(PortRef),
    /// The port could not be added.
    #[error(transparent)]
    AddPort(#[from] AddPortError),
    /// The port's descriptor could not be polled.
    #[error("the port '{name}' can't be polled: {source}")]
    Register {
        /// The port's name.
        name: String,
        /// The error from the poller.
        source: std::io::Error,
    },
    /// The static station could not be added.
    #[error(transparent)]
    Static(#[from] StaticError),
    /// The parts of the port are not available.
    #[error("the port '{name}' can't be handed over: {source}")]
    Parts {
        /// The port's name.
        name: String,
        /// The error from the system.
        source: std::io::Error,
    },
    /// No descriptor is available for a capture.
    #[error("can't capture frames: {0}")]
    Capture(#[source] std::io::Error),
}

/// The configuration of a switch and the size of its table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Its settings.
    pub config: BridgeConfig,
    /// Stations in the table, static ones included.
    pub stations: usize,
    /// How long it has existed.
    pub uptime: Duration,
}

/// Controls a switch from any thread. Clones control the same switch.
///
/// Each method waits until the switch's thread has finished the task, which takes microseconds. Do
/// not call one from the thread that runs the switch.
#[derive(Clone)]
pub struct Handle {
    tasks: Sender<Task>,
    waker: Arc<Waker>,
}

impl Handle {
    pub(crate) const fn new(tasks: Sender<Task>, waker: Arc<Waker>) -> Self {
        Self { tasks, waker }
    }

    /// Runs `task` on the switch's thread and returns its result.
    fn ask<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<T, ControlError> {
        let (reply, answer) = bounded(1);
        let task: Task = Box::new(move |engine| {
            // The caller's thread may be gone; the result is then dropped.
            let _ = reply.send(task(engine));
        });
        self.tasks.send(task).map_err(|_| ControlError::Stopped)?;
        self.waker.wake().map_err(|_| ControlError::Stopped)?;
        answer.recv().map_err(|_| ControlError::Stopped)
    }

    /// Runs `task` with the number of a port on the switch's thread.
    fn with_port<T: Send + 'static>(
        &self,
        port: impl Into<PortRef>,
        task: impl FnOnce(&mut Engine, PortId) -> T + Send + 'static,
    ) -> Result<T, ControlError> {
        let port = port.into();
        self.ask(move |engine| {
            let id = engine.find(&port)?;
            Ok(task(engine, id))
        })?
    }

    /// Adds a port: any [`Port`], by value or boxed. Returns its number.
    pub fn add_port(&self, port: impl Into<Box<dyn Port>>) -> Result<PortId, ControlError> {
        let port = port.into();
        self.ask(move |engine| engine.add_port(port))?
    }

    /// Adds a port under a given number, with a link state that is known already.
    pub fn add_port_at(
        &self,
        id: PortId,
        port: impl Into<Box<dyn Port>>,
        link: LinkState,
    ) -> Result<(), ControlError> {
        let port = port.into();
        self.ask(move |engine| engine.add_port_at(id, port, link))?
    }

    /// Replaces the port of the same name by `port`, which takes over its number, counters and
    /// static entries. Returns the previous port. If the new port cannot be polled, it stays with
    /// its link state absent.
    pub fn replace_port(
        &self,
        port: impl Into<Box<dyn Port>>,
        link: LinkState,
    ) -> Result<Box<dyn Port>, ControlError> {
        let port = port.into();
        self.ask(move |engine| engine.replace_port(port, link))?
    }

    /// Removes a port and all its entries. Returns the port.
    pub fn remove_port(&self, port: impl Into<PortRef>) -> Result<Box<dyn Port>, ControlError> {
        let port = port.into();
        self.ask(move |engine| engine.remove_port(&port))?
    }

    /// Returns one port: its link, counters and limits.
    pub fn port(&self, port: impl Into<PortRef>) -> Result<PortInfo, ControlError> {
        let port = port.into();
        self.ask(move |engine| {
            let (id, now) = (engine.find(&port)?, engine.now());
            let info = engine.datapath_mut().port_info(now, id);
            info.ok_or(ControlError::NoSuchPort(port))
        })?
    }

    /// Returns all ports in the order of their numbers.
    pub fn ports(&self) -> Result<Vec<PortInfo>, ControlError> {
        self.ask(|engine| {
            let now = engine.now();
            engine.datapath_mut().port_infos(now)
        })
    }

    /// Sets a port's link state as known from another source.
    pub fn set_link(&self, port: impl Into<PortRef>, state: LinkState) -> Result<(), ControlError> {
        self.with_port(port, move |engine, id| {
            engine.datapath_mut().set_link(id, state);
        })
    }

    /// Sets the MTU of the interface at the other end of a port's veth pair; `None` if it is
    /// unknown.
    pub fn set_peer_mtu(
        &self,
        port: impl Into<PortRef>,
        mtu_bytes: Option<usize>,
    ) -> Result<(), ControlError> {
        self.with_port(port, move |engine, id| {
            engine.datapath_mut().set_peer_mtu(id, mtu_bytes);
        })
    }

    /// Sets the mark with which a port's interface removes the first VLAN tag of a frame and moves
    /// the next one into metadata; `None` if it does not.
    pub fn set_tags_aside(
        &self,
        port: impl Into<PortRef>,
        mark: Option<u32>,
    ) -> Result<(), ControlError> {
        self.with_port(port, move |engine, id| {
            engine.datapath_mut().set_tags_aside(id, mark);
        })
    }

    /// Returns the configuration, and the size of the table.
    pub fn status(&self) -> Result<Status, ControlError> {
        self.ask(|engine| engine.status())
    }

    /// Returns [`Handle::status`] and [`Handle::ports`] of the same moment, in one round trip.
    pub fn survey(&self) -> Result<(Status, Vec<PortInfo>), ControlError> {
        self.ask(|engine| {
            let now = engine.now();
            (engine.status(), engine.datapath_mut().port_infos(now))
        })
    }

    /// Changes the configuration; surplus entries are evicted, fairly between ports.
    pub fn set_config(&self, config: BridgeConfig) -> Result<(), ControlError> {
        self.ask(move |engine| {
            let now = engine.now();
            engine.datapath_mut().bridge_mut().set_config(now, config);
        })
    }

    /// Sets the limits of a port; the switch's limits apply where a setting is `None`.
    pub fn set_port(
        &self,
        port: impl Into<PortRef>,
        settings: PortSettings,
    ) -> Result<(), ControlError> {
        self.with_port(port, move |engine, id| {
            let bridge = engine.datapath_mut().bridge_mut();
            bridge.set_port_settings(id, settings);
        })
    }

    /// Unblocks a port that was part of a loop. Returns whether it was blocked.
    pub fn unblock(&self, port: impl Into<PortRef>) -> Result<bool, ControlError> {
        self.with_port(port, |engine, id| {
            engine.datapath_mut().bridge_mut().unblock(id)
        })
    }

    /// Returns all stations, in no particular order. The table is read in pages between batches: a
    /// station that moves meanwhile may appear twice or not at all.
    pub fn stations(&self) -> Result<Vec<Station>, ControlError> {
        let mut all = Vec::new();
        let mut from = Some(Cursor::default());
        while let Some(cursor) = from {
            let (page, next) = self.ask(move |engine| {
                let mut page = Vec::new();
                let now = engine.now();
                let bridge = engine.datapath_mut().bridge_mut();
                let next = bridge.stations(now, cursor, &mut page, STATIONS_PER_TASK);
                (page, next)
            })?;
            all.extend(page);
            from = next;
        }
        Ok(all)
    }

    /// Adds a static entry, which stays until the entry or the port is removed.
    pub fn add_static(
        &self,
        vlan: VlanId,
        mac: MacAddr,
        port: impl Into<PortRef>,
    ) -> Result<(), ControlError> {
        let port = port.into();
        self.ask(move |engine| {
            let id = engine.find(&port)?;
            let bridge = engine.datapath_mut().bridge_mut();
            bridge.add_static(vlan, mac, id)?;
            let port = id;
            engine.tell_after_changes(&Event::StaticAdded { vlan, mac, port });
            Ok(())
        })?
    }

    /// Removes the entries of a station, static or not, in one VLAN or in all. Returns how many
    /// there were.
    pub fn remove_station(
        &self,
        mac: MacAddr,
        vlan: Option<VlanId>,
    ) -> Result<usize, ControlError> {
        self.ask(move |engine| {
            let bridge = engine.datapath_mut().bridge_mut();
            let removed = bridge.remove_station(mac, vlan);
            if removed > 0 {
                engine.tell_after_changes(&Event::StationRemoved { vlan, mac });
            }
            removed
        })
    }

    /// Removes all learnt entries. Returns how many there were.
    pub fn flush(&self) -> Result<usize, ControlError> {
        self.flush_stations(None)
    }

    /// Removes the entries learnt on one port. Returns how many there were.
    pub fn flush_port(&self, port: impl Into<PortRef>) -> Result<usize, ControlError> {
        self.flush_stations(Some(port.into()))
    }

    fn flush_stations(&self, port: Option<PortRef>) -> Result<usize, ControlError> {
        self.ask(move |engine| {
            let id = port.map(|port| engine.find(&port)).transpose()?;
            let stations = engine.datapath_mut().bridge_mut().flush(id);
            engine.tell_after_changes(&Event::Flushed { port: id, stations });
            Ok(stations)
        })?
    }

    /// Subscribes to events from now on; at most `capacity` events are queued.
    pub fn subscribe(&self, capacity: usize) -> Result<Events, ControlError> {
        self.listen(capacity, None, Wants::Everything)
    }

    /// Subscribes for a listener that also waits for other things. The switch's thread calls
    /// `wake`, which must not block, when events are queued for which [`Events::take`] has not been
    /// called.
    pub fn subscribe_with(
        &self,
        capacity: usize,
        wake: impl Fn() + Send + 'static,
    ) -> Result<Events, ControlError> {
        self.listen(capacity, Some(Box::new(wake)), Wants::Everything)
    }

    /// Subscribes to [`Event::Alarm`] only. Unlike a subscription to all events, it costs the
    /// switch nothing while there are no alarms.
    pub fn subscribe_to_alarms(
        &self,
        capacity: usize,
        wake: impl Fn() + Send + 'static,
    ) -> Result<Events, ControlError> {
        self.listen(capacity, Some(Box::new(wake)), Wants::Alarms)
    }

    fn listen(
        &self,
        capacity: usize,
        wake: Option<Box<dyn Fn() + Send>>,
        wants: Wants,
    ) -> Result<Events, ControlError> {
        let (listener, events) = events::stream(capacity, wake, wants);
        self.ask(move |engine| engine.add_listener(listener))?;
        Ok(events)
    }

    /// Starts copying frames as they pass, until the [`Capture`] is stopped or dropped.
    pub fn capture(&self, options: CaptureOptions) -> Result<Capture, ControlError> {
        let handle = self.clone();
        self.ask(move |engine| engine.capture(options, handle))?
    }

    /// Makes the switch's thread end captures whose reader is gone; does not wait.
    pub(crate) fn sweep_captures(&self) {
        let task: Task = Box::new(|engine| engine.datapath_mut().sweep_captures());
        if self.tasks.send(task).is_ok() {
            // Fails if the switch has stopped, which also ends its captures.
            let _ = self.waker.wake();
        }
    }

    /// Returns what the switch would do with a frame received on a port, and why. Sends nothing and
    /// changes nothing.
    pub fn explain(
        &self,
        port: impl Into<PortRef>,
        bytes: Vec<u8>,
        offload: Offload,
    ) -> Result<Explanation, ControlError> {
        self.with_port(port, move |engine, id| {
            let now = engine.now();
            let frame = Frame {
                bytes: &bytes,
                offload,
            };
            engine.datapath_mut().explain(now, id, &frame)
        })
    }

    /// Queues `task` for the switch's thread, which runs it between two batches, and does not wait.
    /// The task must be short, such as a heartbeat.
    pub fn post(&self, task: impl FnOnce() + Send + 'static) -> Result<(), ControlError> {
        let task: Task = Box::new(move |_| task());
        self.tasks.send(task).map_err(|_| ControlError::Stopped)?;
        self.waker.wake().map_err(|_| ControlError::Stopped)
    }

    /// Returns what another process needs to take over a port, which stays as it is; `None` for a
    /// port that cannot leave this process. See [`crate::handover`].
    pub fn port_parts(&self, port: impl Into<PortRef>) -> Result<Option<PortParts>, ControlError> {
        let port = port.into();
        self.ask(move |engine| engine.port_parts(&port))?
    }

    /// Pauses the switch between two batches and calls `pass` on its thread with a snapshot. No
    /// frame is forwarded meanwhile; `pass` returns what happens next. See [`crate::handover`].
    pub fn stand_still<T: Send + 'static>(
        &self,
        pass: impl FnOnce(&Snapshot) -> (T, Then) + Send + 'static,
    ) -> Result<T, ControlError> {
        self.ask(move |engine| {
            let (told, then) = pass(&engine.snapshot());
            if then == Then::End {
                engine.stop();
            }
            told
        })
    }

    /// Ends the switch's thread after the current batch. Does nothing if the switch has already
    /// stopped.
    pub fn stop(&self) {
        let _ = self.ask(Engine::stop);
    }
}

#[cfg(test)]
mod tests;
