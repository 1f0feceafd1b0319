//! Where frames may leave, gathered per output port for a whole batch.

use super::PortId;
use crate::port::BATCH;

/// The frames of one batch that leave by one port, as indices into the batch.
#[derive(Clone, Debug)]
struct Queue {
    indices: [u8; BATCH],
    len: u8,
}

impl Queue {
    const EMPTY: Self = Self {
        indices: [0; BATCH],
        len: 0,
    };
}

/// For each output port, the frames of the batch at hand that leave by it, in their order.
///
/// Nothing is allocated once the ports are known.
#[derive(Clone, Debug, Default)]
pub struct OutputQueues {
    /// By port number.
    queues: Vec<Queue>,
    /// The ports with frames, in the order in which they got their first.
    dirty: Vec<PortId>,
}

impl OutputQueues {
    /// Queues for no port.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for `port`. Frames for ports not added are ignored.
    pub fn add_port(&mut self, port: PortId) {
        let len = self.queues.len().max(usize::from(port.0) + 1);
        self.queues.resize(len, Queue::EMPTY);
        self.dirty.reserve(len);
    }

    /// Lets frame `index` of the batch leave by `port`. More than a batch are ignored.
    #[inline]
    pub fn push(&mut self, port: PortId, index: u8) {
        let Some(queue) = self.queues.get_mut(usize::from(port.0)) else {
            return;
        };
        if let Some(place) = queue.indices.get_mut(usize::from(queue.len)) {
            *place = index;
            if queue.len == 0 {
                self.dirty.push(port);
            }
            queue.len += 1;
        }
    }

    /// Whether no frame leaves.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dirty.is_empty()
    }

    /// The ports by which frames leave, each with their indices in the batch.
    pub fn iter(&self) -> impl Iterator<Item = (PortId, &[u8])> {
        self.dirty.iter().map(|&port| {
            let queue = &self.queues[usize::from(port.0)];
            (port, &queue.indices[..usize::from(queue.len)])
        })
    }

    /// Empties all queues, for the next batch.
    #[inline]
    pub fn clear(&mut self) {
        for port in self.dirty.drain(..) {
            self.queues[usize::from(port.0)].len = 0;
        }
    }
}
