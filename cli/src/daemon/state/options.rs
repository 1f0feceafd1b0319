//! What `run` and `set` decide, as it is kept and as the switch wants it.

use std::time::Duration;

use clap::ValueEnum;
use vswitch_switch::BridgeConfig;
use vswitch_switch::port::ReceivePath;

use super::Options;
use crate::args::{ReceiveArg, RunArgs};
use crate::daemon::GuardMode;
use crate::names::LabName;
use crate::protocol::Protection;

impl Options {
    /// Those of a command line.
    pub(crate) fn given(args: &RunArgs) -> Self {
        Self {
            ageing_s: args.ageing,
            max_macs: args.max_macs,
            forward_reserved: args.forward_reserved,
            vlan_learning: args.vlan_learning,
            subnet: args.subnet,
            receive: args.receive.map(|way| way.as_str().to_owned()),
            ring_slots: args.ring_slots,
            lab: args.lab.as_ref().map(ToString::to_string),
            group: args.group,
            metrics: None,
            guard: args.guard_mode(),
            protection: args.protection.plain(),
        }
    }

    /// Takes over what is not decided.
    pub(crate) fn fill(&mut self, kept: &Self) {
        let kept = kept.clone();
        self.ageing_s = self.ageing_s.or(kept.ageing_s);
        self.max_macs = self.max_macs.or(kept.max_macs);
        self.forward_reserved = self.forward_reserved.or(kept.forward_reserved);
        self.vlan_learning = self.vlan_learning.or(kept.vlan_learning);
        self.subnet = self.subnet.or(kept.subnet);
        self.receive = self.receive.take().or(kept.receive);
        self.ring_slots = self.ring_slots.or(kept.ring_slots);
        self.lab = self.lab.take().or(kept.lab);
        self.protection = self.protection.or(kept.protection);
        self.group = self.group.or(kept.group);
        self.guard = self.guard.or(kept.guard.and_then(GuardMode::recalled));
    }

    /// How the switch forwards.
    pub(crate) fn bridge(&self) -> BridgeConfig {
        let mut config = BridgeConfig::default();
        if let Some(seconds) = self.ageing_s {
            config.ageing = Duration::from_secs(seconds.into());
        }
        if let Some(most) = self.max_macs.and_then(|most| usize::try_from(most).ok()) {
            config.max_stations = most;
        }
        config.forward_reserved = self.forward_reserved.unwrap_or(config.forward_reserved);
        config.vlan_learning = self.vlan_learning.unwrap_or_default();
        self.protection.apply(&mut config);
        config
    }

    /// Takes over how the switch forwards.
    pub(crate) fn note(&mut self, config: &BridgeConfig) {
        self.ageing_s = u32::try_from(config.ageing.as_secs()).ok();
        self.max_macs = u32::try_from(config.max_stations).ok();
        self.forward_reserved = Some(config.forward_reserved);
        self.vlan_learning = Some(config.vlan_learning);
        self.protection = Protection::of(config);
    }

    /// How frames come from the kernel.
    pub(crate) fn receive(&self) -> ReceivePath {
        let known = self.receive.as_deref();
        let known = known.and_then(|way| ReceiveArg::from_str(way, false).ok());
        known.map_or(ReceivePath::Auto, ReceivePath::from)
    }

    /// The lab that the switch belongs to.
    pub(crate) fn lab(&self) -> Option<LabName> {
        self.lab.as_deref()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswitch_switch::bridge::VlanLearning;

    #[test]
    fn what_is_decided_stays_and_all_else_is_as_it_was() {
        let mut options = Options {
            ageing_s: Some(10),
            ..Options::default()
        };
        let kept = Options {
            ageing_s: Some(20),
            max_macs: Some(100),
            vlan_learning: Some(VlanLearning::Independent),
            receive: Some("socket".to_owned()),
            ..Options::default()
        };
        options.fill(&kept);
        let config = options.bridge();
        assert_eq!(config.ageing, Duration::from_secs(10));
        assert_eq!(config.max_stations, 100);
        assert!(!config.forward_reserved);
        assert_eq!(config.vlan_learning, VlanLearning::Independent);
        assert_eq!(options.receive(), ReceivePath::Socket);
        let mut noted = Options::default();
        noted.note(&config);
        assert_eq!(noted.bridge(), config);
    }
}
