//! Combines ports and bridge: moves batches from ready ports through the bridge to other ports.
//!
//! # Theory of operation
//!
//! A port that may have frames stands on the ready list. [`Datapath::service`] takes the port
//! that has waited longest, receives one batch from it, lets the bridge fill one output queue
//! per egress port with indices into that batch, and flushes the queues: frames go from the
//! memory where they were received straight to the egress ports, and a flood shares the same
//! bytes. A port that may have more goes to the end of the list, so every ready port gets one
//! batch per round, however busy the others are.
//!
//! While a batch is handled, its port is not in the table. The bridge never sends a frame back out
//! of its ingress port, so the port is not needed there.

mod explain;
mod flush;
mod table;

use crate::bridge::{
    Blocked, Bridge, BridgeConfig, LoopProbe, NumberError, OutputQueues, PortId, PortLimits,
    PortSettings, TooManyPorts,
};
use crate::capture::{Capture, CaptureOptions, Recorders};
use crate::frame::Timestamp;
use crate::handover::PortSnapshot;
use crate::port::{Arena, Batch, Counters, Frame, LinkState, Port, RxStatus, SoftwareOffload};
pub use explain::{Egress, Explanation, Leaving};
use flush::{flush, note_link_lost};
use table::{PortTable, Slot};

/// A bridge with its ports. Reads no clock and never waits: a poll loop, a simulation or a
/// benchmark drives it.
pub struct Datapath {
    bridge: Bridge,
    table: PortTable,
    queues: OutputQueues,
    arena: Arena,
    recorders: Recorders,
}

/// Reports why a port could not be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddPortError {
    /// Another port has that name.
    #[error("the switch already has a port '{0}': remove that one first, or use another name")]
    DuplicateName(String),
    /// No port number is left.
    #[error(transparent)]
    TooManyPorts(#[from] TooManyPorts),
    /// The port cannot have that number.
    #[error(transparent)]
    Number(#[from] NumberError),
}

/// Information about a port.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PortInfo {
    /// Its number in the switch.
    pub id: PortId,
    /// Its name, such as that of its interface.
    pub name: String,
    /// Its kind and how it moves frames.
    pub driver: &'static str,
    /// The state of its link.
    pub link: LinkState,
    /// The largest payload behind the Ethernet header, in bytes.
    pub mtu_bytes: usize,
    /// Its traffic and drops.
    pub counters: Counters,
    /// The limits that were set for this port.
    pub settings: PortSettings,
    /// The limits that apply.
    pub limits: PortLimits,
    /// The block, if the port is blocked as part of a loop.
    pub blocked: Option<Blocked>,
}

/// The result of [`Datapath::service`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Serviced {
    /// The port that was serviced.
    pub port: PortId,
    /// How many frames it received.
    pub frames: usize,
    /// How many ports some of them left by.
    pub flushed: usize,
}

impl Datapath {
    /// Creates a switch without ports.
    #[must_use]
    pub fn new(config: BridgeConfig) -> Self {
        Self::with_bridge(Bridge::new(config))
    }

    /// Creates a switch around `bridge`, which has no ports yet.
    #[must_use]
    pub fn with_bridge(bridge: Bridge) -> Self {
        Self {
            bridge,
            table: PortTable::default(),
            queues: OutputQueues::default(),
            arena: Arena::new(),
            recorders: Recorders::default(),
        }
    }

    /// Returns the bridge with its table and configuration.
    #[must_use]
    pub const fn bridge(&self) -> &Bridge {
        &self.bridge
    }

    /// Returns the bridge for changes of its table and configuration. Add and remove ports through
    /// the datapath only.
    pub const fn bridge_mut(&mut self) -> &mut Bridge {
        &mut self.bridge
    }

    /// Adds `port`, which may have frames already. If it does not take offloads, they are done in
    /// software before it.
    pub fn add_port(&mut self, port: impl Into<Box<dyn Port>>) -> Result<PortId, AddPortError> {
        let port = port.into();
        self.refuse_duplicate(port.name())?;
        let id = self.bridge.add_port()?;
        self.plug(id, port);
        Ok(id)
    }

