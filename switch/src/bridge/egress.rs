//! Where frames may leave, gathered per output port for a whole batch.

use super::PortId;
use crate::frame::{BATCH, Frame, Selection, TagAction, TagActions};

/// Indices into a batch, ascending, each with what is done to the frame's tags.
///
/// What is written where no tag changes comes first.
#[derive(Clone, Debug)]
#[repr(C)]
struct Queue {
    len: usize,
    /// Whether any entry has an action. Without one `tags` is neither read nor written.
    has_actions: bool,
    indices: [u8; BATCH],
    tags: [TagAction; BATCH],
}

impl Queue {
    const EMPTY: Self = Self {
        len: 0,
        has_actions: false,
        indices: [0; BATCH],
        tags: [TagAction::Keep; BATCH],
    };

    /// Appends `index`; what is more than a batch is ignored.
    #[inline]
    fn push(&mut self, index: u8, tags: TagAction) {
        if let Some(place) = self.indices.get_mut(self.len) {
            *place = index;
            self.len += 1;
            if self.has_actions || !tags.is_keep() {
                self.note_action(tags);
            }
        }
    }

    /// Notes the action of the last entry.
    #[inline(never)]
    fn note_action(&mut self, tags: TagAction) {
        let last = self.len - 1;
        if !self.has_actions {
            self.has_actions = true;
            self.tags[..last].fill(TagAction::Keep);
        }
        self.tags[last] = tags;
    }

    #[inline]
    fn clear(&mut self) {
        self.len = 0;
        self.has_actions = false;
    }

    #[inline]
    fn indices(&self) -> &[u8] {
        self.indices.get(..self.len).unwrap_or_default()
    }

