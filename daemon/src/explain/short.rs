//! What the switch makes of a frame, in one line.

use std::time::Duration;

use vswitch_switch::bridge::{Decision, Destination, DropReason, PortId, Source, Verdict};
use vswitch_switch::frame::EthernetFrame;

/// One line: what was learnt, what was found, where the frame goes. `name` knows ports; those
/// that it does not know are told by their numbers.
pub(crate) fn in_short(
    decision: &Decision,
    frame: &[u8],
    name: impl Fn(PortId) -> Option<String>,
) -> String {
    let name = |port: PortId| name(port).unwrap_or_else(|| format!("port {port}"));
    let Ok(addresses) = EthernetFrame::new_checked(frame) else {
        return outcome(decision.verdict, &name);
    };
    let (src, dst) = (addresses.src(), addresses.dst());
    let Some(passed) = &decision.passed else {
        return outcome(decision.verdict, &name);
    };
    let learnt = match passed.source {
        Source::New { evicts: None } => format!("{src} is new and learnt"),
        Source::New {
            evicts: Some(station),
        } => format!("{src} is new and learnt in place of {}", station.mac),
        Source::Known { .. } => String::new(),
        Source::Moves { from, .. } => format!("{src} moves here from {}", name(from)),
        Source::Held { port } => format!("{src} moved too often and is held on {}", name(port)),
        Source::Static { port } => format!("{src} is bound to {}", name(port)),
        Source::NotLearnt | Source::NoRoom | Source::Probe => format!("{src} is not learnt"),
    };
    let found = match passed.destination {
        Destination::Group => format!("{dst} is a group"),
        Destination::Unknown => format!("{dst} is unknown"),
        Destination::Known { port, age: None } => format!("{dst} is bound to {}", name(port)),
        Destination::Known {
            port,
            age: Some(age),
        } => format!("{dst} is behind {}, heard {}", name(port), ago(age)),
    };
    let parts = [learnt, found, outcome(decision.verdict, &name)];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}

fn outcome(verdict: Verdict, name: &impl Fn(PortId) -> String) -> String {
    match verdict {
        Verdict::Forward(port) => format!("to {}", name(port)),
        Verdict::Flood => "to all other ports".to_owned(),
        Verdict::Drop(reason) => format!("dropped: {}", why(reason)),
    }
}

fn why(reason: DropReason) -> &'static str {
    reason.meaning()
}

/// How long ago that was, no more exactly than it is known.
pub(super) fn ago(age: Duration) -> String {
    match age.as_secs() {
        0 => "just now".to_owned(),
        seconds => format!("{seconds} s ago"),
    }
}
