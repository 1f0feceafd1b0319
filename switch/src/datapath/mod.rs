//! Ports and bridge together: batches from ready ports, through the bridge, to other ports.
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
//! While a batch is handled, its port is out of the table: the bridge never sends a frame back
//! where it came from, so nobody misses it.

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

/// Why a port could not be added.
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

/// A port as others see it.
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
    /// What it has moved and lost.
    pub counters: Counters,
    /// The bounds that were set for it alone.
    pub settings: PortSettings,
    /// The bounds that hold.
    pub limits: PortLimits,
    /// Whether it is blocked, being part of a loop.
    pub blocked: Option<Blocked>,
}

/// What [`Datapath::service`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Serviced {
    /// The port that had its turn.
    pub port: PortId,
    /// How many frames it had.
    pub frames: usize,
    /// By how many ports some of them left.
    pub flushed: usize,
}

impl Datapath {
    /// A switch without ports.
    #[must_use]
    pub fn new(config: BridgeConfig) -> Self {
        Self::with_bridge(Bridge::new(config))
    }

    /// A switch around `bridge`, which has no ports yet.
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

    /// The bridge: its table and settings.
    #[must_use]
    pub const fn bridge(&self) -> &Bridge {
        &self.bridge
    }

    /// The bridge, to change its table and settings. Its ports are the datapath's to add and
    /// remove.
    pub const fn bridge_mut(&mut self) -> &mut Bridge {
        &mut self.bridge
    }

    /// Plugs in `port`, which may have frames already. Where it takes no offloads, they are
    /// finished in software before it.
    pub fn add_port(&mut self, port: impl Into<Box<dyn Port>>) -> Result<PortId, AddPortError> {
        let port = port.into();
        self.refuse_duplicate(port.name())?;
        let id = self.bridge.add_port()?;
        self.plug(id, port);
        Ok(id)
    }

    /// The same under a given number, with a link of which somebody knows already: for a port that
    /// was here before.
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

    /// Puts `port` in the place of the one of that number, whose name, counters and static stations
    /// it takes over; the learnt ones are forgotten unless both links are up. Returns the one
    /// before, or the new one where none has that number.
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

    /// Unplugs the port and forgets its stations. Returns it, if there was one of that number.
    pub fn remove_port(&mut self, id: PortId) -> Option<Box<dyn Port>> {
        let slot = self.table.remove(id)?;
        self.bridge.remove_port(id);
        self.recorders.unplug(id);
        Some(slot.port)
    }