    #[inline]
    fn tags(&self) -> TagActions<'_> {
        if self.has_actions {
            TagActions::Each(self.tags.get(..self.len).unwrap_or_default())
        } else {
            TagActions::All(TagAction::Keep)
        }
    }

    fn entries(&self) -> impl Iterator<Item = (u8, TagAction)> {
        let tags = |at: usize| {
            if self.has_actions {
                self.tags[at]
            } else {
                TagAction::Keep
            }
        };
        let numbered = self.indices().iter().enumerate();
        numbered.map(move |(at, index)| (*index, tags(at)))
    }

    /// Merges `other` in, whose frames all get the action `tags`.
    fn merge(&mut self, other: &Self, tags: TagAction) {
        let own = self.clone();
        self.clear();
        let mut ours = own.entries().peekable();
        for index in other.indices() {
            while let Some((our, action)) = ours.next_if(|(our, _)| our < index) {
                self.push(our, action);
            }
            self.push(*index, tags);
        }
        for (our, action) in ours {
            self.push(our, action);
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
    /// What is done to the tags of a frame that is flooded to it.
    pub tags: TagAction,
}

/// What was flooded to one group.
#[derive(Clone, Debug)]
struct Flood {
    group: FloodGroup,
    queue: Queue,
}

/// What leaves by one port.
#[derive(Clone, Debug)]
#[repr(C)]
struct Egress {
    /// Where there is nothing of its own, the flood that it shares with others.
    shared: Option<(u8, TagAction)>,
    /// What leaves by that port alone. After [`OutputQueues::finish`] floods are merged in where
    /// there is anything.
    own: Queue,
}

impl Egress {
    const EMPTY: Self = Self {
        shared: None,
        own: Queue::EMPTY,
    };
}

/// For each output port, the frames of the batch at hand that leave by it, in their order.
///
/// Frames for a group of ports are gathered once for each group, and ports by which nothing else
/// leaves share that list; the others get theirs merged into it. So a flood costs each port a few
/// instructions per batch, not per frame. Nothing is allocated once the ports are known, and the
/// groups that one batch is flooded to.
#[derive(Clone, Debug)]
pub struct OutputQueues {
    /// By port number.
    ports: Vec<Egress>,
    /// Only the first `flood_count` count; the others are room.
    floods: Vec<Flood>,
    flood_count: usize,
    /// The ports by which anything leaves: those with frames of their own in the order in which
    /// they got their first, then the others of the floods.
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
            ports: Vec::new(),
            floods: Vec::new(),
            flood_count: 0,
            dirty: Vec::new(),
            dirty_len: 0,
        }
    }

    /// Makes room for `port`. Frames for ports not added are ignored.
    pub fn add_port(&mut self, port: PortId) {
        let len = self.ports.len().max(usize::from(port.0) + 1);
        self.ports.resize(len, Egress::EMPTY);
        self.dirty.resize(len + 1, PortId(0));
    }

    /// Lets frame `index` of the batch leave by `port` as it is. Indices must ascend.
    #[inline]
    pub fn push(&mut self, port: PortId, index: u8) {
        self.push_tagged(port, index, TagAction::Keep);
    }

    /// Lets frame `index` of the batch leave by `port` with `tags` done to it. Indices must ascend.
    #[inline]
    pub fn push_tagged(&mut self, port: PortId, index: u8, tags: TagAction) {
        if let Some(Egress { own, .. }) = self.ports.get_mut(usize::from(port.0)) {
            // Without a branch: between many ports it would be guessed wrong all the time.
            if let Some(next) = self.dirty.get_mut(self.dirty_len) {
                *next = port;
            }
            self.dirty_len += usize::from(own.len == 0);
            own.push(index, tags);
        }
    }

    /// Lets frame `index` of the batch leave by all ports of `group`, of which
    /// [`OutputQueues::finish`] is told. Indices must ascend.
    #[inline]
    pub fn push_flood(&mut self, group: FloodGroup, index: u8) {
        // Most frames of a batch go to the same group.
        match self.floods[..self.flood_count].last_mut() {
            Some(flood) if flood.group == group => flood.queue.push(index, TagAction::Keep),
            _ => self.push_other_flood(group, index),
        }
    }

    fn push_other_flood(&mut self, group: FloodGroup, index: u8) {
        let floods = &mut self.floods[..self.flood_count];
        if let Some(flood) = floods.iter_mut().find(|flood| flood.group == group) {
            flood.queue.push(index, TagAction::Keep);
            return;
        }
        if self.flood_count == self.floods.len() {
            let queue = Queue::EMPTY;
            self.floods.push(Flood { group, queue });
        }
        let flood = &mut self.floods[self.flood_count];
        flood.group = group;
        flood.queue.push(index, TagAction::Keep);
        self.flood_count += 1;
    }

    /// Ends a batch that came in by `ingress`: what was flooded to a group leaves by its `members`
    /// but that port. A port is a member of a group once at most.
    #[inline]
    pub fn finish<'a>(&mut self, ingress: PortId, members: impl Fn(FloodGroup) -> &'a [Member]) {
        for at in 0..self.flood_count {
            self.spread(at, ingress, members(self.floods[at].group));
        }
    }

    /// Spreads the flood at `at`, of which there is one at most for each frame of a batch.
    fn spread(&mut self, at: usize, ingress: PortId, members: &[Member]) {
        let Self {
            ports,
            floods,
            dirty,
            dirty_len,
            ..
        } = self;
        let flood = &floods[at].queue;
        let Ok(at) = u8::try_from(at) else { return };
        for member in members {
            if member.port == ingress {
                continue;
            }
            let Some(egress) = ports.get_mut(usize::from(member.port.0)) else {
                continue;
            };
            if let Some((other, tags)) = egress.shared.take() {
                egress.own.merge(&floods[usize::from(other)].queue, tags);
            }
            if egress.own.len > 0 {
                egress.own.merge(flood, member.tags);
            } else {
                egress.shared = Some((at, member.tags));
                dirty[*dirty_len] = member.port;
                *dirty_len += 1;
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
        self.entries().map(|(port, indices, _)| (port, indices))
    }

    /// The ports by which frames of `batch` leave, each with those frames.
    pub fn selections<'s, 'f>(
        &'s self,
        batch: &'s [Frame<'f>],
    ) -> impl Iterator<Item = (PortId, Selection<'s, 'f>)> {
        self.entries().map(move |(port, indices, tags)| {
            (port, Selection::new(batch, indices).with_tags(tags))
        })
    }

    fn entries(&self) -> impl Iterator<Item = (PortId, &[u8], TagActions<'_>)> {
        self.dirty.iter().take(self.dirty_len).map(|&port| {
            let Egress { own, shared } = &self.ports[usize::from(port.0)];
            match shared {
                None => (port, own.indices(), own.tags()),
                Some((flood, tags)) => {
                    let flood = &self.floods[usize::from(*flood)].queue;
                    (port, flood.indices(), TagActions::All(*tags))
                }
            }
        })
    }

    /// Empties all queues, for the next batch.
    #[inline]
    pub fn clear(&mut self) {
        for port in self.dirty.iter().take(self.dirty_len) {
            let egress = &mut self.ports[usize::from(port.0)];
            egress.own.clear();
            egress.shared = None;
        }
        self.dirty_len = 0;
        for flood in &mut self.floods[..self.flood_count] {
            flood.queue.clear();
        }
        self.flood_count = 0;
    }
}

impl Default for OutputQueues {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::VlanTag;

    const KEEP: TagAction = TagAction::Keep;
    const POP: TagAction = TagAction::Pop;
    const PUSH: TagAction = TagAction::Push(VlanTag {
        tpid: 0x8100,
        tci: 5,
    });

    fn queues(ports: u16) -> OutputQueues {
        let mut queues = OutputQueues::new();
        for port in 1..=ports {
            queues.add_port(PortId(port));
        }
        queues
    }

    fn members(ports: &[u16]) -> Vec<Member> {
        let member = |port: &u16| Member {
            port: PortId(*port),
            tags: KEEP,
        };
        ports.iter().map(member).collect()
    }

    type Listed = Vec<(u16, Vec<(u8, TagAction)>)>;

