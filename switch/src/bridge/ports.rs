//! The ports of the bridge: one record per port.

use super::PortId;
use super::egress::Member;
use super::fdb::{Holding, Most};
use super::limits::{PortLimits, PortSettings};
use super::storm::Meters;
use crate::frame::TagAction;

/// All port numbers are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot add a port: the switch has {max} already; remove one first", max = PortId::MAX.0)]
pub struct TooManyPorts;

/// A port cannot have the requested number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Another port has the number.
    #[error("the switch has a port {0} already: remove that one first")]
    Taken(PortId),
    /// Port numbers begin at 1.
    #[error("no port has the number {0}: use 1 to {max}", max = PortId::MAX.0)]
    OutOfRange(PortId),
}

/// The bridge's record of one port: its state, its entries, its limits.
///
/// The fields that are read for each learnt or flooded frame come first.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Port {
    /// Whether its link is up, so that it may forward.
    up: bool,
    /// Whether it is blocked because it is part of a loop.
    blocked: bool,
    pub(super) stations: Holding,
    pub(super) meters: Meters,
    pub(super) settings: PortSettings,
}

impl Port {
    /// Creates a forwarding port without entries and limits.
    fn new() -> Self {
        Self {
            up: true,
            blocked: false,
            stations: Holding::NONE,
            meters: Meters::new(&PortLimits::NONE),
            settings: PortSettings::default(),
        }
    }

    const fn is_forwarding(&self) -> bool {
        self.up && !self.blocked
    }
}

/// The ports of a bridge.
#[derive(Debug)]
pub(super) struct Ports {
    /// Indexed by port number; `None` where there is no port.
    records: Vec<Option<Port>>,
    forwarding: Vec<PortId>,
    /// The forwarding ports as members of a flood.
    members: Vec<Member>,
    /// Which port has the most entries.
    pub(super) most: Most,
}

impl Ports {
    /// Creates an empty set of ports.
    pub(super) const fn new() -> Self {
        Self {
            records: Vec::new(),
            forwarding: Vec::new(),
            members: Vec::new(),
            most: Most::NONE,
        }
    }

    /// Adds a forwarding port with the lowest free number.
    pub(super) fn add(&mut self) -> Result<PortId, TooManyPorts> {
        let free = self.records.iter().skip(1).position(Option::is_none);
        let index = free.map_or(self.records.len().max(1), |position| position + 1);
        let port = u16::try_from(index).map(PortId).map_err(|_| TooManyPorts)?;
        self.add_at(port).map_err(|_| TooManyPorts)?;
        Ok(port)
    }

    /// Adds a forwarding port with this number.
    pub(super) fn add_at(&mut self, port: PortId) -> Result<(), NumberError> {
        if port.0 == 0 || port > PortId::MAX {
            return Err(NumberError::OutOfRange(port));
        }
        if self.exists(port) {
            return Err(NumberError::Taken(port));
        }
        let index = usize::from(port.0);
        let len = self.records.len().max(index + 1);
        self.records.resize_with(len, || None);
        self.records[index] = Some(Port::new());
        self.list();
        Ok(())
    }

    /// Removes `port`, if it exists. Its entries must be removed before.
    pub(super) fn remove(&mut self, port: PortId) {
        if let Some(place) = self.records.get_mut(usize::from(port.0)) {
            *place = None;
            self.list();
        }
    }

    /// Sets whether the link of `port` is up, if it exists.
    pub(super) fn set_forwarding(&mut self, port: PortId, forwarding: bool) {
        if let Some(port) = self.get_mut(port) {
            port.up = forwarding;
            self.list();
        }
    }

    /// Sets whether `port` is blocked, if it exists.
    pub(super) fn set_blocked(&mut self, port: PortId, blocked: bool) {
        if let Some(port) = self.get_mut(port) {
            port.blocked = blocked;
            self.list();
        }
    }

    /// Returns the record of `port`.
    #[inline]
    pub(super) fn get(&self, port: PortId) -> Option<&Port> {
        self.records.get(usize::from(port.0))?.as_ref()
    }

