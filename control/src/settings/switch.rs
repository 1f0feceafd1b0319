//! What can be set for a switch.

use std::time::Duration;

use serde_json::Value as Json;
use vswitch_switch::BridgeConfig;
use vswitch_switch::bridge::{Damping, LoopGuard, PortLimits, VlanLearning};
use vswitch_switch::port::PacketOptions;

use super::schema::{Schema, settings};
use super::value::{Group, GuardMode, Limit, Number, OnOff, Receive, Subnet, Value, YesNo};
use crate::metrics;

/// Where limits stand in help texts.
const PROTECTION: Option<&str> = Some("Protection of ports from each other");
/// The JSON object that holds them.
const IN_PROTECTION: Option<&str> = Some("protection");

#[expect(clippy::cast_possible_truncation, reason = "four million")]
const MAX_MACS: u32 = BridgeConfig::MAX_STATIONS_LIMIT as u32;
const MIN_SLOTS: u32 = *PacketOptions::RING_SLOTS.start();
const MAX_SLOTS: u32 = *PacketOptions::RING_SLOTS.end();
const MAX_MOVES: u32 = Damping::MAX_MOVES as u32;

settings! {
    /// What can be set for a switch: by `run`, by a lab file, and as far as it is live by `set`.
    struct SwitchSettings, null_sets_back: false;

    /// MAC ageing time in seconds.
    ageing: Number<1, 1_000_000> {
        value_name: "SECS",
        unit: "seconds",
        key: "ageing_s",
        default: Some(|| BridgeConfig::default().ageing.as_secs().to_string()),
        live: true,
        has_line: true,
    }
    /// Limit the MAC table to this number of entries.
    max_macs: Number<1, MAX_MACS> {
        unit: "entries",
        default: Some(|| BridgeConfig::default().max_stations.to_string()),
        live: true,
        has_line: true,
    }
    /// Forward frames to 01-80-C2-00-00-00 to -0F, for labs that test STP, LACP or LLDP.
    forward_reserved: YesNo {
        value_name: "YES",
        bare: Some("true"),
        default: Some(|| BridgeConfig::default().forward_reserved.to_string()),
        live: true,
        has_line: true,
    }
    /// Learn MAC addresses for all VLANs together, or in each VLAN by itself: `shared` or
    /// `independent`.
    vlan_learning: VlanLearning {
        value_name: "WAY",
        default: Some(|| BridgeConfig::default().vlan_learning.to_string()),
        live: true,
        has_line: true,
    }
    /// Give each attached namespace the next free address of this subnet, IPv4 or IPv6.
    subnet: Subnet {
        value_name: "CIDR",
        otherwise: "none",
        live: true,
        has_line: true,
        none: Some(|| Json::from("")),
    }
    /// Limit broadcasts accepted per port, in frames/s; `off` for no limit.
    broadcast_limit: Limit {
        unit: "frames/s",
        object: IN_PROTECTION,
        heading: PROTECTION,
        default: Some(|| limit(|limits| limits.broadcast)),
        live: true,
    }
    /// Limit multicasts accepted per port, in frames/s; `off` for no limit.
    multicast_limit: Limit {
        unit: "frames/s",
        object: IN_PROTECTION,
        heading: PROTECTION,
        default: Some(|| limit(|limits| limits.multicast)),
        live: true,
    }
    /// Limit frames to unknown MAC addresses accepted per port, in frames/s; `off` for no limit.
    unknown_limit: Limit {
        unit: "frames/s",
        object: IN_PROTECTION,
        heading: PROTECTION,
        default: Some(|| limit(|limits| limits.unknown_unicast)),
        live: true,
    }
    /// Limit the MAC addresses learnt per port; `off` for no limit.
    port_max_macs: Limit {
        unit: "entries",
        object: IN_PROTECTION,
        heading: PROTECTION,
        default: Some(|| limit(|limits| limits.max_stations)),
        live: true,
    }
    /// Follow a MAC address between ports up to N times a second; `off` for always. Beyond that its entry
    /// stays on the first port, and its frames still pass.
    move_limit: Limit<MAX_MOVES> {
        unit: "moves/s",
        object: IN_PROTECTION,
        heading: PROTECTION,
        default: Some(|| off_or(Damping::default().moves.into())),
        live: true,
    }
    /// Block a port that a probe has proven to be part of a loop: `on` or `off`.
    loop_guard: OnOff {
        value_name: "ON",
        object: IN_PROTECTION,
        heading: PROTECTION,
        default: Some(|| OnOff(LoopGuard::default().enabled).text()),
        live: true,
    }
    /// Choose how frames come from the kernel: `ring` is fastest, `auto` takes `socket` where the
    /// kernel gives no ring. `show` lists the way of each port.
    receive: Receive {
        value_name: "WAY",
        variable: Some("VSWITCH_RECEIVE"),
        default: Some(|| Receive::default().text()),
        has_line: true,
    }
    /// Set how many received frames can wait at each port, of any size; the kernel holds up to
    /// 2 KiB for each of them. A changed number holds for ports plugged in from then on.
    ring_slots: Number<MIN_SLOTS, MAX_SLOTS> {
        unit: "frames",
        otherwise: "2048 for 16 ports, 1024 for the next 16, then 256",
        live: true,
        has_line: true,
        none: Some(|| Json::from(0)),
    }
    /// Serve metrics for Prometheus at this loopback address, as in 127.0.0.1:9464 (port 0: any
    /// free one), or at a Unix socket, as in `unix:/PATH`. `show` prints the address.
    metrics: metrics::Address {
        value_name: "ADDRESS",
        otherwise: "none",
        shown: false,
        granted: true,
    }
    /// Give members of this group full control of the switch, by the group's name or number. They can also
    /// plug in interfaces of the machine.
    group: Group {
        value_name: "GROUP",
        otherwise: "none",
        has_line: true,
        granted: true,
    }
    /// Give up the rights, system calls and paths that the switch does not need: as far as the
    /// kernel allows (`auto`), all of them or refuse to start (`required`), or none (`off`), to find
    /// out whether the sandbox causes a failure.
    guard: GuardMode {
        value_name: "MODE",
        default: Some(|| GuardMode::default().text()),
        shown: false,
        granted: true,
    }
}