    fn listed_with_tags(queues: &OutputQueues) -> Listed {
        let list = |indices: &[u8], tags: TagActions<'_>| {
            let tag = |at: usize| match tags {
                TagActions::All(tag) => tag,
                TagActions::Each(tags) => tags[at],
            };
            let numbered = indices.iter().enumerate();
            numbered.map(|(at, index)| (*index, tag(at))).collect()
        };
        let owned = queues
            .entries()
            .map(|(port, indices, tags)| (port.0, list(indices, tags)));
        owned.collect()
    }

    fn listed(queues: &OutputQueues) -> Vec<(u16, Vec<u8>)> {
        let owned = queues
            .iter()
            .map(|(port, indices)| (port.0, indices.to_vec()));
        owned.collect()
    }

    #[test]
    fn floods_and_unicast_leave_in_the_order_they_came() {
        let mut queues = queues(4);
        queues.push(PortId(3), 0);
        queues.push_flood(FloodGroup::ALL, 1);
        queues.push(PortId(3), 2);
        queues.push(PortId(2), 3);
        queues.push_flood(FloodGroup::ALL, 5);
        let all = members(&[1, 2, 3, 4]);
        queues.finish(PortId(1), |_| &all);
        let expected = [(3, vec![0, 1, 2, 5]), (2, vec![1, 3, 5]), (4, vec![1, 5])];
        assert_eq!(listed(&queues), expected);
    }

    #[test]
    fn clearing_leaves_nothing_behind() {
        let mut queues = queues(2);
        let all = members(&[1, 2]);
        queues.push_tagged(PortId(2), 0, POP);
        queues.push_flood(FloodGroup::ALL, 1);
        queues.push_flood(FloodGroup(7), 2);
        queues.finish(PortId(1), |_| &all);
        queues.clear();
        assert!(queues.is_empty());
        queues.push(PortId(1), 7);
        queues.finish(PortId(2), |_| &all);
        assert_eq!(listed_with_tags(&queues), [(1, vec![(7, KEEP)])]);
    }

    #[test]
    fn what_is_too_much_or_for_no_port_is_ignored() {
        let mut queues = queues(1);
        queues.push(PortId(9), 0);
        assert!(queues.is_empty());
        for index in 0..=u8::MAX {
            queues.push(PortId(1), index);
            queues.push_flood(FloodGroup::ALL, index);
        }
        let all = members(&[1, 2, 9]);
        queues.finish(PortId(2), |_| &all);
        let listed = listed(&queues);
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].1.len(), BATCH);
    }

    /// What one frame of a batch does.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Push(u16, TagAction),
        Flood(u16),
        Drop,
    }

    fn action() -> impl Strategy<Value = TagAction> {
        prop_oneof![4 => Just(KEEP), 1 => Just(POP), 1 => Just(PUSH)]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1..6_u16, action()).prop_map(|(port, tags)| Step::Push(port, tags)),
            (0..4_u16).prop_map(Step::Flood),
            Just(Step::Drop),
        ]
    }

    /// For each port, the frames in their order, found frame by frame.
    fn naive(steps: &[Step], groups: &[Vec<Member>], ingress: PortId) -> Listed {
        let mut all: Listed = (1..6).map(|port| (port, Vec::new())).collect();
        for (index, step) in (0..).zip(steps) {
            match *step {
                Step::Push(port, tags) => all[usize::from(port) - 1].1.push((index, tags)),
                Step::Flood(group) => {
                    let members = &groups[usize::from(group)];
                    for member in members.iter().filter(|member| member.port != ingress) {
                        all[usize::from(member.port.0) - 1]
                            .1
                            .push((index, member.tags));
                    }
                }
                Step::Drop => {}
            }
        }
        all.retain(|(_, frames)| !frames.is_empty());
        all
    }

    proptest! {
        #[test]
        fn each_port_gets_its_frames_in_order_with_its_tag_actions(
            batches in proptest::collection::vec(proptest::collection::vec(step(), 0..=BATCH), 1..4),
            groups in proptest::collection::vec(proptest::collection::btree_map(1..6_u16, action(), 0..6), 4),
            ingress in 1..6_u16,
        ) {
            let groups: Vec<Vec<Member>> = groups.iter().map(|group| {
                let member = |(port, tags): (&u16, &TagAction)| Member { port: PortId(*port), tags: *tags };
                group.iter().map(member).collect()
            }).collect();
            let ingress = PortId(ingress);
            let mut queues = queues(5);
            for steps in batches {
                queues.clear();
                for (index, step) in (0..).zip(&steps) {
                    match *step {
                        Step::Push(port, tags) => queues.push_tagged(PortId(port), index, tags),
                        Step::Flood(group) => queues.push_flood(FloodGroup(group), index),
                        Step::Drop => {}
                    }
                }
                queues.finish(ingress, |group| &groups[usize::from(group.0)]);
                let mut listed = listed_with_tags(&queues);
                listed.sort_by_key(|(port, _)| *port);
                prop_assert_eq!(listed, naive(&steps, &groups, ingress));
            }
        }
    }
}
