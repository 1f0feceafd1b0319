//! Predicts what would happen to a frame, up to the ports by which it would leave.

use super::table::Slot;
use super::{Datapath, PortId};
use crate::bridge::{Decision, DropReason, Verdict, VlanLearning};
use crate::frame::Timestamp;
use crate::port::{Frame, LinkState};

/// The predicted handling of a frame, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The ingress port.
    pub ingress: PortId,
    /// The bridge's decision.
    pub decision: Decision,
    /// The egress ports; for a flood all except the ingress port, in the order of their numbers.
    pub egress: Vec<Egress>,
    /// Whether the bridge forwards frames to reserved addresses.
    pub forward_reserved: bool,
    /// Which VLANs share learnt entries.
    pub vlan_learning: VlanLearning,
}

/// An egress port of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// Its number.
    pub port: PortId,
    /// Its name.
    pub name: String,
    /// Its link.
    pub link: LinkState,
    /// Its MTU.
    pub mtu_bytes: usize,
    /// Whether offloaded work would be done in software before.
    pub finishes_offload: bool,
    /// What would happen to the frame there.
    pub leaving: Leaving,
}

/// What would happen to a frame at an egress port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// It would be sent, if there is room.
    Sent,
    /// It would be dropped for this reason.
    Dropped(DropReason),
    /// The port is excluded from floods because it does not forward.
    LeftOut,
    /// The port is excluded from floods because it is blocked as part of a loop.
    Blocked,
}

impl Datapath {
    /// Predicts what would happen to a frame that arrived on `ingress`, and why. Sends nothing and
    /// changes nothing.
    #[must_use]
    pub fn explain(&self, now: Timestamp, ingress: PortId, frame: &Frame<'_>) -> Explanation {
        let decision = self.bridge.explain(now, ingress, frame.bytes);
        let leaves_by = |port: PortId| match decision.verdict {
            Verdict::Forward(only) => port == only,
            Verdict::Flood => port != ingress,
            Verdict::Drop(_) => false,
        };
        let ports = self.table.iter().filter(|(port, _)| leaves_by(*port));
        Explanation {
            ingress,
            decision,
            egress: ports
                .map(|(port, slot)| self.egress(port, slot, frame))
                .collect(),
            forward_reserved: self.bridge.config().forward_reserved,
            vlan_learning: self.bridge.config().vlan_learning,
        }
    }

    fn egress(&self, port: PortId, slot: &Slot, frame: &Frame<'_>) -> Egress {
        let mtu_bytes = slot.port.mtu();
        let leaving = if self.bridge.is_blocked(port) {
            Leaving::Blocked
        } else if !self.bridge.forwarding_ports().contains(&port) {
            Leaving::LeftOut
        } else if slot.state.link != LinkState::Up {
            Leaving::Dropped(DropReason::EgressDown)
        } else {
            let refusal = slot.port.limit().refuses(frame);
            refusal.map_or(Leaving::Sent, Leaving::Dropped)
        };
        Egress {
            port,
            name: slot.port.name().to_owned(),
            link: slot.state.link,
            mtu_bytes,
            finishes_offload: slot.port.finishes_offloads() && !frame.offload.is_finished(),
            leaving,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BridgeConfig;
    use crate::bridge::{Destination, Source};
    use crate::port::memory::{self, Cable, MemoryOptions};

    fn lab() -> (Datapath, Vec<Cable>) {
        let mut datapath = Datapath::new(BridgeConfig::default());
        let cables = ["a", "b", "c", "d"].map(|name| {
            let options = MemoryOptions {
                mtu_bytes: if name == "c" { 100 } else { 1500 },
                ..MemoryOptions::default()
            };
            let (port, cable) = memory::pair(name, options).unwrap();
            datapath.add_port(port).unwrap();
            cable
        });
        while datapath.service(Timestamp::ZERO).is_some() {}
        (datapath, cables.into())
    }

    fn frame(src: u8, dst: u8) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x88, 0xb5];
        bytes.resize(200, 0);
        bytes
    }

    #[test]
    fn a_flood_is_explained_port_by_port_and_then_handled_so() {
        let (mut datapath, cables) = lab();
        datapath.set_link(PortId(4), LinkState::Down);
        let bytes = frame(1, 2);
        let told = datapath.explain(Timestamp::ZERO, PortId(1), &Frame::finished(&bytes));
        assert_eq!(told.decision.verdict, Verdict::Flood);
        let leaving: Vec<_> = told
            .egress
            .iter()
            .map(|egress| (egress.port.0, egress.leaving))
            .collect();
        let too_big = Leaving::Dropped(DropReason::EgressTooBig);
        assert_eq!(
            leaving,
            [(2, Leaving::Sent), (3, too_big), (4, Leaving::LeftOut)]
        );
        assert_eq!(datapath.bridge().station_count(), 0, "nothing is learnt");
        assert!(cables[1].try_recv().is_none(), "nothing is sent");

        cables[0].send(&bytes).unwrap();
        datapath.mark_ready(PortId(1));
        while datapath.service(Timestamp::ZERO).is_some() {}
        assert!(cables[1].try_recv().is_some());
        assert!(cables[2].try_recv().is_none());
        let lost = datapath
            .port_info(Timestamp::ZERO, PortId(3))
            .unwrap()
            .counters
            .drops;
        assert_eq!(lost.get(DropReason::EgressTooBig), 1);
        assert!(cables[3].try_recv().is_none());

        let back = frame(2, 1);
        let told = datapath.explain(Timestamp::ZERO, PortId(2), &Frame::finished(&back));
        assert_eq!(told.decision.verdict, Verdict::Forward(PortId(1)));
        let passed = told.decision.passed.unwrap();
        assert_eq!(passed.source, Source::New { evicts: None });
        assert!(matches!(
            passed.destination,
            Destination::Known {
                port: PortId(1),
                ..
            }
        ));
        assert_eq!(told.egress.len(), 1);
    }
}
