//! Storms of flooded frames.

use std::time::Duration;

use vswitch_switch::bridge::{
    Alarm, BridgeConfig, DropReason, FloodKind, PortId, PortLimits, PortSettings, Verdict,
};

use crate::{BROADCAST, Lab, frame, mac};

const LIMITED: BridgeConfig = BridgeConfig {
    ageing: Duration::from_secs(300),
    max_stations: 100,
    forward_reserved: false,
    vlan_learning: vswitch_switch::bridge::VlanLearning::Shared,
    port_limits: PortLimits {
        max_stations: 0,
        broadcast: 100,
        multicast: 50,
        unknown_unicast: 20,
    },
    damping: vswitch_switch::bridge::Damping {
        moves: 30,
        within: Duration::from_secs(1),
        hold: Duration::from_secs(5),
    },
    loop_guard: vswitch_switch::bridge::LoopGuard::OFF,
};

/// Returns how many of `count` frames pass.
fn passing(lab: &mut Lab, port: u16, dst: [u8; 6], count: u32) -> u32 {
    let passed = (0..count).filter(|number| {
        let verdict = lab.send(port, &frame(dst, mac(port.into()), *number));
        matches!(verdict, Verdict::Flood | Verdict::Forward(_))
    });
    u32::try_from(passed.count()).unwrap()
}

#[test]
fn each_kind_is_limited_by_itself_and_known_unicast_never() {
    let mut lab = Lab::new(LIMITED, 3);
    assert_eq!(passing(&mut lab, 1, BROADCAST, 1000), 100);
    assert_eq!(passing(&mut lab, 1, [1, 0, 0x5e, 0, 0, 1], 1000), 50);
    assert_eq!(passing(&mut lab, 1, mac(99), 1000), 20);
    assert_eq!(passing(&mut lab, 2, mac(1), 10_000), 10_000);
    assert_eq!(passing(&mut lab, 1, mac(2), 10_000), 10_000);
    assert_eq!(passing(&mut lab, 2, BROADCAST, 1000), 100, "another port");
    let one_too_many = lab.send(1, &frame(BROADCAST, mac(1), 0));
    assert_eq!(one_too_many, Verdict::Drop(DropReason::StormBroadcast));
    let kinds: Vec<_> = lab
        .alarms()
        .into_iter()
        .map(|alarm| match alarm {
            Alarm::Storm { port, kind, limit } => (port.0, kind, limit),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            (1, FloodKind::Broadcast, 100),
            (1, FloodKind::Multicast, 50),
            (1, FloodKind::UnknownUnicast, 20),
            (2, FloodKind::Broadcast, 100),
        ]
    );
}

#[test]
fn a_port_may_have_limits_of_its_own_until_they_are_taken_back() {
    let mut lab = Lab::new(LIMITED, 2);
    let settings = PortSettings {
        broadcast: Some(7),
        unknown_unicast: Some(0),
        ..PortSettings::default()
    };
    lab.bridge.set_port_settings(PortId(1), settings);
    assert_eq!(lab.bridge.port_settings(PortId(1)), settings);
    assert_eq!(lab.bridge.port_limits(PortId(1)).multicast, 50);
    assert_eq!(passing(&mut lab, 1, BROADCAST, 1000), 7);
    assert_eq!(passing(&mut lab, 1, mac(99), 1000), 1000);
    assert_eq!(passing(&mut lab, 2, BROADCAST, 1000), 100);
    lab.bridge
        .set_port_settings(PortId(1), PortSettings::default());
    assert_eq!(passing(&mut lab, 1, BROADCAST, 1000), 100);

    lab.bridge.set_port_settings(PortId(1), settings);
    lab.bridge.remove_port(PortId(1));
    lab.bridge.add_port_at(PortId(1)).unwrap();
    assert_eq!(
        lab.bridge.port_settings(PortId(1)),
        PortSettings::default(),
        "another port of that number"
    );
    lab.bridge.set_port_settings(PortId(9), settings);
    assert_eq!(lab.bridge.port_settings(PortId(9)), PortSettings::default());
}

#[test]
fn no_more_than_the_limit_passes_in_the_long_run() {
    let mut lab = Lab::new(LIMITED, 2);
    let passed: u32 = (0..1000)
        .map(|_| {
            lab.pass(Duration::from_millis(10));
            passing(&mut lab, 1, BROADCAST, 9)
        })
        .sum();
    assert!((1099..=1101).contains(&passed), "{passed} in ten seconds");
}

#[test]
fn by_default_all_frames_of_normal_hosts_pass() {
    let mut lab = Lab::new(BridgeConfig::default(), 3);
    for second in 0..5 {
        assert_eq!(passing(&mut lab, 1, BROADCAST, 10_000), 10_000, "{second}");
        let group = [0x33, 0x33, 0, 0, 0, 1];
        assert_eq!(passing(&mut lab, 1, group, 100_000), 100_000, "{second}");
        lab.pass(Duration::from_secs(1));
    }
    assert_eq!(lab.alarms(), []);
}
