//! Output queues: the frames of a batch that leave each port.

use super::PortId;
use crate::frame::{BATCH, Frame, Selection, TagAction, TagActions};

/// Indices into a batch, ascending, each with the action on the frame's tags. The number of valid
/// entries is stored separately.
#[derive(Clone, Debug)]
#[repr(C)]
struct Entries {
    indices: [u8; BATCH],
    /// Whether any entry has an action. Without one `tags` is neither read nor written.
    has_actions: bool,
    tags: [TagAction; BATCH],
}

impl Entries {
    const EMPTY: Self = Self {
        indices: [0; BATCH],
        has_actions: false,
        tags: [TagAction::Keep; BATCH],
    };

    /// Appends `index` to the first `len` entries; entries beyond a batch are ignored.
    #[inline]
    fn push(&mut self, len: &mut u8, index: u8, tags: TagAction) {
        if let Some(place) = self.indices.get_mut(usize::from(*len)) {
            *place = index;
            if self.has_actions || !tags.is_keep() {
                self.note_action(*len, tags);
            }
            *len += 1;
        }
    }

    /// Records the action of the entry after the first `len`.
    #[inline(never)]
    fn note_action(&mut self, len: u8, tags: TagAction) {
        let at = usize::from(len);
        if !self.has_actions {
            self.has_actions = true;
            self.tags[..at].fill(TagAction::Keep);
        }
        self.tags[at] = tags;
    }

    #[inline]
    fn indices(&self, len: u8) -> &[u8] {
        self.indices.get(..usize::from(len)).unwrap_or_default()
    }

    #[inline]
    fn tags(&self, len: u8) -> TagActions<'_> {
        if self.has_actions {
            TagActions::Each(self.tags.get(..usize::from(len)).unwrap_or_default())
        } else {
            TagActions::All(TagAction::Keep)
        }
    }

    fn action(&self, at: usize) -> TagAction {
        if self.has_actions {
            self.tags[at]
        } else {
            TagAction::Keep
        }
    }

    /// Merges the frames at `others` into the first `len` entries, all with the action `tags`.
    fn merge(&mut self, len: &mut u8, others: &[u8], tags: TagAction) {
        let (before, count) = (self.clone(), std::mem::take(len));
        self.has_actions = false;
        let numbered = before.indices(count).iter().enumerate();
        let mut ours = numbered
            .map(|(at, index)| (*index, before.action(at)))
            .peekable();
        for other in others {
            while let Some((our, action)) = ours.next_if(|(our, _)| our < other) {
                self.push(len, our, action);
            }
            self.push(len, *other, tags);
        }
        for (our, action) in ours {
            self.push(len, our, action);
        }
    }
}

/// The number of a group of ports to which frames are flooded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FloodGroup(pub u16);

impl FloodGroup {
    /// All ports that forward.
    pub const ALL: Self = Self(0);
}

/// A port of a [`FloodGroup`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The port.
    pub port: PortId,
    /// The action on the tags of a frame that is flooded to it.
    pub tags: TagAction,
}

/// The frames that were flooded to one group.
#[derive(Clone, Debug)]
struct Flood {
    group: FloodGroup,
    len: u8,
    indices: [u8; BATCH],
}

impl Flood {
    const EMPTY: Self = Self {
        group: FloodGroup::ALL,
        len: 0,
        indices: [0; BATCH],
    };

    #[inline]
    fn push(&mut self, index: u8) {
        if let Some(place) = self.indices.get_mut(usize::from(self.len)) {
            *place = index;
            self.len += 1;
        }
    }

    #[inline]
    fn indices(&self) -> &[u8] {
        self.indices
            .get(..usize::from(self.len))
            .unwrap_or_default()
    }
}

/// A port in this state shares the first flood; in the next state the second, and so on. Below it,
/// the state is the number of frames in the port's own queue.
const SHARES: u8 = 128;