    /// Adds a port with a given number and a known link state: for a port that existed before.
    pub fn add_port_at(
        &mut self,
        id: PortId,
        port: impl Into<Box<dyn Port>>,
        link: LinkState,
    ) -> Result<(), AddPortError> {
        let port = port.into();
        self.refuse_duplicate(port.name())?;
        self.bridge.add_port_at(id)?;
        self.plug(id, port);
        self.set_link(id, link);
        Ok(())
    }

    /// Replaces the port of that number by `port`, which takes over its name, counters and static
    /// entries; the learnt entries are removed unless both links are up. Returns the previous port,
    /// or the new one if there is no port of that number.
    pub fn replace_port(
        &mut self,
        id: PortId,
        port: impl Into<Box<dyn Port>>,
        link: LinkState,
    ) -> Result<Box<dyn Port>, Box<dyn Port>> {
        let port = in_software_if_needed(port.into());
        let before = self.table.replace(id, port)?;
        if link != LinkState::Absent {
            self.table.note_link(id, LinkState::Up);
        }
        self.set_link(id, link);
        Ok(before)
    }

    fn refuse_duplicate(&self, name: &str) -> Result<(), AddPortError> {
        match self.port_by_name(name) {
            Some(_) => Err(AddPortError::DuplicateName(name.to_owned())),
            None => Ok(()),
        }
    }

    fn plug(&mut self, id: PortId, port: Box<dyn Port>) {
        let port = in_software_if_needed(port);
        self.queues.add_port(id);
        self.recorders.plug(id, port.name());
        self.table.insert(id, port);
    }

    /// Removes a port and its entries. Returns it, if there was one of that number.
    pub fn remove_port(&mut self, id: PortId) -> Option<Box<dyn Port>> {
        let slot = self.table.remove(id)?;
        self.bridge.remove_port(id);
        self.recorders.unplug(id);
        Some(slot.port)
    }

    /// Returns what another process needs to take over the ports, between two batches.
    pub(crate) fn snapshot_ports(&mut self) -> Vec<PortSnapshot> {
        let bridge = &self.bridge;
        let blocked = |id| Some(bridge.blocked(Timestamp::ZERO, id)?.peer);
        let slots = self.table.iter_mut();
        let snapshots = slots.map(|(id, Slot { port, state })| {
            // Released now, so that no frame is counted here after the snapshot.
            port.release();
            PortSnapshot {
                id,
                data: port.data(),
                link: state.link,
                is_held_down: state.held_down,
                counters: state.counters,
                settings: self.bridge.port_settings(id),
                blocked: blocked(id),
                loop_tags: bridge.loop_tags(id),
            }
        });
        snapshots.collect()
    }

    /// Takes over the state of a port from another process.
    pub(crate) fn go_on_with(&mut self, now: Timestamp, before: &PortSnapshot) {
        if let Some(slot) = self.table.get_mut(before.id) {
            slot.state.counters = before.counters;
            slot.state.held_down = before.is_held_down;
        }
        // A port that had found its link down by itself is still tried.
        let forwards =
            before.link == LinkState::Up || before.link == LinkState::Down && !before.is_held_down;
        self.bridge.set_port_settings(before.id, before.settings);
        self.bridge.set_forwarding(before.id, forwards);
        if let Some(peer) = before.blocked.filter(|_| forwards) {
            let pair = (before.id, peer);
            self.bridge.block_as_before(now, pair, &before.loop_tags);
        }
    }

    /// Starts copying frames as they pass, while the capture is read. Fails if the process has no
    /// descriptor left.
    pub fn capture(&mut self, options: CaptureOptions) -> std::io::Result<Capture> {
        let ports = self.table.iter();
        let named = ports.map(|(id, slot)| (id, slot.port.name()));
        self.recorders.start(options, named)
    }

    /// Ends captures whose reader is gone; otherwise the next batch does.
    pub(crate) fn sweep_captures(&mut self) {
        self.recorders.sweep();
    }

