//! The ports as the core knows them: numbers, and whether they forward.

use super::PortId;

/// All numbers are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot add a port: the switch has {max} already; remove one first", max = PortId::MAX.0)]
pub struct TooManyPorts;

/// A port cannot have the number that it was to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Another port has it.
    #[error("the switch has a port {0} already: remove that one first")]
    Taken(PortId),
    /// Ports have numbers from 1 on.
    #[error("no port has the number {0}: use 1 to {max}", max = PortId::MAX.0)]
    OutOfRange(PortId),
}

/// A port's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// Whether its link lets it forward.
    up: bool,
    /// Whether it is blocked, being part of a loop.
    blocked: bool,
}

impl State {
    const FORWARDING: Self = Self {
        up: true,
        blocked: false,
    };
}

/// The ports of a bridge.
#[derive(Debug, Default)]
pub(super) struct Ports {
    /// By port number; `None` is no port.
    states: Vec<Option<State>>,
    forwarding: Vec<PortId>,
}

impl Ports {
    /// Adds a forwarding port with the lowest free number.
    pub(super) fn add(&mut self) -> Result<PortId, TooManyPorts> {
        let free = self.states.iter().skip(1).position(Option::is_none);
        let index = free.map_or(self.states.len().max(1), |position| position + 1);
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
        let len = self.states.len().max(index + 1);
        self.states.resize(len, None);
        self.states[index] = Some(State::FORWARDING);
        self.list();
        Ok(())
    }

    /// Removes `port`, if there is one.
    pub(super) fn remove(&mut self, port: PortId) {
        self.change(port, |_| None);
    }

    /// Lets `port` forward or not, if there is one.
    pub(super) fn set_forwarding(&mut self, port: PortId, forwarding: bool) {
        let up = forwarding;
        self.change(port, |state| Some(State { up, ..state }));
    }

    /// Blocks `port` or not, if there is one.
    pub(super) fn set_blocked(&mut self, port: PortId, blocked: bool) {
        self.change(port, |state| Some(State { blocked, ..state }));
    }

    fn change(&mut self, port: PortId, change: impl FnOnce(State) -> Option<State>) {
        if let Some(place) = self.states.get_mut(usize::from(port.0))
            && let Some(state) = *place
        {
            *place = change(state);
            self.list();
        }
    }

    /// Whether there is such a port, and it is blocked.
    pub(super) fn is_blocked(&self, port: PortId) -> bool {
        let state = self.states.get(usize::from(port.0)).copied().flatten();
        state.is_some_and(|state| state.blocked)
    }

    /// All ports.
    pub(super) fn all(&self) -> impl Iterator<Item = PortId> + use<> {
        let numbered = (0..).map(PortId).zip(&self.states);
        let there = numbered.filter(|(_, state)| state.is_some());
        let all: Vec<_> = there.map(|(port, _)| port).collect();
        all.into_iter()
    }

    fn list(&mut self) {
        self.forwarding.clear();
        let numbered = (0..).map(PortId).zip(&self.states);
        let forwarding = numbered.filter(|(_, state)| **state == Some(State::FORWARDING));
        self.forwarding.extend(forwarding.map(|(port, _)| port));
    }

    pub(super) fn exists(&self, port: PortId) -> bool {
        self.states
            .get(usize::from(port.0))
            .is_some_and(Option::is_some)
    }

    #[inline]
    pub(super) fn is_forwarding(&self, port: PortId) -> bool {
        matches!(
            self.states.get(usize::from(port.0)),
            Some(Some(State::FORWARDING))
        )
    }

    /// The forwarding ports in ascending order.
    #[inline]
    pub(super) fn forwarding(&self) -> &[PortId] {
        &self.forwarding
    }

    /// Whether a frame that came in by `port`, which forwards, has any other way to go.
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
        let mut ports = Ports::default();
        let numbers: Vec<_> = (0..3).map(|_| ports.add().unwrap().0).collect();
        assert_eq!(numbers, [1, 2, 3]);
        ports.remove(PortId(2));
        assert!(!ports.exists(PortId(2)));
        assert_eq!(ports.add(), Ok(PortId(2)));
        assert_eq!(ports.add(), Ok(PortId(4)));
    }

    #[test]
    fn a_number_is_given_on_demand_once() {
        let mut ports = Ports::default();
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
        let mut ports = Ports::default();
        for _ in 0..PortId::MAX.0 {
            ports.add().unwrap();
        }
        assert_eq!(ports.add(), Err(TooManyPorts));
        ports.remove(PortId(7));
        assert_eq!(ports.add(), Ok(PortId(7)));
    }

    #[test]
    fn number_zero_and_unknown_numbers_are_no_ports() {
        let mut ports = Ports::default();
        ports.add().unwrap();
        for port in [PortId(0), PortId(2), PortId(u16::MAX)] {
            ports.set_forwarding(port, true);
            assert!(!ports.exists(port) && !ports.is_forwarding(port), "{port}");
        }
        assert_eq!(ports.forwarding(), [PortId(1)]);
    }
}