/// The frames of the current batch that leave each output port, in order.
///
/// Frames for a group of ports are collected once per group. Ports without other frames share that
/// list; for the others it is merged into their own. So a flood costs each port a few instructions
/// per batch, not per frame. Nothing is allocated once the ports and the groups that one batch is
/// flooded to are known.
#[derive(Clone, Debug)]
pub struct OutputQueues {
    /// By port number: how many frames are in its own queue, or which flood it shares. Stored apart
    /// from the queues, so that a flood to many ports touches little memory.
    states: Vec<u8>,
    /// By port number: the frames of this port only. [`OutputQueues::finish`] merges floods into
    /// them if there are any.
    own: Vec<Entries>,
    /// By port number: the action on the tags of a flood that it shares. Read and written only if
    /// `has_flood_actions`.
    flood_tags: Vec<TagAction>,
    has_flood_actions: bool,
    /// The frames flooded to the first group, which is usually the only one.
    first_flood: Flood,
    /// The frames flooded to other groups.
    other_floods: Vec<Flood>,
    /// The ports with frames: first those with frames of their own, in the order of their first
    /// frame, then the others of the floods. Only the first `dirty_len` elements are valid. There
    /// is room for one more than there are ports, because a port is written before it is known
    /// whether it is already in the list.
    dirty: Vec<PortId>,
    dirty_len: usize,
}

