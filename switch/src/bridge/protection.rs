//! Protects ports from each other: combines meters, blocks and damping.

use super::alarm::{Alarm, Alarms};
use super::fdb::{Heard, Shift, Spot};
use super::limits::{PortLimits, PortSettings};
use super::loop_guard::Loops;
use super::loops::Suspicion;
use super::probe::Tags;
use super::storm::{FloodKind, Metered};
use super::{Bridge, DropReason, PortId};
use crate::frame::Timestamp;

/// The state of protection.
#[derive(Debug)]
pub(super) struct Protection {
    pub(super) loops: Loops,
    pub(super) alarms: Alarms,
}

impl Protection {
    /// Creates the state. Random choices are derived from `seed`.
    pub(super) fn new(seed: [u64; 2]) -> Self {
        Self {
            loops: Loops::new(seed),
            alarms: Alarms::default(),
        }
    }
}

impl Bridge {
    /// Sets the limits of one port. An unknown port is ignored.
    pub fn set_port_settings(&mut self, port: PortId, settings: PortSettings) {
        if let Some(record) = self.ports.get_mut(port) {
            record.settings = settings;
            self.limit_port(port);
        }
    }

    /// Returns the settings of one port.
    #[must_use]
    pub fn port_settings(&self, port: PortId) -> PortSettings {
        let port = self.ports.get(port);
        port.map_or(PortSettings::default(), |port| port.settings)
    }

    /// Returns the effective limits of a port.
    #[must_use]
    pub fn port_limits(&self, port: PortId) -> PortLimits {
        self.port_settings(port).over(self.config.port_limits)
    }

    /// Applies the effective limits of a port.
    pub(super) fn limit_port(&mut self, port: PortId) {
        let limits = self.port_limits(port);
        if let Some(record) = self.ports.get_mut(port) {
            record.meters.change(&limits);
            self.fdb
                .set_port_max(&mut self.ports, port, limits.max_stations);
        }
    }

    /// Checks whether a frame that arrived on `ingress` may be flooded.
    #[inline]
    pub(super) fn admit_flood(
        &mut self,
        now: Timestamp,
        ingress: PortId,
        frame: &[u8],
    ) -> Result<(), DropReason> {
        let kind = FloodKind::of(frame);
        let Some(port) = self.ports.get_mut(ingress) else {
            return Ok(());
        };
        match port.meters.measure(now, kind) {
            Metered::Passes => Ok(()),
            Metered::TooMany => Err(kind.reason()),
            Metered::StormBegins => {
                self.tell_storm(ingress, kind);
                Err(kind.reason())
            }
        }
    }

    /// Reports whether frames of this kind that arrive on `ingress` are limited.
    pub(super) fn is_metered(&self, ingress: PortId, kind: FloodKind) -> bool {
        let port = self.ports.get(ingress);
        port.is_some_and(|port| port.meters.has_limit(kind))
    }

    /// Reports whether a frame of this kind would be accepted.
    pub(super) fn would_pass(&self, now: Timestamp, ingress: PortId, kind: FloodKind) -> bool {
        let port = self.ports.get(ingress);
        port.is_none_or(|port| port.meters.would_pass(now, kind))
    }

    #[inline(never)]
    fn tell_storm(&mut self, port: PortId, kind: FloodKind) {
        let limits = self.port_limits(port);
        let limit = match kind {
            FloodKind::Broadcast => limits.broadcast,
            FloodKind::Multicast => limits.multicast,
            FloodKind::UnknownUnicast => limits.unknown_unicast,
        };
        self.protection
            .alarms
            .push(Alarm::Storm { port, kind, limit });
    }

    /// Learns from a frame whose source was not seen on its port in this tick. Returns why the
    /// frame is dropped, if it is.
    #[inline(never)]
    pub(super) fn hear(
        &mut self,
        now: Timestamp,
        src: Spot,
        dst: Spot,
        heard: Heard,
        frame: &[u8],
    ) -> Option<DropReason> {
        if Self::is_of_probe(src.key) {
            return self.hear_probe_frame(now, heard.port(), frame);
        }
        let damping = self.config.damping;
        let Self { fdb, ports, .. } = self;
        let known = fdb.learn_more(ports, now, src, heard, &damping)?;
        let from = known.port();
        let to = heard.port();
        let goes_to_many =
            self.config.loop_guard.enabled && self.fdb.lookup(dst.home, dst.key).is_none();
        let Self { fdb, ports, .. } = self;
        let shift = fdb.shift(ports, now, src, known, heard, &damping);
        if goes_to_many {
            let home = self.fdb.home_port(known);
            let loops = &mut self.protection.loops;
            let moved = loops
                .suspects
                .moved_by(now, src.key, frame, (from, to), home);
            if let Some(ports) = moved {
                let (key, tags) = (src.key, Tags::of(frame));
                loops.note(Suspicion { ports, key, tags });
            }
        }
        if let Shift::Held { port, other } = shift {
            let (vlan, mac) = (src.key.vlan(), src.key.mac());
            let hold = damping.hold;
            self.protection.alarms.push(Alarm::Flapping {
                vlan,
                mac,
                port,
                other,
                hold,
            });
        }
        None
    }

    /// Returns the oldest queued alarm. At most 256 are queued.
    #[inline]
    pub fn next_alarm(&mut self) -> Option<Alarm> {
        self.protection.alarms.pop()
    }

    /// Returns how many alarms were lost since the last call because the queue was full.
    pub fn take_lost_alarms(&mut self) -> u64 {
        self.protection.alarms.take_lost()
    }
}
