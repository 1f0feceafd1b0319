//! How other threads speak with a running switch: a [`Handle`] that sends it tasks, and
//! [`Events`] that it sends to whoever listens.
//!
//! # Theory of operation
//!
//! One thread owns the bridge and its ports. A task is a closure that this thread runs between
//! two batches; its result comes back through a channel made for it. So every method of the
//! handle is typed, and nothing on the forwarding path is locked. A task is short: a table of
//! a million stations is read in pages, with batches between them.

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
use crate::port::{Frame, LinkState, Port, PortParts};
use crate::switch::Engine;

/// Stations read in one task, so that the forwarding thread is never held up for long.
const STATIONS_PER_TASK: usize = 4096;

pub(crate) type Task = Box<dyn FnOnce(&mut Engine) + Send>;

/// Why a switch did not do what a [`Handle`] asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Its thread has ended.
    #[error("the switch has stopped")]
    Stopped,
    /// No port has that name.
    #[error("the switch has no port named '{0}'")]
    NoSuchPort(String),
    /// The port could not be added.
    #[error(transparent)]
    AddPort(#[from] AddPortError),
    /// The port's descriptor could not be polled.
    #[error("the port '{name}' can't be polled: {source}")]
    Register {
        /// The port's name.
        name: String,
        /// What the poller said.
        source: std::io::Error,
    },
    /// The static station could not be added.
    #[error(transparent)]
    Static(#[from] StaticError),
    /// The port could not be taken apart.
    #[error("the port '{name}' can't be handed over: {source}")]
    Parts {
        /// The port's name.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system gave no descriptor for a capture.
    #[error("can't capture frames: {0}")]
    Capture(#[source] std::io::Error),
}

/// What a switch is set to and how full its table is.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its settings.
    pub config: BridgeConfig,
    /// Stations in the table, static ones included.
    pub stations: usize,
    /// How long it has existed.
    pub uptime: Duration,
}

/// Speaks with a switch from any thread. Clones speak with the same switch.
///
/// Each method waits until the switch's thread has done it, which is a matter of
/// microseconds; do not call one from the thread that runs the switch.
#[derive(Clone)]
pub struct Handle {
    tasks: Sender<Task>,
    waker: Arc<Waker>,
}

impl Handle {
    pub(crate) const fn new(tasks: Sender<Task>, waker: Arc<Waker>) -> Self {
        Self { tasks, waker }
    }

    /// Has the switch's thread run `task` and returns its result.
    fn ask<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<T, ControlError> {
        let (reply, answer) = bounded(1);
        let task: Task = Box::new(move |engine| {
            // The asker may have gone: then nobody misses the answer.
            let _ = reply.send(task(engine));
        });
        self.tasks.send(task).map_err(|_| ControlError::Stopped)?;
        self.waker.wake().map_err(|_| ControlError::Stopped)?;
        answer.recv().map_err(|_| ControlError::Stopped)
    }

    /// Plugs in a port.
    pub fn add_port(&self, port: Box<dyn Port>) -> Result<PortId, ControlError> {
        self.ask(move |engine| engine.add_port(port))?
    }

    /// Plugs in a port under a given number, and with a link of which somebody knows already: one
    /// that was here before.
    pub fn add_port_at(
        &self,
        id: PortId,
        port: Box<dyn Port>,
        link: LinkState,
    ) -> Result<(), ControlError> {
        self.ask(move |engine| engine.add_port_at(id, port, link))?
    }

    /// Puts `port` in the place of the one of its name, whose number, counters and static stations
    /// it takes over. Returns the one before. Where the new one cannot be polled it stays, as
    /// absent.
    pub fn replace_port(
        &self,
        port: Box<dyn Port>,
        link: LinkState,
    ) -> Result<Box<dyn Port>, ControlError> {
        self.ask(move |engine| engine.replace_port(port, link))?
    }

    /// Unplugs the port of that name; its stations are forgotten. Returns the port.
    pub fn remove_port(&self, name: &str) -> Result<Box<dyn Port>, ControlError> {
        let name = name.to_owned();
        self.ask(move |engine| engine.remove_port(&name))?
    }

    /// All ports in the order of their numbers.
    pub fn ports(&self) -> Result<Vec<PortInfo>, ControlError> {
        self.ask(|engine| {
            let now = engine.now();
            engine.datapath_mut().port_infos(now)
        })
    }

    /// Tells the switch what is known of a port's link from elsewhere.
    pub fn set_link(&self, port: PortId, state: LinkState) -> Result<(), ControlError> {
        self.ask(move |engine| engine.datapath_mut().set_link(port, state))
    }

    /// Tells the switch the MTU of the interface at the other end of a port's cable; `None` if it is
    /// not known.
    pub fn set_peer_mtu(&self, port: PortId, mtu_bytes: Option<usize>) -> Result<(), ControlError> {
        self.ask(move |engine| engine.datapath_mut().set_peer_mtu(port, mtu_bytes))
    }

    /// Tells the switch that a port's interface removes the first VLAN tag of a frame with this mark,
    /// and has the next one travel beside the frame; `None` if it does not.
    pub fn set_tags_aside(&self, port: PortId, mark: Option<u32>) -> Result<(), ControlError> {
        self.ask(move |engine| engine.datapath_mut().set_tags_aside(port, mark))
    }

    /// The switch's settings, and how full its table is.
    pub fn status(&self) -> Result<Status, ControlError> {
        self.ask(|engine| engine.status())
    }

    /// [`Handle::status`] and [`Handle::ports`], of one moment and with one answer to wait for.
    pub fn survey(&self) -> Result<(Status, Vec<PortInfo>), ControlError> {
        self.ask(|engine| {
            let now = engine.now();
            (engine.status(), engine.datapath_mut().port_infos(now))
        })
    }

    /// Changes the settings; a table that is now too full evicts, fairly between ports.
    pub fn set_config(&self, config: BridgeConfig) -> Result<(), ControlError> {
        self.ask(move |engine| {
            let now = engine.now();
            engine.datapath_mut().bridge_mut().set_config(now, config);
        })
    }

    /// Sets the bounds of the port of that name; where none is set, those of the switch hold.
    pub fn set_port(&self, port: &str, settings: PortSettings) -> Result<(), ControlError> {
        let port = port.to_owned();
        self.ask(move |engine| {
            let id = engine.port_by_name(&port)?;
            let bridge = engine.datapath_mut().bridge_mut();
            bridge.set_port_settings(id, settings);
            Ok(())
        })?
    }

    /// Lets the port of that name forward again at once that is blocked because it was part of a
    /// loop. Returns whether it was.
    pub fn unblock(&self, port: &str) -> Result<bool, ControlError> {
        let port = port.to_owned();
        self.ask(move |engine| {
            let id = engine.port_by_name(&port)?;
            Ok(engine.datapath_mut().bridge_mut().unblock(id))
        })?
    }

    /// All stations, in no particular order. The table is read in pages between batches: a
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

    /// Binds a station to a port until it is removed by hand or the port is.
    pub fn add_static(&self, vlan: VlanId, mac: MacAddr, port: &str) -> Result<(), ControlError> {
        let port = port.to_owned();
        self.ask(move |engine| {
            let id = engine.port_by_name(&port)?;
            let bridge = engine.datapath_mut().bridge_mut();
            bridge.add_static(vlan, mac, id)?;
            let port = id;
            engine.tell_after_changes(&Event::StaticAdded { vlan, mac, port });
            Ok(())
        })?
    }

    /// Forgets a station, static or not, in one VLAN or in all. Returns how many entries it had.
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

    /// Forgets the stations that were learnt, on one port or on all. Returns how many.
    pub fn flush(&self, port: Option<&str>) -> Result<usize, ControlError> {
        let port = port.map(str::to_owned);
        self.ask(move |engine| {
            let id = port.map(|name| engine.port_by_name(&name)).transpose()?;
            let stations = engine.datapath_mut().bridge_mut().flush(id);
            engine.tell_after_changes(&Event::Flushed { port: id, stations });
            Ok(stations)
        })?
    }

    /// Listens to what happens from now on; at most `capacity` events wait for the listener.
    pub fn subscribe(&self, capacity: usize) -> Result<Events, ControlError> {
        self.listen(capacity, None, Wants::Everything)
    }

    /// The same for a listener that waits for other things besides: `wake` is called by the
    /// switch's thread, and must not block, when events wait that [`Events::take`] has not been
    /// called for.
    pub fn subscribe_with(
        &self,
        capacity: usize,
        wake: impl Fn() + Send + 'static,
    ) -> Result<Events, ControlError> {
        self.listen(capacity, Some(Box::new(wake)), Wants::Everything)
    }

    /// The same for [`Event::Alarm`] alone. Unlike who listens to everything, it costs the switch
    /// nothing while all is well.
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

    /// Begins to copy frames as they pass, until the [`Capture`] is stopped or dropped.
    pub fn capture(&self, options: CaptureOptions) -> Result<Capture, ControlError> {
        let handle = self.clone();
        self.ask(move |engine| engine.capture(options, handle))?
    }

    /// Has the switch's thread end the captures that nobody reads any more; does not wait.
    pub(crate) fn sweep_captures(&self) {
        let task: Task = Box::new(|engine| engine.datapath_mut().sweep_captures());
        if self.tasks.send(task).is_ok() {
            // Fails where the switch has stopped, and its captures with it.
            let _ = self.waker.wake();
        }
    }

    /// What the switch would do with a frame that came in by the port of that name, and why.
    /// Nothing is sent, and nothing changed.
    pub fn explain(
        &self,
        port: &str,
        bytes: Vec<u8>,
        offload: Offload,
    ) -> Result<Explanation, ControlError> {
        let port = port.to_owned();
        self.ask(move |engine| {
            let id = engine.port_by_name(&port)?;
            let now = engine.now();
            let frame = Frame {
                bytes: &bytes,
                offload,
            };
            Ok(engine.datapath_mut().explain(now, id, &frame))
        })?
    }

    /// Has the switch's thread call `task` between two batches, and does not wait for it. It is to
    /// be short: a sign of life, for instance.
    pub fn post(&self, task: impl FnOnce() + Send + 'static) -> Result<(), ControlError> {
        let task: Task = Box::new(move |_| task());
        self.tasks.send(task).map_err(|_| ControlError::Stopped)?;
        self.waker.wake().map_err(|_| ControlError::Stopped)
    }

    /// What another process needs to go on with a port, which stays as it is; `None` for one that
    /// cannot leave this process. See [`crate::handover`].
    pub fn port_parts(&self, id: PortId) -> Result<Option<PortParts>, ControlError> {
        self.ask(move |engine| engine.port_parts(id))?
    }

    /// Has the switch stand still between two batches and its thread call `pass` with where it
    /// stands. No frame moves meanwhile; `pass` says how it goes on. See [`crate::handover`].
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

    /// Ends the switch's thread after the batch at hand. A switch that has ended already is
    /// none the worse for it.
    pub fn stop(&self) {
        let _ = self.ask(Engine::stop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Switch;
    use crate::port::VacantPort;
    use crate::port::memory::{self, MemoryOptions};

    #[test]
    fn a_switch_that_was_stopped_answers_nobody_and_holds_nobody_up() {
        let mut switch = Switch::new(BridgeConfig::default()).unwrap();
        let handle = switch.handle();
        let asker = std::thread::spawn(move || {
            handle.stop();
            handle.stop();
            handle.ports().map(|ports| ports.len())
        });
        switch.run().unwrap();
        let answer = asker.join().unwrap();
        assert!(matches!(answer, Err(ControlError::Stopped)), "{answer:?}");
        drop(switch); // it was there all the time
    }

    #[test]
    fn a_port_held_down_keeps_what_comes_before_it_is_up_again() {
        let mut switch = Switch::new(BridgeConfig::default()).unwrap();
        let (a, a_cable) = memory::pair("a", MemoryOptions::default()).unwrap();
        let (b, b_cable) = memory::pair("b", MemoryOptions::default()).unwrap();
        let a = switch.add_port(Box::new(a)).unwrap();
        switch.add_port(Box::new(b)).unwrap();
        let running = switch.spawn().unwrap();
        let handle = running.handle();
        let frame = |last| [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1, 0x88, 0xb5, last]].concat();

        handle.set_link(a, LinkState::Down).unwrap();
        handle.ports().unwrap(); // a round later all that was there has been dropped
        a_cable.send(&frame(1)).unwrap();
        assert_eq!(handle.ports().unwrap()[0].link, LinkState::Down);
        assert_eq!(b_cable.try_recv(), None);
        handle.set_link(a, LinkState::Up).unwrap();
        let arrived = b_cable.recv_timeout(Duration::from_secs(120)).unwrap();
        assert_eq!(arrived.bytes, frame(1));

        handle.set_link(a, LinkState::Absent).unwrap();
        handle.set_link(a, LinkState::Up).unwrap();
        assert_eq!(handle.ports().unwrap()[0].link, LinkState::Absent);
        running.stop().unwrap();
    }

    #[test]
    fn a_port_comes_back_as_it_was() {
        let mut switch = Switch::new(BridgeConfig::default()).unwrap();
        let (b, b_cable) = memory::pair("b", MemoryOptions::default()).unwrap();
        let vacant = Box::new(VacantPort::new("a".to_owned(), 1500));
        let a = PortId(7);
        switch.add_port_at(a, vacant, LinkState::Absent).unwrap();
        switch.add_port(Box::new(b)).unwrap();
        let running = switch.spawn().unwrap();
        let handle = running.handle();
        let station = MacAddr([2, 0, 0, 0, 0, 1]);
        handle.add_static(VlanId::NONE, station, "a").unwrap();
        let frame = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &[0x88, 0xb5]].concat();
        b_cable.send(&frame).unwrap();
        while handle.ports().unwrap()[0].counters.rx.frames == 0 {}

        let (again, a_cable) = memory::pair("a", MemoryOptions::default()).unwrap();
        let before = handle.replace_port(Box::new(again), LinkState::Up).unwrap();
        assert_eq!(before.driver(), "none");
        b_cable.send(&frame).unwrap();
        let arrived = a_cable.recv_timeout(Duration::from_secs(120)).unwrap();
        assert_eq!(arrived.bytes, frame);
        assert_eq!(a_cable.try_recv(), None, "what came before is lost");
        let ports = handle.ports().unwrap();
        assert_eq!((ports[1].id, ports[1].link), (a, LinkState::Up));
        assert_eq!(ports[1].counters.tx.frames, 1);
        let (other, _) = memory::pair("c", MemoryOptions::default()).unwrap();
        let refused = handle.replace_port(Box::new(other), LinkState::Up);
        assert!(matches!(refused, Err(ControlError::NoSuchPort(_))));
        running.stop().unwrap();
    }
}