    /// Iterates over all ports in the order of their numbers.
    pub fn ports(&self) -> impl Iterator<Item = (PortId, &dyn Port)> {
        self.table.iter().map(|(id, slot)| (id, &*slot.port))
    }

    /// Returns the number of the port of that name.
    #[must_use]
    pub fn port_by_name(&self, name: &str) -> Option<PortId> {
        self.table.find(name)
    }

    /// Returns the port of that number.
    #[must_use]
    pub fn port(&self, id: PortId) -> Option<&dyn Port> {
        Some(&*self.table.get(id)?.port)
    }

    /// Returns information about a port, including losses that the kernel has counted.
    ///
    /// A port that is down is checked again in its next batch, so a caller that polls this learns
    /// that the device is gone: a device may be deleted after it went down, which no descriptor
    /// reports.
    pub fn port_info(&mut self, now: Timestamp, id: PortId) -> Option<PortInfo> {
        let Slot { port, state } = self.table.get_mut(id)?;
        port.collect_losses(&mut state.counters);
        if port.is_gone() {
            note_link_lost(&mut self.table, &mut self.bridge, id, LinkState::Absent);
        }
        let Slot { port, state } = self.table.get_mut(id)?;
        let info = PortInfo {
            id,
            name: port.name().to_owned(),
            driver: port.driver(),
            link: state.link,
            mtu_bytes: port.mtu(),
            counters: state.counters,
            settings: self.bridge.port_settings(id),
            limits: self.bridge.port_limits(id),
            blocked: self.bridge.blocked(now, id),
        };
        if info.link == LinkState::Down {
            self.mark_ready(id);
        }
        Some(info)
    }

    /// Returns information about every port, in the order of their numbers.
    pub fn port_infos(&mut self, now: Timestamp) -> Vec<PortInfo> {
        let ids: Vec<_> = self.ports().map(|(id, _)| id).collect();
        ids.into_iter()
            .filter_map(|id| self.port_info(now, id))
            .collect()
    }

    /// Puts the port on the ready list, as when its descriptor has become readable. A port that is
    /// held down is skipped until it is up: frames that arrive before stay queued.
    pub fn mark_ready(&mut self, id: PortId) {
        if self.table.get(id).is_some_and(|slot| !slot.state.held_down) {
            self.table.mark_ready(id);
        }
    }

    /// Puts the port on the ready list after a poller has seen an error on its descriptor.
    pub fn mark_failing(&mut self, id: PortId) {
        if let Some(slot) = self.table.get_mut(id) {
            slot.port.expect_error();
        }
        self.mark_ready(id);
    }

