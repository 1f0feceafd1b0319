//! Ages out entries.

use std::time::Duration;

use super::Fdb;
use crate::bridge::event::Event;
use crate::bridge::ports::Ports;
use crate::frame::Timestamp;

/// The end of time: an action due then never happens.
const NEVER: Timestamp = Timestamp::from_secs(u64::MAX);

impl Fdb {
    /// The most entries that one call of [`Fdb::handle_timeout`] removes.
    const AGED_AT_ONCE: usize = 256;

    /// Returns a time not after the next action of [`Fdb::handle_timeout`]; `None` if there is
    /// none.
    #[inline]
    pub(in crate::bridge) fn next_timeout(&self) -> Option<Timestamp> {
        let due = self.oldest? + self.ageing;
        (due < NEVER).then_some(due)
    }

    /// Removes entries that have not been refreshed for the ageing time, up to a number that does
    /// not delay frames; if there are more, [`Fdb::next_timeout`] reports it.
    pub(in crate::bridge) fn handle_timeout(&mut self, ports: &mut Ports, now: Timestamp) {
        if self.next_timeout().is_none_or(|due| now < due) {
            return;
        }
        let mut left = Self::AGED_AT_ONCE;
        for port in ports.all() {
            while left > 0
                && let Some(slot) = ports.dynamic(port).head()
                && self.slab.node_mut(slot).seen + self.ageing <= now
                && let Some(key) = self.forget(ports, slot)
            {
                self.events.push(Event::aged(key, port));
                left -= 1;
            }
        }
        self.oldest = ports.oldest(&self.slab);
    }

    /// Changes the ageing time. Entries keep their age.
    pub(in crate::bridge) fn set_ageing(
        &mut self,
        ports: &Ports,
        now: Timestamp,
        ageing: Duration,
    ) {
        if ageing == self.ageing {
            return;
        }
        // Stamps are the ends of ticks. That of the running tick may lie ahead, by much if the
        // ageing time was long; brought back to now, the lists stay in order.
        for port in ports.all() {
            let mut slot = ports.dynamic(port).tail();
            while let Some(here) = slot {
                let node = self.slab.node_mut(here);
                if node.seen <= now {
                    break;
                }
                node.seen = now;
                slot = self.slab.before(here);
            }
        }
        self.oldest = ports.oldest(&self.slab);
        self.ageing = ageing;
        self.tick.change(now, ageing);
    }
}
