//! Which port holds which stations, and which port holds the most.

use super::slab::{List, Slab};
use crate::bridge::PortId;
use crate::frame::Timestamp;

/// The stations of one port.
#[derive(Clone, Copy, Debug)]
struct Holding {
    /// Learnt ones, the longest silent first.
    dynamic: List,
    /// Those of the administrator.
    fixed: List,
    /// The most that may be learnt.
    max: u32,
}

impl Holding {
    const NONE: Self = Self {
        dynamic: List::EMPTY,
        fixed: List::EMPTY,
        max: u32::MAX,
    };
}

/// A port's claim to hold the most: its count, and of equal counts the lowest port first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim(u64);

impl Claim {
    const NONE: Self = Self(0);

    #[inline]
    fn new(port: PortId, count: u32) -> Self {
        Self(u64::from(count) << 16 | u64::from(u16::MAX - port.0))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are meant")]
    fn port(self) -> PortId {
        PortId(u16::MAX - self.0 as u16)
    }

    fn count(self) -> u64 {
        self.0 >> 16
    }
}

/// Theory of operation. When the table is full, every unknown source asks which port holds the
/// most dynamic stations, so the answer is kept rather than searched for:
///
/// - `fullest` is the exact claim of some port;
/// - `rival` is no less than the claim of any other port.
///
/// While `fullest` is at least `rival` it is the answer. A claim that grows is compared with
/// both. Only when the fullest port itself has shrunk below its rival are all ports looked
/// through, and both become exact again. Under a flood from one port, or from many in turn,
/// that hardly ever happens; at worst it is one pass over an array.
#[derive(Debug)]
pub(super) struct Holders {
    /// By port number; number 0 is no port.
    ports: Vec<Holding>,
    fullest: Claim,
    rival: Claim,
}

impl Holders {
    pub(super) const fn new() -> Self {
        Self {
            ports: Vec::new(),
            fullest: Claim::NONE,
            rival: Claim::NONE,
        }
    }

    /// Makes room for `port`, which holds nothing yet.
    pub(super) fn add_port(&mut self, port: PortId) {
        let len = self.ports.len().max(usize::from(port.0) + 1);
        self.ports.resize(len, Holding::NONE);
    }

    /// Lets `port` learn so many stations at most.
    pub(super) fn set_max(&mut self, port: PortId, max: u32) {
        if let Some(holding) = self.ports.get_mut(usize::from(port.0)) {
            holding.max = max;
        }
    }

    /// How many stations `port` has learnt that are more than it may, if `more` were added.
    #[inline]
    pub(super) fn excess(&self, port: PortId, more: u32) -> u32 {
        self.ports.get(usize::from(port.0)).map_or(0, |held| {
            (held.dynamic.len() + more).saturating_sub(held.max)
        })
    }

    /// The learnt stations of `port`.
    #[inline]
    pub(super) fn dynamic(&self, port: PortId) -> List {
        self.ports
            .get(usize::from(port.0))
            .map_or(List::EMPTY, |holding| holding.dynamic)
    }

    /// The static stations of `port`.
    pub(super) fn fixed(&self, port: PortId) -> List {
        self.ports
            .get(usize::from(port.0))
            .map_or(List::EMPTY, |holding| holding.fixed)
    }

    /// All ports that may hold stations.
    pub(super) fn ports(&self) -> impl Iterator<Item = PortId> + use<> {
        (0..self.ports.len()).filter_map(|port| u16::try_from(port).ok().map(PortId))
    }

    /// Links the station at `slot` as the latest heard of `port`.
    #[inline]
    pub(super) fn add_dynamic(&mut self, slab: &mut Slab, port: PortId, slot: u32) {
        let list = &mut self.ports[usize::from(port.0)].dynamic;
        slab.push_back(list, slot);
        let claim = Claim::new(port, list.len());
        if self.fullest.port() == port {
            self.fullest = claim;
        } else if claim > self.fullest {
            self.rival = self.rival.max(self.fullest);
            self.fullest = claim;
        } else {
            self.rival = self.rival.max(claim);
        }
    }

    /// Unlinks the dynamic station at `slot` of `port`.
    #[inline]
    pub(super) fn remove_dynamic(&mut self, slab: &mut Slab, port: PortId, slot: u32) {
        let list = &mut self.ports[usize::from(port.0)].dynamic;
        slab.unlink(list, slot);
        if self.fullest.port() == port {
            self.fullest = Claim::new(port, list.len());
        }
    }

    /// Makes the station at `slot` the latest heard of its port.
    #[inline]
    pub(super) fn refresh(&mut self, slab: &mut Slab, port: PortId, slot: u32) {
        let list = &mut self.ports[usize::from(port.0)].dynamic;
        slab.unlink(list, slot);
        slab.push_back(list, slot);
    }

    /// Links the station at `slot` as a static one of `port`.
    pub(super) fn add_fixed(&mut self, slab: &mut Slab, port: PortId, slot: u32) {
        slab.push_back(&mut self.ports[usize::from(port.0)].fixed, slot);
    }

    /// Unlinks the static station at `slot` of `port`.
    pub(super) fn remove_fixed(&mut self, slab: &mut Slab, port: PortId, slot: u32) {
        slab.unlink(&mut self.ports[usize::from(port.0)].fixed, slot);
    }

    /// The port that shall give up a station so that `newcomer` may learn one: the one that
    /// holds the most dynamic stations; of several, the newcomer, else the lowest. So a port
    /// takes from others only as long as it holds fewer. `None` if nothing can be given up.
    #[inline]
    pub(super) fn donor(&mut self, newcomer: Option<PortId>) -> Option<PortId> {
        if self.fullest < self.rival {
            self.search();
        }
        let most = self.fullest.count();
        if most == 0 {
            return None;
        }
        match newcomer {
            Some(port) if u64::from(self.dynamic(port).len()) == most => Some(port),
            _ => Some(self.fullest.port()),
        }
    }

    /// What [`Holders::donor`] would say to `newcomer`, found without keeping the answer.
    pub(super) fn would_give(&self, newcomer: PortId) -> Option<PortId> {
        let claims = (0..).map(PortId).zip(&self.ports);
        let fullest = claims
            .map(|(port, holding)| Claim::new(port, holding.dynamic.len()))
            .max()?;
        if fullest.count() == 0 {
            return None;
        }
        let is_as_full = u64::from(self.dynamic(newcomer).len()) == fullest.count();
        Some(if is_as_full { newcomer } else { fullest.port() })
    }

    #[inline(never)]
    fn search(&mut self) {
        (self.fullest, self.rival) = (Claim::NONE, Claim::NONE);
        for (port, holding) in (0..).zip(&self.ports) {
            let claim = Claim::new(PortId(port), holding.dynamic.len());
            if claim > self.fullest {
                self.rival = self.fullest;
                self.fullest = claim;
            } else if claim > self.rival {
                self.rival = claim;
            }
        }
    }

    /// Whether any port holds a dynamic station.
    pub(super) fn any_dynamic(&self) -> bool {
        self.ports.iter().any(|held| held.dynamic.len() > 0)
    }

    /// When the station that has been silent longest was heard last.
    pub(super) fn oldest(&self, slab: &Slab) -> Option<Timestamp> {
        let heads = self.ports.iter().filter_map(|held| held.dynamic.head());
        heads
            .filter_map(|slot| slab.get(slot).map(|(_, node)| node.seen))
            .min()
    }
}
