//! Runs a switch: the datapath on an edge-triggered poll loop with a clock.
//!
//! # Theory of operation
//!
//! [`Switch::step`] waits until a descriptor becomes readable, a task arrives or an entry is due to
//! age out; then it services ready ports for a bounded number of batches. Polling is
//! edge-triggered: an event puts its port on the ready list, where it stays until it is drained, so
//! nothing is polled again before. With nothing to do the thread sleeps without a timeout and uses
//! no CPU time.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, never, unbounded};

use crate::bridge::{Bridge, BridgeConfig, PortId};
use crate::capture::{Capture, CaptureOptions};
use crate::control::{ControlError, Handle, PortRef, Status, Task};
use crate::datapath::Datapath;
use crate::events::{Event, Events, Listener, Listeners, Wants, stream};
use crate::frame::Timestamp;
use crate::handover::{self, PortSnapshot, Snapshot};
use crate::poller::Poller;
use crate::port::{LinkState, Port, PortParts};
use crate::sys;

/// Batches between two polls of descriptors and tasks. A poll costs one system call, which is a
/// nanosecond per frame of this many full batches. They take about 200 µs, which is the longest
/// that a task or a frame from a silent port waits for a poll ...
const BATCHES_PER_ROUND: usize = 4;
/// ... unless they leave by more ports than this: each of those costs a system call as well, and a
/// broadcast to hundreds of ports half a millisecond.
const FLUSHES_PER_ROUND: usize = 256;