    /// Returns the record of `port` for changes.
    #[inline]
    pub(super) fn get_mut(&mut self, port: PortId) -> Option<&mut Port> {
        self.records.get_mut(usize::from(port.0))?.as_mut()
    }

    /// Iterates over all ports with their records, in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PortId, &Port)> {
        let numbered = (0..).map(PortId).zip(&self.records);
        numbered.filter_map(|(port, record)| Some((port, record.as_ref()?)))
    }

    /// The numbers of all ports, in ascending order.
    pub(super) fn all(&self) -> impl Iterator<Item = PortId> + use<> {
        let all: Vec<_> = self.iter().map(|(port, _)| port).collect();
        all.into_iter()
    }

    fn list(&mut self) {
        let numbered = (0..).map(PortId).zip(&self.records);
        let forwarding =
            numbered.filter(|(_, record)| record.as_ref().is_some_and(Port::is_forwarding));
        self.forwarding.clear();
        self.forwarding.extend(forwarding.map(|(port, _)| port));
        let member = |port: &PortId| Member {
            port: *port,
            tags: TagAction::Keep,
        };
        self.members.clear();
        self.members.extend(self.forwarding.iter().map(member));
    }

    pub(super) fn exists(&self, port: PortId) -> bool {
        self.get(port).is_some()
    }

    /// Reports whether the port exists and is blocked.
    pub(super) fn is_blocked(&self, port: PortId) -> bool {
        self.get(port).is_some_and(|port| port.blocked)
    }

    #[inline]
    pub(super) fn is_forwarding(&self, port: PortId) -> bool {
        self.get(port).is_some_and(Port::is_forwarding)
    }

    /// The forwarding ports in ascending order.
    #[inline]
    pub(super) fn forwarding(&self) -> &[PortId] {
        &self.forwarding
    }

    /// The forwarding ports as members of [`super::FloodGroup::ALL`].
    #[inline]
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Reports whether a frame that arrived on a forwarding port has any other port to leave by.
    #[inline]
    pub(super) fn has_another(&self) -> bool {
        self.forwarding.len() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_given_from_one_on() {
        let mut ports = Ports::new();
        let numbers: Vec<_> = (0..3).map(|_| ports.add().unwrap().0).collect();
        assert_eq!(numbers, [1, 2, 3]);
        ports.remove(PortId(2));
        assert!(!ports.exists(PortId(2)));
        assert_eq!(ports.add(), Ok(PortId(2)));
        assert_eq!(ports.add(), Ok(PortId(4)));
    }

    #[test]
    fn a_number_is_given_on_demand_once() {
        let mut ports = Ports::new();
        ports.add_at(PortId(3)).unwrap();
        assert_eq!(ports.add_at(PortId(3)), Err(NumberError::Taken(PortId(3))));
        for wrong in [PortId(0), PortId(PortId::MAX.0 + 1)] {
            assert_eq!(ports.add_at(wrong), Err(NumberError::OutOfRange(wrong)));
        }
        assert_eq!(ports.forwarding(), [PortId(3)]);
        let next: Vec<_> = (0..3).map(|_| ports.add().unwrap().0).collect();
        assert_eq!(next, [1, 2, 4]);
    }

    #[test]
    fn numbers_come_to_an_end() {
        let mut ports = Ports::new();
        for _ in 0..PortId::MAX.0 {
            ports.add().unwrap();
        }
        assert_eq!(ports.add(), Err(TooManyPorts));
        ports.remove(PortId(7));
        assert_eq!(ports.add(), Ok(PortId(7)));
    }

    #[test]
    fn number_zero_and_unknown_numbers_are_no_ports() {
        let mut ports = Ports::new();
        ports.add().unwrap();
        for port in [PortId(0), PortId(2), PortId(u16::MAX)] {
            ports.set_forwarding(port, true);
            assert!(!ports.exists(port) && !ports.is_forwarding(port), "{port}");
        }
        assert_eq!(ports.forwarding(), [PortId(1)]);
    }
}
