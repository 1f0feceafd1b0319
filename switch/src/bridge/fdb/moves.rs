//! Handles stations that are seen on another port than before.

use super::{Fdb, Heard, Spot, Value};
use crate::bridge::PortId;
use crate::bridge::damping::{Damping, Judgement};
use crate::bridge::event::Event;
use crate::bridge::ports::Ports;
use crate::frame::Timestamp;

/// The outcome for a station that was seen on another port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bridge) enum Shift {
    /// The entry has moved.
    Moved,
    /// The entry is held on its port.
    Refused,
    /// The station has moved too often: its entry is held on `port`, not on `other`, from now on.
    Held { port: PortId, other: PortId },
}

impl Fdb {
    /// Moves the entry `known` of a station to the port where it was seen now, unless it moves too
    /// often. An entry is held only on a port that forwards.
    pub(in crate::bridge) fn shift(
        &mut self,
        ports: &mut Ports,
        now: Timestamp,
        spot: Spot,
        known: Value,
        heard: Heard,
        damping: &Damping,
    ) -> Shift {
        let (from, to) = (known.port(), heard.port());
        let node = self.slab.node_mut(known.slot());
        let mut moves = node.moves();
        let judgement = moves.judge(now, from, node.seen, damping);
        node.set_moves(moves);
        match judgement {
            Judgement::Moves => {
                self.put(ports, spot, known, heard);
                Shift::Moved
            }
            Judgement::Held => Shift::Refused,
            Judgement::TooMany => {
                let port = Some(moves.home)
                    .filter(|home| ports.is_forwarding(*home))
                    .unwrap_or(from);
                if port != from {
                    self.put(ports, spot, known, self.heard(port));
                }
                let other = if port == to { from } else { to };
                Shift::Held { port, other }
            }
        }
    }

    /// Returns the port of a station before it began to move.
    pub(in crate::bridge) fn home_port(&mut self, known: Value) -> PortId {
        self.slab.node_mut(known.slot()).moves().home
    }

    /// Moves a station to the port where it was `heard`.
    fn put(&mut self, ports: &mut Ports, Spot { home, key }: Spot, known: Value, heard: Heard) {
        let (from, to) = (known.port(), heard.port());
        let slot = known.slot();
        self.make_room_on(ports, to, 1);
        self.table.set(home, key, Value::dynamic(heard, slot));
        let node = self.slab.node_mut(slot);
        node.seen = self.tick.stamp();
        node.port = to;
        ports.remove_dynamic(&mut self.slab, from, slot);
        ports.add_dynamic(&mut self.slab, to, slot);
        self.events.push(Event::moved(key, from, to));
    }
}