/// Reports why a switch could not be created or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SwitchError {
    /// The kernel refused a poller, most likely because of too many descriptors.
    #[error("can't make the switch's poller: {0}")]
    Poller(#[source] io::Error),
    /// Waiting for descriptors failed.
    #[error("the switch can't wait for its ports: {0}")]
    Wait(#[source] io::Error),
    /// The kernel refused a thread.
    #[error("can't start the switch's thread: {0}")]
    Thread(#[source] io::Error),
}

/// Schedules the calling thread, which must be the one that runs a switch, as a batch thread
/// (`SCHED_BATCH`, sched(7)). If a frame wakes it, it then does not preempt the sender on the same
/// CPU: the sender runs until it waits for the reply, and the switch runs then without a second
/// preemption. On one CPU, requests are answered an eighth sooner.
///
/// A thread with another policy, such as `SCHED_FIFO` set by chrt(1), keeps it.
pub fn schedule_in_batches() {
    match sys::schedule_in_batches() {
        Ok(true) => {}
        Ok(false) => log::debug!("the switch's thread keeps the scheduling policy it was given"),
        Err(error) => log::debug!("the switch's thread is scheduled as any other: {error}"),
    }
}

/// A switch with its ports, ready to run.
pub struct Switch {
    engine: Engine,
    tasks: Receiver<Task>,
    handle: Handle,
}

/// The parts of a switch that tasks use.
pub(crate) struct Engine {
    datapath: Datapath,
    poller: Poller,
    listeners: Listeners,
    origin: Instant,
    stopping: bool,
}

impl Switch {
    /// Creates a switch without ports.
    pub fn new(config: BridgeConfig) -> Result<Self, SwitchError> {
        Self::with_datapath(Datapath::new(config))
    }

    /// Creates a switch around `datapath`, which has no ports yet.
    pub fn with_datapath(datapath: Datapath) -> Result<Self, SwitchError> {
        let poller = Poller::new().map_err(SwitchError::Poller)?;
        let waker = poller.waker().map_err(SwitchError::Poller)?;
        let (sender, tasks) = unbounded();
        Ok(Self {
            engine: Engine {
                datapath,
                poller,
                listeners: Listeners::default(),
                origin: Instant::now(),
                stopping: false,
            },
            tasks,
            handle: Handle::new(sender, Arc::new(waker)),
        })
    }

    /// Returns a handle for other threads.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Adds a port: any [`Port`], by value or boxed. Returns its number.
    pub fn add_port(&mut self, port: impl Into<Box<dyn Port>>) -> Result<PortId, ControlError> {
        self.engine.add_port(port.into())
    }

    /// Adds a port under a given number, with a link state that is known already.
    pub fn add_port_at(
        &mut self,
        id: PortId,
        port: impl Into<Box<dyn Port>>,
        link: LinkState,
    ) -> Result<(), ControlError> {
        self.engine.add_port_at(id, port.into(), link)
    }

    /// Subscribes as [`Handle::subscribe_to_alarms`] does, before the switch runs.
    pub fn subscribe_to_alarms(
        &mut self,
        capacity: usize,
        wake: impl Fn() + Send + 'static,
    ) -> Events {
        let (listener, events) = stream(capacity, Some(Box::new(wake)), Wants::Alarms);
        self.engine.add_listener(listener);
        events
    }

    /// Sets the origin of its time to `origin`.
    pub(crate) const fn set_origin(&mut self, origin: Instant) {
        self.engine.origin = origin;
    }

    /// Adds a port that was in another process.
    pub(crate) fn go_on_with(
        &mut self,
        before: &PortSnapshot,
        port: Box<dyn Port>,
    ) -> Result<(), ControlError> {
        self.engine.add_port_at(before.id, port, before.link)?;
        let now = self.engine.now();
        self.engine.datapath.go_on_with(now, before);
        Ok(())
    }

    /// Returns the bridge with its table and configuration.
    pub const fn bridge_mut(&mut self) -> &mut Bridge {
        self.engine.datapath.bridge_mut()
    }

    /// Starts copying frames as they pass, until the [`Capture`] is stopped or dropped.
    pub fn capture(&mut self, options: CaptureOptions) -> Result<Capture, ControlError> {
        self.engine.capture(options, self.handle.clone())
    }

    /// Runs one round: waits up to `patience` (`None`: without a limit) for something to do, and
    /// does it. Returns whether the switch should continue, which is until [`Handle::stop`].
    pub fn step(&mut self, patience: Option<Duration>) -> Result<bool, SwitchError> {
        let patience = self.engine.patience(patience);
        let Engine {
            poller, datapath, ..
        } = &mut self.engine;
        poller
            .wait(patience, |port, is_error| {
                if is_error {
                    datapath.mark_failing(port);
                } else {
                    datapath.mark_ready(port);
                }
            })
            .map_err(SwitchError::Wait)?;
        for task in self.tasks.try_iter() {
            task(&mut self.engine);
        }
        if self.engine.stopping {
            // Makes pending and later requests fail with an error instead of waiting.
            self.tasks = never();
            return Ok(false);
        }
        self.engine.service();
        Ok(true)
    }

    /// Runs on this thread until [`Handle::stop`].
    pub fn run(&mut self) -> Result<(), SwitchError> {
        while self.step(None)? {}
        Ok(())
    }

    /// Runs on a thread of its own until [`Running`] is dropped or [`Handle::stop`] is called.
    ///
    /// That thread is scheduled as in [`schedule_in_batches`].
    pub fn spawn(mut self) -> Result<Running, SwitchError> {
        let handle = self.handle();
        let thread = std::thread::Builder::new()
            .name("switch".to_owned())
            .spawn(move || {
                schedule_in_batches();
                self.run()
            })
            .map_err(SwitchError::Thread)?;
        Ok(Running {
            handle,
            thread: Some(thread),
        })
    }
}

impl Engine {
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_duration(self.origin.elapsed())
    }

    pub(crate) const fn datapath_mut(&mut self) -> &mut Datapath {
        &mut self.datapath
    }

    pub(crate) fn capture(
        &mut self,
        options: CaptureOptions,
        handle: Handle,
    ) -> Result<Capture, ControlError> {
        let now = self.now();
        let mut capture = self
            .datapath
            .capture(options)
            .map_err(ControlError::Capture)?;
        capture.attach(now, handle);
        Ok(capture)
    }

    pub(crate) fn port_parts(&self, port: &PortRef) -> Result<Option<PortParts>, ControlError> {
        let no_such_port = || ControlError::NoSuchPort(port.clone());
        let port = self
            .datapath
            .port(self.find(port)?)
            .ok_or_else(no_such_port)?;
        port.parts().map_err(|source| ControlError::Parts {
            name: port.name().to_owned(),
            source,
        })
    }

    /// Returns the state between two batches.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        let stood_at = handover::monotonic();
        Snapshot {
            origin: stood_at.saturating_sub(self.origin.elapsed()),
            stood_at,
            ports: self.datapath.snapshot_ports(),
            stations: self.datapath.bridge().export(),
        }
    }

    pub(crate) const fn stop(&mut self) {
        self.stopping = true;
    }

    pub(crate) fn status(&self) -> Status {
        let bridge = self.datapath.bridge();
        Status {
            config: *bridge.config(),
            stations: bridge.station_count(),
            uptime: self.origin.elapsed(),
        }
    }

    /// Returns the number of the port, if the switch has it.
    pub(crate) fn find(&self, port: &PortRef) -> Result<PortId, ControlError> {
        let found = match port {
            PortRef::Id(id) => self.datapath.port(*id).map(|_| *id),
            PortRef::Name(name) => self.datapath.port_by_name(name),
        };
        found.ok_or_else(|| ControlError::NoSuchPort(port.clone()))
    }

    pub(crate) fn add_port(&mut self, port: Box<dyn Port>) -> Result<PortId, ControlError> {
        let name = port.name().to_owned();
        let id = self.datapath.add_port(port)?;
        self.begin_with(id, name)?;
        Ok(id)
    }

    pub(crate) fn add_port_at(
        &mut self,
        id: PortId,
        port: Box<dyn Port>,
        link: LinkState,
    ) -> Result<(), ControlError> {
        let name = port.name().to_owned();
        self.datapath.add_port_at(id, port, link)?;
        self.begin_with(id, name)
    }

    /// Watches a port that was just added and reports it; removes it if it cannot be watched.
    fn begin_with(&mut self, id: PortId, name: String) -> Result<(), ControlError> {
        if let Err(source) = self.watch(id) {
            self.datapath.remove_port(id);
            return Err(ControlError::Register { name, source });
        }
        self.tell_after_changes(&Event::PortAdded { port: id, name });
        Ok(())
    }

    /// Replaces the port of the same name by `port`, and returns the previous one.
    pub(crate) fn replace_port(
        &mut self,
        port: Box<dyn Port>,
        link: LinkState,
    ) -> Result<Box<dyn Port>, ControlError> {
        let name = port.name().to_owned();
        let id = self.find(&name.as_str().into())?;
        self.poller.unwatch(id);
        let Ok(before) = self.datapath.replace_port(id, port, link) else {
            return Err(ControlError::NoSuchPort(name.into()));
        };
        if let Err(source) = self.watch(id) {
            self.datapath.set_link(id, LinkState::Absent);
            return Err(ControlError::Register { name, source });
        }
        self.tell_changes();
        Ok(before)
    }

    pub(crate) fn remove_port(&mut self, port: &PortRef) -> Result<Box<dyn Port>, ControlError> {
        let id = self.find(port)?;
        self.poller.unwatch(id);
        let removed = self
            .datapath
            .remove_port(id)
            .ok_or_else(|| ControlError::NoSuchPort(port.clone()))?;
        // Events of its stations must precede the event of its removal.
        self.tell_after_changes(&Event::PortRemoved {
            port: id,
            name: removed.name().to_owned(),
        });
        Ok(removed)
    }

    pub(crate) fn add_listener(&mut self, listener: Listener) {
        self.listeners.add(listener);
        let everything = self.listeners.want_everything();
        self.datapath.bridge_mut().enable_events(everything);
    }

    fn watch(&mut self, id: PortId) -> io::Result<()> {
        match self.datapath.port(id).and_then(Port::fd) {
            Some(fd) => self.poller.watch(id, fd.as_raw_fd()),
            None => Ok(()),
        }
    }

    /// Returns how long to wait: not at all if there is work, else until the next entry ages out,
    /// for which the poller's alarm is set.
    fn patience(&mut self, most: Option<Duration>) -> Option<Duration> {
        if self.datapath.has_work() {
            return Some(Duration::ZERO);
        }
        if let Some(timeout) = self.datapath.bridge().next_timeout() {
            let origin = self.origin;
            let left = || timeout.since(Timestamp::from_duration(origin.elapsed()));
            self.poller.set_alarm(timeout, left);
        }
        most
    }

    /// Services ready ports, ages out entries and notifies subscribers.
    fn service(&mut self) {
        let mut now = self.now();
        let mut flushed = 0;
        for _ in 0..BATCHES_PER_ROUND {
            let Some(serviced) = self.datapath.service(now) else {
                break;
            };
            self.poller.note(serviced.port, serviced.frames);
            flushed += serviced.flushed;
            if flushed >= FLUSHES_PER_ROUND {
                break;
            }
            if self.datapath.has_work() {
                now = self.now();
            }
        }
        let next = self.datapath.bridge().next_timeout();
        if next.is_some_and(|timeout| timeout <= now) {
            self.datapath.handle_timeout(now);
        }
        self.tell_changes();
    }

    fn tell_changes(&mut self) {
        let mut gone = Vec::new(); // allocates only when a device has vanished
        for (port, state) in self.datapath.take_link_changes() {
            if state == LinkState::Absent {
                gone.push(port);
            }
            self.listeners.tell(&Event::Link { port, state });
        }
        for port in gone {
            self.poller.unwatch(port);
        }
        while let Some(alarm) = self.datapath.bridge_mut().next_alarm() {
            self.listeners.tell(&Event::Alarm(alarm));
        }
        if !self.listeners.want_everything() {
            // Without a subscriber, however the last one left, no events are collected.
            self.datapath.bridge_mut().enable_events(false);
            return;
        }
        while let Some(event) = self.datapath.bridge_mut().next_event() {
            self.listeners.tell(&Event::Station(event));
        }
        match self.datapath.bridge_mut().take_lost_events() {
            0 => {}
            lost => self.listeners.tell_lost(lost),
        }
    }

    /// Reports the result of a command, after earlier events.
    pub(crate) fn tell_after_changes(&mut self, event: &Event) {
        self.tell_changes();
        self.listeners.tell(event);
    }
}

/// A switch that runs on its own thread. Dropping it stops the switch and waits for the thread.
pub struct Running {
    handle: Handle,
    thread: Option<JoinHandle<Result<(), SwitchError>>>,
}

impl Running {
    /// Returns a handle for this and other threads.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops the switch and returns how it ended. A panic of its thread is propagated.
    pub fn stop(mut self) -> Result<(), SwitchError> {
        self.handle.stop();
        self.join()
    }

    /// Waits until the switch ends by itself or by [`Handle::stop`], and returns how.
    pub fn wait(mut self) -> Result<(), SwitchError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), SwitchError> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(ended)) => ended,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been printed; a second one here would abort.
            let _ = thread.join();
        }
    }
}
