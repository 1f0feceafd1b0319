//! The steps of a frame through the switch, in the order in which the bridge takes them.

use vswitch_switch::bridge::{Destination, DropReason, Passed, Source, Verdict, VlanLearning};
use vswitch_switch::datapath::{Egress, Explanation, Leaving};
use vswitch_switch::frame::EthernetFrame;

use super::Names;
use super::short::ago;
use vswitch_control::protocol::StepView;

/// What is gathered step by step.
struct Steps(Vec<StepView>);

impl Steps {
    fn add(&mut self, step: &str, text: impl Into<String>) {
        self.0.push(StepView {
            step: step.to_owned(),
            text: text.into(),
        });
    }
}

/// All steps, up to the one at which the frame ends.
pub(super) fn steps(
    port: &str,
    bytes: &[u8],
    explanation: &Explanation,
    names: &Names,
) -> Vec<StepView> {
    let mut steps = Steps(Vec::new());
    let refused = match (explanation.decision.verdict, &explanation.decision.passed) {
        (Verdict::Drop(reason), None) => Some(reason),
        _ => None,
    };
    if refused == Some(DropReason::LoopBlocked) {
        steps.add(
            "port",
            format!("{port} is blocked because it is part of a loop: it accepts no frames"),
        );
        return steps.0;
    }
    if refused == Some(DropReason::IngressDown) {
        steps.add(
            "port",
            format!("{port} is not forwarding: nothing enters by it"),
        );
        return steps.0;
    }
    steps.add("port", format!("{port} is forwarding"));
    let Ok(frame) = EthernetFrame::new_checked(bytes) else {
        let text = format!(
            "{} bytes are less than an Ethernet header of 14",
            bytes.len()
        );
        steps.add("length", text);
        return steps.0;
    };
    entering(&mut steps, &frame, refused, explanation.forward_reserved);
    if let Some(passed) = &explanation.decision.passed {
        let place = place(&frame, explanation.vlan_learning);
        steps.add("learn", learn(&frame, passed, port, &place, names));
        steps.add("look up", look_up(&frame, passed, &place, names));
        leaving(&mut steps, port, explanation);
    }
    steps.0
}

/// The checks at the entrance (IEEE 802.1Q-2022, 8.6.1 to 8.6.3).
fn entering(
    steps: &mut Steps,
    frame: &EthernetFrame<'_>,
    refused: Option<DropReason>,
    forward_reserved: bool,
) {
    let (src, dst) = (frame.src(), frame.dst());
    match refused {
        Some(DropReason::SourceMulticast) => {
            return steps.add("source", format!("{src} is a group, and no group sends"));
        }
        Some(DropReason::SourceZero) => {
            return steps.add(
                "source",
                format!("{src} is all zero, and not a valid source"),
            );
        }
        _ => steps.add("source", format!("{src} is the address of one station")),
    }
    let text = if refused == Some(DropReason::ReservedDestination) {
        format!(
            "{dst} is reserved for the link itself, and the switch runs without --forward-reserved"
        )
    } else if dst.is_reserved() && forward_reserved {
        format!(
            "{dst} is reserved for the link itself, but the switch runs with --forward-reserved"
        )
    } else if dst.is_broadcast() {
        format!("{dst} is the broadcast address")
    } else if dst.is_multicast() {
        format!("{dst} is a group, and not a reserved one")
    } else {
        format!("{dst} is the address of one station")
    };
    steps.add("destination", text);
    if refused == Some(DropReason::LoopProbe) {
        let text = "a loop probe that came back, passed before, or gives way to another";
        steps.add("loop", text);
    }
}

/// Where the table is asked.
fn place(frame: &EthernetFrame<'_>, learning: VlanLearning) -> String {
    match (frame.vlan().get(), learning) {
        (0, _) => String::new(),
        (_, VlanLearning::Shared) => " in all VLANs".to_owned(),
        (vlan, VlanLearning::Independent) => format!(" in VLAN {vlan}"),
    }
}

