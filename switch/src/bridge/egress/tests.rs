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
    let owned = queues.iter().map(|(port, indices)| {
        let state = queues.states[usize::from(port.0)];
        (port.0, list(indices, queues.tags(port, state)))
    });
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

/// The action for one frame of a batch.
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

/// Computes, frame by frame, the frames of each port in order.
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