    /// What another process needs to go on with the ports, between two batches.
    pub(crate) fn snapshot_ports(&mut self) -> Vec<PortSnapshot> {
        let bridge = &self.bridge;
        let blocked = |id| Some(bridge.blocked(Timestamp::ZERO, id)?.peer);
        let slots = self.table.iter_mut();
        let snapshots = slots.map(|(id, Slot { port, state })| {
            // Asked now, so that none is counted here that nobody hears of any more.
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

    /// Goes on with a port as another process has left it.
    pub(crate) fn go_on_with(&mut self, now: Timestamp, before: &PortSnapshot) {
        if let Some(slot) = self.table.get_mut(before.id) {
            slot.state.counters = before.counters;
            slot.state.held_down = before.is_held_down;
        }
        // One that had found its link down by itself is tried still.
        let forwards =
            before.link == LinkState::Up || before.link == LinkState::Down && !before.is_held_down;
        self.bridge.set_port_settings(before.id, before.settings);
        self.bridge.set_forwarding(before.id, forwards);
        if let Some(peer) = before.blocked.filter(|_| forwards) {
            let pair = (before.id, peer);
            self.bridge.block_as_before(now, pair, &before.loop_tags);
        }
    }

    /// Begins to copy frames as they pass, for as long as the capture is read. Fails where the
    /// process has no descriptor left.
    pub fn capture(&mut self, options: CaptureOptions) -> std::io::Result<Capture> {
        let ports = self.table.iter();
        let named = ports.map(|(id, slot)| (id, slot.port.name()));
        self.recorders.start(options, named)
    }

    /// Ends the captures that nobody reads any more; otherwise the next batch does.
    pub(crate) fn sweep_captures(&mut self) {
        self.recorders.sweep();
    }

    /// All ports in the order of their numbers.
    pub fn ports(&self) -> impl Iterator<Item = (PortId, &dyn Port)> {
        self.table.iter().map(|(id, slot)| (id, &*slot.port))
    }

    /// The number of the port of that name.
    #[must_use]
    pub fn port_by_name(&self, name: &str) -> Option<PortId> {
        self.table.find(name)
    }

    /// The port of that number.
    #[must_use]
    pub fn port(&self, id: PortId) -> Option<&dyn Port> {
        Some(&*self.table.get(id)?.port)
    }

    /// The port of that number, as others see it, with the losses that the outside has counted.
    ///
    /// A port that is down is looked at anew in its next batch, so that whoever goes on asking
    /// learns that its device is gone: a device may be deleted after it went down, of which no
    /// descriptor tells.
    pub fn port_info(&mut self, now: Timestamp, id: PortId) -> Option<PortInfo> {
        let Slot { port, state } = self.table.get_mut(id)?;
        port.collect_losses(&mut state.counters);
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

    /// Every port, as others see it, in the order of their numbers.
    pub fn port_infos(&mut self, now: Timestamp) -> Vec<PortInfo> {
        let ids: Vec<_> = self.ports().map(|(id, _)| id).collect();
        ids.into_iter()
            .filter_map(|id| self.port_info(now, id))
            .collect()
    }

    /// Puts the port on the ready list, as when its descriptor has become readable. One that is
    /// said to be down is left alone until it is up: what comes before that news waits.
    pub fn mark_ready(&mut self, id: PortId) {
        if self.table.get(id).is_some_and(|slot| !slot.state.held_down) {
            self.table.mark_ready(id);
        }
    }

    /// Puts the port on the ready list, as when a poller has seen an error on its descriptor.
    pub fn mark_failing(&mut self, id: PortId) {
        if let Some(slot) = self.table.get_mut(id) {
            slot.port.expect_error();
        }
        self.mark_ready(id);
    }

    /// Whether some port may have frames.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.table.has_ready()
    }

    /// Tells what is known of a link from elsewhere, such as from the kernel's link events. A
    /// port that is said to be down neither sends nor receives until it is said to be up; frames
    /// that it had before are dropped. One whose device is gone stays so.
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

    /// Tells a port the MTU of the interface at the other end of its cable; `None` if it is not
    /// known.
    pub fn set_peer_mtu(&mut self, id: PortId, mtu_bytes: Option<usize>) {
        if let Some(slot) = self.table.get_mut(id) {
            slot.port.set_peer_mtu(mtu_bytes);
        }
    }

    /// Tells a port the mark of frames whose outer tag travels beside them.
    pub fn set_tags_aside(&mut self, id: PortId, mark: Option<u32>) {
        if let Some(slot) = self.table.get_mut(id) {
            slot.port.set_tags_aside(mark);
        }
    }

    /// The ports whose link has changed since the last call, with its state now.
    pub fn take_link_changes(&mut self) -> impl Iterator<Item = (PortId, LinkState)> + '_ {
        self.table.take_link_changes()
    }

    /// Handles one batch of the port that has waited longest. Returns which that was and how
    /// many frames it had, or that none was ready.
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

    /// Lets time pass by: see [`Bridge::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.bridge.handle_timeout(now);
        self.send_probes(now);
    }

    /// Sends what the bridge itself has to send.
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

    /// One batch from the port that is serviced to wherever its frames go.
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
            // The port had found its link down by itself: a frame tells that it is up again.
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

/// The port, with what it does not do itself done before it.
fn in_software_if_needed(port: Box<dyn Port>) -> Box<dyn Port> {
    if port.takes_offloads() && port.takes_tag_actions() {
        port
    } else {
        Box::new(SoftwareOffload::new(port))
    }
}
