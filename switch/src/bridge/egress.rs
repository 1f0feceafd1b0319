//! Where frames may leave, gathered per output port for a whole batch.

use super::PortId;
use crate::frame::BATCH;

/// Indices into a batch, ascending.
#[derive(Clone, Copy, Debug)]
struct Queue {
    indices: [u8; BATCH],
    len: usize,
}

impl Queue {
    const EMPTY: Self = Self {
        indices: [0; BATCH],
        len: 0,
    };

    /// Appends `index`; what is more than a batch is ignored.
    #[inline]
    fn push(&mut self, index: u8) {
        if let Some(place) = self.indices.get_mut(self.len) {
            *place = index;
            self.len += 1;
        }
    }

    #[inline]
    fn as_slice(&self) -> &[u8] {
        self.indices.get(..self.len).unwrap_or_default()
    }

    /// The indices of both, in order.
    fn merged(&self, other: &Self) -> Self {
        let mut all = Self::EMPTY;
        let (mut ours, mut theirs) = (self.as_slice(), other.as_slice());
        while let ([our, our_rest @ ..], [their, their_rest @ ..]) = (ours, theirs) {
            if our < their {
                all.push(*our);
                ours = our_rest;
            } else {
                all.push(*their);
                theirs = their_rest;
            }
        }
        for index in ours.iter().chain(theirs) {
            all.push(*index);
        }
        all
    }
}

/// For each output port, the frames of the batch at hand that leave by it, in their order.
///
/// Frames for everybody are gathered once, and ports by which nothing else leaves share that
/// list; the others get theirs merged into it. So a flood costs each port a few instructions
/// per batch, not per frame. Nothing is allocated once the ports are known.
#[derive(Clone, Debug)]
pub struct OutputQueues {
    /// By port number: what leaves by that port alone. After [`OutputQueues::finish`] the
    /// flood is merged in where there is anything.
    own: Vec<Queue>,
    flood: Queue,
    /// The ports by which anything leaves: those with frames of their own in the order in which
    /// they got their first, then the others of a flood.
    /// Only the first `dirty_len` count; there is room for one more than there are ports, so
    /// that a port can be noted before it is known whether it is there already.
    dirty: Vec<PortId>,
    dirty_len: usize,
}

impl OutputQueues {
    /// Queues for no port.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            own: Vec::new(),
            flood: Queue::EMPTY,
            dirty: Vec::new(),
            dirty_len: 0,
        }
    }

    /// Makes room for `port`. Frames for ports not added are ignored.
    pub fn add_port(&mut self, port: PortId) {
        let len = self.own.len().max(usize::from(port.0) + 1);
        self.own.resize(len, Queue::EMPTY);
        self.dirty.resize(len + 1, PortId(0));
    }

    /// Lets frame `index` of the batch leave by `port`. Indices must ascend.
    #[inline]
    pub fn push(&mut self, port: PortId, index: u8) {
        if let Some(queue) = self.own.get_mut(usize::from(port.0)) {
            // Without a branch: between many ports it would be guessed wrong all the time.
            if let Some(next) = self.dirty.get_mut(self.dirty_len) {
                *next = port;
            }
            self.dirty_len += usize::from(queue.len == 0);
            queue.push(index);
        }
    }

    /// Lets frame `index` of the batch leave by all ports that [`OutputQueues::finish`] will be
    /// told. Indices must ascend.
    #[inline]
    pub fn push_flood(&mut self, index: u8) {
        self.flood.push(index);
    }

    /// Ends a batch that came in by `ingress`: what was flooded leaves by `ports` but that one.
    #[inline]
    pub fn finish(&mut self, ingress: PortId, ports: &[PortId]) {
        if self.flood.len > 0 {
            self.spread(ingress, ports);
        }
    }

    fn spread(&mut self, ingress: PortId, ports: &[PortId]) {
        for port in self.dirty.iter().take(self.dirty_len) {
            let own = &mut self.own[usize::from(port.0)];
            *own = own.merged(&self.flood);
        }
        for &port in ports {
            let own = self.own.get(usize::from(port.0));
            if port != ingress && own.is_some_and(|own| own.len == 0) {
                self.dirty[self.dirty_len] = port;
                self.dirty_len += 1;
            }
        }
    }

    /// Whether no frame leaves.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.dirty_len == 0
    }

    /// The ports by which frames leave, each with their indices in the batch, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (PortId, &[u8])> {
        self.dirty.iter().take(self.dirty_len).map(|&port| {
            let own = &self.own[usize::from(port.0)];
            let queue = if own.len == 0 { &self.flood } else { own };
            (port, queue.as_slice())
        })
    }

    /// Empties all queues, for the next batch.
    #[inline]
    pub fn clear(&mut self) {
        for port in self.dirty.iter().take(self.dirty_len) {
            self.own[usize::from(port.0)].len = 0;
        }
        self.dirty_len = 0;
        self.flood.len = 0;
    }
}

impl Default for OutputQueues {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(ports: u16) -> OutputQueues {
        let mut queues = OutputQueues::new();
        for port in 1..=ports {
            queues.add_port(PortId(port));
        }
        queues
    }

    fn listed(queues: &OutputQueues) -> Vec<(u16, Vec<u8>)> {
        let owned = queues.iter().map(|(port, list)| (port.0, list.to_vec()));
        owned.collect()
    }

    #[test]
    fn floods_and_unicast_leave_in_the_order_they_came() {
        let mut queues = queues(4);
        queues.push(PortId(3), 0);
        queues.push_flood(1);
        queues.push(PortId(3), 2);
        queues.push(PortId(2), 3);
        queues.push_flood(5);
        queues.finish(PortId(1), &[1, 2, 3, 4].map(PortId));
        let expected = [(3, vec![0, 1, 2, 5]), (2, vec![1, 3, 5]), (4, vec![1, 5])];
        assert_eq!(listed(&queues), expected);
    }

    #[test]
    fn clearing_leaves_nothing_behind() {
        let mut queues = queues(2);
        queues.push(PortId(2), 0);
        queues.push_flood(1);
        queues.finish(PortId(1), &[1, 2].map(PortId));
        queues.clear();
        assert!(queues.is_empty());
        queues.push(PortId(1), 7);
        queues.finish(PortId(2), &[1, 2].map(PortId));
        assert_eq!(listed(&queues), [(1, vec![7])]);
    }

    #[test]
    fn what_is_too_much_or_for_no_port_is_ignored() {
        let mut queues = queues(1);
        queues.push(PortId(9), 0);
        assert!(queues.is_empty());
        for index in 0..=u8::MAX {
            queues.push(PortId(1), index);
            queues.push_flood(index);
        }
        queues.finish(PortId(2), &[1, 2, 9].map(PortId));
        let listed = listed(&queues);
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].1.len(), BATCH);
    }
}