impl OutputQueues {
    /// Creates queues without ports.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            states: Vec::new(),
            own: Vec::new(),
            flood_tags: Vec::new(),
            has_flood_actions: false,
            first_flood: Flood::EMPTY,
            other_floods: Vec::new(),
            dirty: Vec::new(),
            dirty_len: 0,
        }
    }

    /// Makes room for `port`. Frames for other ports are ignored.
    pub fn add_port(&mut self, port: PortId) {
        let len = self.own.len().max(usize::from(port.0) + 1);
        self.states.resize(len, 0);
        self.own.resize(len, Entries::EMPTY);
        self.flood_tags.resize(len, TagAction::Keep);
        self.dirty.resize(len + 1, PortId(0));
    }

    /// Sends frame `index` of the batch unchanged out of `port`. Indices must ascend.
    #[inline]
    pub fn push(&mut self, port: PortId, index: u8) {
        self.push_tagged(port, index, TagAction::Keep);
    }

    /// Sends frame `index` of the batch out of `port` with the action `tags`. Indices must ascend.
    #[inline]
    pub fn push_tagged(&mut self, port: PortId, index: u8, tags: TagAction) {
        let at = usize::from(port.0);
        if let Some(state) = self.states.get_mut(at)
            && let Some(own) = self.own.get_mut(at)
        {
            // Without a branch: with many ports the branch would be mispredicted most of the time.
            if let Some(next) = self.dirty.get_mut(self.dirty_len) {
                *next = port;
            }
            self.dirty_len += usize::from(*state == 0);
            own.push(state, index, tags);
        }
    }

    /// Sends frame `index` of the batch out of all ports of `group`, whose members
    /// [`OutputQueues::finish`] receives. Indices must ascend.
    #[inline]
    pub fn push_flood(&mut self, group: FloodGroup, index: u8) {
        if self.first_flood.group == group {
            self.first_flood.push(index);
        } else {
            self.push_other_flood(group, index);
        }
    }

    #[inline(never)]
    fn push_other_flood(&mut self, group: FloodGroup, index: u8) {
        if self.first_flood.len == 0 {
            self.first_flood.group = group;
            self.first_flood.push(index);
            return;
        }
        let mut floods = self.other_floods.iter_mut();
        if let Some(flood) = floods.find(|flood| flood.group == group) {
            flood.push(index);
        } else if self.other_floods.len() < BATCH {
            let mut flood = Flood {
                group,
                ..Flood::EMPTY
            };
            flood.push(index);
            self.other_floods.push(flood);
        }
    }

    fn flood(&self, at: usize) -> &Flood {
        match at.checked_sub(1) {
            None => &self.first_flood,
            Some(at) => &self.other_floods[at],
        }
    }

    /// Ends a batch that arrived on `ingress`: frames flooded to a group leave by its `members`
    /// except that port. A port must be in a group at most once.
    #[inline]
    pub fn finish<'a>(&mut self, ingress: PortId, members: impl Fn(FloodGroup) -> &'a [Member]) {
        if self.first_flood.len > 0 {
            for at in 0..=self.other_floods.len() {
                self.spread(at, ingress, members(self.flood(at).group));
            }
        }
    }

    /// Spreads the flood at `at`; there is at most one per frame of a batch.
    fn spread(&mut self, at: usize, ingress: PortId, members: &[Member]) {
        let Ok(shares) = u8::try_from(usize::from(SHARES) + at) else {
            return;
        };
        for &Member { port, tags } in members {
            let Some(state) = self.states.get_mut(usize::from(port.0)) else {
                continue;
            };
            if port == ingress {
                continue;
            }
            if *state == 0 {
                *state = shares;
                self.dirty[self.dirty_len] = port;
                self.dirty_len += 1;
                if self.has_flood_actions || !tags.is_keep() {
                    self.note_flood_action(port, tags);
                }
            } else {
                self.merge(port, at, tags);
            }
        }
    }

    /// Records the action on the tags of a flood that a port shares, which is the last flood so
    /// far.
    #[inline(never)]
    fn note_flood_action(&mut self, port: PortId, tags: TagAction) {
        if !self.has_flood_actions {
            self.has_flood_actions = true;
            for port in self.dirty.iter().take(self.dirty_len) {
                self.flood_tags[usize::from(port.0)] = TagAction::Keep;
            }
        }
        self.flood_tags[usize::from(port.0)] = tags;
    }

    /// Merges a flood into the frames that already leave by a port.
    fn merge(&mut self, port: PortId, at_flood: usize, tags: TagAction) {
        let at = usize::from(port.0);
        let flood = |at: usize| match at.checked_sub(1) {
            None => &self.first_flood,
            Some(at) => &self.other_floods[at],
        };
        let (state, own) = (&mut self.states[at], &mut self.own[at]);
        if let Some(shared) = state.checked_sub(SHARES) {
            let before = if self.has_flood_actions {
                self.flood_tags[at]
            } else {
                TagAction::Keep
            };
            *state = 0;
            let indices = flood(shared.into()).indices();
            own.merge(state, indices, before);
        }
        own.merge(state, flood(at_flood).indices(), tags);
    }

    /// Reports whether no frame leaves.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.dirty_len == 0
    }

    /// Iterates over the ports with frames, each with their indices in the batch, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (PortId, &[u8])> {
        self.dirty.iter().take(self.dirty_len).map(|&port| {
            let state = self.states[usize::from(port.0)];
            (port, self.indices(port, state))
        })
    }

    #[inline]
    fn indices(&self, port: PortId, state: u8) -> &[u8] {
        match state.checked_sub(SHARES) {
            None => self.own[usize::from(port.0)].indices(state),
            Some(flood) => self.flood(flood.into()).indices(),
        }
    }

    #[inline]
    fn tags(&self, port: PortId, state: u8) -> TagActions<'_> {
        let at = usize::from(port.0);
        if state < SHARES {
            self.own[at].tags(state)
        } else if self.has_flood_actions {
            TagActions::All(self.flood_tags[at])
        } else {
            TagActions::All(TagAction::Keep)
        }
    }

    /// Iterates over the ports with frames of `batch`, each with those frames.
    pub fn selections<'s, 'f>(
        &'s self,
        batch: &'s [Frame<'f>],
    ) -> impl Iterator<Item = (PortId, Selection<'s, 'f>)> {
        self.dirty.iter().take(self.dirty_len).map(move |&port| {
            let state = self.states[usize::from(port.0)];
            let selection = Selection::new(batch, self.indices(port, state));
            (port, selection.with_tags(self.tags(port, state)))
        })
    }

    /// Empties all queues, for the next batch.
    #[inline]
    pub fn clear(&mut self) {
        for port in self.dirty.iter().take(self.dirty_len) {
            let at = usize::from(port.0);
            if self.states[at] < SHARES {
                self.own[at].has_actions = false;
            }
            self.states[at] = 0;
        }
        self.dirty_len = 0;
        self.has_flood_actions = false;
        self.first_flood.len = 0;
        self.other_floods.clear();
    }
}

impl Default for OutputQueues {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