fn learn(
    frame: &EthernetFrame<'_>,
    passed: &Passed,
    port: &str,
    place: &str,
    names: &Names,
) -> String {
    let src = format!("{}{place}", frame.src());
    match passed.source {
        Source::New { evicts: None } => format!("{src} is new: learnt behind {port}"),
        Source::New {
            evicts: Some(station),
        } => format!(
            "{src} is new, and the table full: learnt behind {port} in place of {}, which was \
             silent for longest behind {}",
            station.mac,
            names.name(station.port)
        ),
        Source::Known { age } => format!(
            "{src} is known behind {port}, heard {}",
            ago(age.unwrap_or_default())
        ),
        Source::Held { port: held_on } => {
            let held_on = names.name(held_on);
            format!("{src} has moved too often: its entry stays on {held_on} for now")
        }
        Source::Moves { from, .. } => {
            let from = names.name(from);
            format!("{src} was behind {from}: it moves to {port}")
        }
        Source::Static { port } => {
            let bound = names.name(port);
            format!("{src} is bound to {bound} by hand: nothing is learnt")
        }
        Source::NotLearnt => "the ageing time is zero: nothing is learnt".to_owned(),
        Source::Probe => "it is a loop probe: its source is not learnt".to_owned(),
        Source::NoRoom => {
            format!("{src} is new, and static entries fill the table: it is not learnt")
        }
    }
}

fn look_up(frame: &EthernetFrame<'_>, passed: &Passed, place: &str, names: &Names) -> String {
    let dst = format!("{}{place}", frame.dst());
    match passed.destination {
        Destination::Group => "a group is behind no port of its own".to_owned(),
        Destination::Unknown => format!("{dst} is not known"),
        Destination::Known { port, age: None } => {
            format!("{dst} is bound to {} by hand", names.name(port))
        }
        Destination::Known {
            port,
            age: Some(age),
        } => format!("{dst} is behind {}, heard {}", names.name(port), ago(age)),
    }
}

fn leaving(steps: &mut Steps, port: &str, explanation: &Explanation) {
    match explanation.decision.verdict {
        Verdict::Drop(DropReason::SamePort) => {
            let text = format!("dropped: its destination is on {port}, the port it came from");
            return steps.add("leave", text);
        }
        Verdict::Drop(DropReason::NoEgress) => {
            return steps.add("leave", "no other port is forwarding");
        }
        Verdict::Drop(DropReason::EgressDown) => {
            return steps.add("leave", "the port that its destination is bound to is down");
        }
        Verdict::Drop(DropReason::LoopBlocked) => {
            let text =
                "the port that its destination is bound to is blocked because it is part of a loop";
            return steps.add("leave", text);
        }
        Verdict::Drop(
            DropReason::StormBroadcast
            | DropReason::StormMulticast
            | DropReason::StormUnknownUnicast,
        ) => {
            let text = format!("{port} has let in as many frames to many as it may just now");
            return steps.add("leave", text);
        }
        Verdict::Drop(_) | Verdict::Forward(_) | Verdict::Flood => {}
    }
    for egress in &explanation.egress {
        steps.add("leave", leave(egress));
    }
}

fn leave(egress: &Egress) -> String {
    let name = &egress.name;
    match egress.leaving {
        Leaving::Sent if egress.finishes_offload => {
            format!("by {name}, after what its sender left undone has been finished in software")
        }
        Leaving::Sent => format!("by {name}"),
        Leaving::Blocked => format!("not by {name}, which is blocked because it is part of a loop"),
        Leaving::LeftOut => format!("not by {name}, which is {}", egress.link.as_str()),
        Leaving::Dropped(DropReason::EgressTooBig) => {
            let mtu = egress.mtu_bytes;
            format!("by {name}, but it is too long for its MTU of {mtu} and dropped there")
        }
        Leaving::Dropped(_) => format!("by {name}, but that is down, and it is dropped there"),
    }
}