/// A default limit of ports.
fn limit(read: fn(&PortLimits) -> u32) -> String {
    off_or(read(&PortLimits::default()))
}

fn off_or(limit: u32) -> String {
    match limit {
        0 => "off".to_owned(),
        limit => limit.to_string(),
    }
}

impl SwitchSettings {
    /// How the switch forwards. What is not set is as by default.
    pub fn bridge(&self) -> BridgeConfig {
        let mut config = BridgeConfig::default();
        let PortLimits {
            max_stations,
            broadcast,
            multicast,
            unknown_unicast,
        } = &mut config.port_limits;
        for (limit, set) in [
            (max_stations, self.port_max_macs),
            (broadcast, self.broadcast_limit),
            (multicast, self.multicast_limit),
            (unknown_unicast, self.unknown_limit),
        ] {
            *limit = set.map_or(*limit, Limit::get);
        }
        if let Some(ageing) = self.ageing {
            config.ageing = Duration::from_secs(ageing.get().into());
        }
        if let Some(most) = self.max_macs.and_then(|most| most.get().try_into().ok()) {
            config.max_stations = most;
        }
        if let Some(moves) = self.move_limit.and_then(|most| most.get().try_into().ok()) {
            config.damping.moves = moves;
        }
        if let Some(YesNo(forwards)) = self.forward_reserved {
            config.forward_reserved = forwards;
        }
        if let Some(OnOff(guards)) = self.loop_guard {
            config.loop_guard.enabled = guards;
        }
        config.vlan_learning = self.vlan_learning.unwrap_or_default();
        config
    }

    /// Takes over what another switch of the same name has kept. `--guard off` is said anew each time:
    /// a process that takes a switch over can write its state, and the next one would run with all
    /// rights.
    pub fn recall(&mut self, kept: &Self) {
        let mut kept = kept.clone();
        kept.guard = kept.guard.filter(|mode| *mode != GuardMode::Off);
        self.fill(&kept);
    }

    /// The most entries of the MAC table.
    pub fn table_len(&self) -> u64 {
        self.max_macs.map_or(0, |most| most.get().into())
    }

    /// The MAC ageing time in seconds.
    pub fn ageing_s(&self) -> u64 {
        self.ageing.map_or(0, |ageing| ageing.get().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> SwitchSettings {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn defaults_are_those_of_the_bridge() {
        let all = SwitchSettings::default().or_default();
        assert_eq!(all.bridge(), BridgeConfig::default());
        assert_eq!(SwitchSettings::default().bridge(), BridgeConfig::default());
        for setting in SwitchSettings::ALL {
            assert!(setting.default_text().is_some(), "{}", setting.name);
        }
    }

    #[test]
    fn what_is_decided_stays_and_all_else_is_as_it_was() {
        let mut given = settings(r#"{"ageing_s":10,"protection":{"multicast_limit":8}}"#);
        given.recall(&settings(
            r#"{"ageing_s":20,"max_macs":100,"vlan_learning":"independent","receive":"socket",
                "guard":"off","protection":{"multicast_limit":9,"loop_guard":false}}"#,
        ));
        let config = given.bridge();
        assert_eq!(config.ageing, Duration::from_secs(10));
        assert_eq!(config.max_stations, 100);
        assert!(!config.forward_reserved && !config.loop_guard.enabled);
        assert_eq!(config.vlan_learning, VlanLearning::Independent);
        assert_eq!(config.port_limits.multicast, 8);
        assert_eq!(given.receive, Some(Receive::Socket));
        assert_eq!(given.guard, None);
    }

    #[test]
    fn the_state_of_the_first_version_is_read() {
        let kept = settings(
            r#"{"ageing_s":77,"max_macs":1000,"forward_reserved":true,"vlan_learning":null,
                "subnet":"10.0.0.0/24","receive":null,"ring_slots":null,"lab":null,"group":104,
                "metrics":"127.0.0.1:9464","guard":"required","protection":{"move_limit":0}}"#,
        );
        assert_eq!((kept.ageing_s(), kept.table_len()), (77, 1000));
        assert_eq!(kept.group, Some(Group(104)));
        assert_eq!(kept.guard, Some(GuardMode::Required));
        assert_eq!(kept.bridge().damping.moves, 0);
        let again = serde_json::to_string(&kept).unwrap();
        assert_eq!(settings(&again), kept);
    }
}