    /// Reports whether any port may have frames.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.table.has_ready()
    }

    /// Sets a link state that is known from another source, such as the kernel's link events. A
    /// port that is set down neither sends nor receives until it is set up; frames that it had
    /// before are dropped. A port whose device is gone stays absent.
    pub fn set_link(&mut self, id: PortId, link: LinkState) {
        match self.table.get_mut(id) {
            Some(slot) if slot.state.link != LinkState::Absent => {
                slot.state.held_down = link != LinkState::Up;
            }
            _ => return,
        }
        self.table.note_link(id, link);
        self.bridge.set_forwarding(id, link == LinkState::Up);
        self.table.mark_ready(id);
    }

    /// Sets the MTU of the interface at the other end of a port's veth pair; `None` if it is
    /// unknown.
    pub fn set_peer_mtu(&mut self, id: PortId, mtu_bytes: Option<usize>) {
        if let Some(slot) = self.table.get_mut(id) {
            slot.port.set_peer_mtu(mtu_bytes);
        }
    }

    /// Sets the mark of frames whose outer tag becomes metadata.
    pub fn set_tags_aside(&mut self, id: PortId, mark: Option<u32>) {
        if let Some(slot) = self.table.get_mut(id) {
            slot.port.set_tags_aside(mark);
        }
    }

    /// Returns the ports whose link has changed since the last call, with the present state.
    pub fn take_link_changes(&mut self) -> impl Iterator<Item = (PortId, LinkState)> + '_ {
        self.table.take_link_changes()
    }

    /// Handles one batch of the port that has waited longest. Returns the port and its number of
    /// frames, or `None` if no port was ready.
    pub fn service(&mut self, now: Timestamp) -> Option<Serviced> {
        let id = self.table.next_ready()?;
        let mut serviced = Serviced {
            port: id,
            frames: 0,
            flushed: 0,
        };
        let Some(mut ingress) = self.table.take(id) else {
            return Some(serviced);
        };
        let status = self.pass_batch(now, &mut ingress, &mut serviced);
        ingress.port.release();
        self.table.put_back(id, ingress);
        self.send_probes(now);
        match status {
            RxStatus::Drained => {}
            RxStatus::More => self.table.mark_ready(id),
            RxStatus::LinkDown => {
                note_link_lost(&mut self.table, &mut self.bridge, id, LinkState::Down);
            }
            RxStatus::LinkGone => {
                note_link_lost(&mut self.table, &mut self.bridge, id, LinkState::Absent);
            }
        }
        Some(serviced)
    }

    /// Advances the time: see [`Bridge::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.bridge.handle_timeout(now);
        self.send_probes(now);
    }

    /// Sends the bridge's own frames.
    #[inline]
    fn send_probes(&mut self, now: Timestamp) {
        while let Some(probe) = self.bridge.next_probe() {
            self.send_probe(now, &probe);
        }
    }

    #[inline(never)]
    fn send_probe(&mut self, now: Timestamp, probe: &LoopProbe) {
        let Self {
            bridge,
            table,
            queues,
            recorders,
            ..
        } = self;
        queues.push(probe.port(), 0);
        let batch = [Frame::finished(probe.frame())];
        if recorders.is_empty() {
            flush::<false>(now, &batch, queues, table, bridge, recorders);
        } else {
            flush::<true>(now, &batch, queues, table, bridge, recorders);
            recorders.wake();
        }
    }

    /// Moves one batch from the serviced port to its egress ports.
    fn pass_batch(
        &mut self,
        now: Timestamp,
        ingress: &mut Slot,
        serviced: &mut Serviced,
    ) -> RxStatus {
        let id = serviced.port;
        let Slot { port, state } = ingress;
        let mut batch = Batch::new();
        let status = port.receive(&mut self.arena, &mut batch, &mut state.counters);
        serviced.frames = batch.len();
        if batch.is_empty() {
            return status;
        }
        if state.link == LinkState::Down && !state.held_down {
            // The port had found its link down by itself; a received frame proves that it is up
            // again.
            self.table.note_link_of(id, state, LinkState::Up);
            self.bridge.set_forwarding(id, true);
        }
        let bytes: usize = batch.iter().map(|frame| frame.bytes.len()).sum();
        let Counters { rx, drops, .. } = &mut state.counters;
        rx.add(batch.len() as u64, bytes as u64);
        let Self {
            bridge,
            table,
            queues,
            recorders,
            ..
        } = self;
        serviced.flushed = if recorders.is_empty() {
            bridge.classify(now, id, &batch, queues, drops);
            flush::<false>(now, &batch, queues, table, bridge, recorders)
        } else {
            match recorders.wanted(id, &batch) {
                0 => bridge.classify(now, id, &batch, queues, drops),
                wanted => {
                    let decisions = bridge.classify_watched(now, id, &batch, queues, drops, wanted);
                    recorders.came_in(now, id, &batch, &decisions);
                }
            }
            let flushed = flush::<true>(now, &batch, queues, table, bridge, recorders);
            recorders.wake();
            flushed
        };
        status
    }
}

/// Wraps the port so that work which it does not do itself is done in software.
fn in_software_if_needed(port: Box<dyn Port>) -> Box<dyn Port> {
    if port.takes_offloads() && port.takes_tag_actions() {
        port
    } else {
        Box::new(SoftwareOffload::new(port))
    }
}
