//! Stations that move, and ports with too many of them.

use std::time::Duration;

use vswitch_switch::bridge::{
    Alarm, BridgeConfig, Damping, LoopGuard, PortId, PortSettings, Verdict,
};

use crate::{BROADCAST, Lab, frame, mac};

const STATION: [u8; 6] = mac(1);

/// Makes the station send on the two ports in turn. Returns how many of its frames pass on each.
fn flap(lab: &mut Lab, ports: [u16; 2], times: u32) -> [u32; 2] {
    let mut passed = [0; 2];
    for number in 0..times {
        for (port, passed) in ports.into_iter().zip(&mut passed) {
            // Two hosts do not send identical frames all the time.
            let number = number << 4 | u32::from(port);
            match lab.send(port, &frame(mac(9), STATION, number)) {
                Verdict::Drop(reason) => panic!("dropped: {reason}"),
                Verdict::Flood | Verdict::Forward(_) => *passed += 1,
            }
        }
    }
    passed
}

#[test]
fn the_first_port_keeps_the_entry_and_no_frame_is_dropped() {
    for order in [[1, 2], [2, 1]] {
        let mut lab = Lab::new(BridgeConfig::default(), 3);
        lab.send(order[0], &frame(BROADCAST, STATION, 0));
        assert_eq!(flap(&mut lab, [2, 1], 1000), [1000, 1000]);
        assert_eq!(lab.whereabouts(STATION, 3), Some(order[0]));
        let [Alarm::Flapping { port, other, .. }] = lab.alarms()[..] else {
            panic!("once");
        };
        assert_eq!([port.0, other.0], order);
    }
}

#[test]
fn the_station_may_move_after_the_hold_and_is_damped_again() {
    let mut lab = Lab::new(BridgeConfig::default(), 3);
    flap(&mut lab, [1, 2], 100);
    assert_eq!(lab.alarms().len(), 1);
    assert_eq!(lab.whereabouts(STATION, 3), Some(1));
    // It keeps sending on both, so it is held for the longest time.
    for _ in 0..49 {
        lab.pass(Duration::from_millis(100));
        flap(&mut lab, [1, 2], 1);
        assert_eq!(lab.whereabouts(STATION, 3), Some(1));
    }
    lab.pass(Duration::from_millis(150));
    assert_eq!(lab.send(2, &frame(mac(9), STATION, 0)), Verdict::Flood);
    assert_eq!(lab.whereabouts(STATION, 3), Some(2), "it has moved at last");
    assert_eq!(lab.alarms(), []);
    flap(&mut lab, [1, 2], 100);
    assert_eq!(lab.alarms().len(), 1);
}

#[test]
fn a_station_that_falls_silent_where_it_is_held_is_followed_at_once() {
    let mut lab = Lab::new(BridgeConfig::default(), 3);
    flap(&mut lab, [1, 2], 100);
    assert_eq!(lab.whereabouts(STATION, 3), Some(1));
    // It was last seen in a tick, which lasts 1/256 of the ageing time.
    for _ in 0..23 {
        lab.pass(Duration::from_millis(100));
        lab.send(2, &frame(mac(9), STATION, 0));
    }
    assert_eq!(lab.whereabouts(STATION, 3), Some(2));
}

#[test]
fn a_single_move_and_two_quiet_hosts_with_one_address_are_not_damped() {
    let mut lab = Lab::new(BridgeConfig::default(), 3);
    assert_eq!(flap(&mut lab, [1, 2], 1), [1, 1]);
    assert_eq!(lab.whereabouts(STATION, 3), Some(2));
    for second in 0..100 {
        lab.pass(Duration::from_secs(1));
        assert_eq!(flap(&mut lab, [1, 2], 5), [5, 5], "second {second}");
    }
    assert_eq!(lab.alarms(), []);
}

#[test]
fn a_removed_port_holds_no_station() {
    let mut lab = Lab::new(BridgeConfig::default(), 3);
    lab.send(1, &frame(BROADCAST, STATION, 0));
    flap(&mut lab, [2, 1], 100);
    lab.bridge.set_forwarding(PortId(1), false);
    assert_eq!(lab.send(2, &frame(mac(9), STATION, 0)), Verdict::Flood);
    assert_eq!(lab.whereabouts(STATION, 3), Some(2));

    let mut lab = Lab::new(BridgeConfig::default(), 4);
    lab.send(1, &frame(BROADCAST, STATION, 0));
    lab.send(2, &frame(BROADCAST, STATION, 0));
    lab.bridge.set_forwarding(PortId(1), false); // its home, while it is elsewhere
    flap(&mut lab, [3, 2], 100);
    let held_on = lab.whereabouts(STATION, 4);
    assert!(matches!(held_on, Some(2 | 3)), "{held_on:?}");
}

#[test]
fn without_damping_a_station_moves_without_limit() {
    let config = BridgeConfig {
        damping: Damping {
            moves: 0,
            ..Damping::default()
        },
        loop_guard: LoopGuard::OFF,
        ..BridgeConfig::default()
    };
    let mut lab = Lab::new(config, 3);
    assert_eq!(flap(&mut lab, [1, 2], 5000), [5000, 5000]);
    assert_eq!(lab.alarms(), []);
}

#[test]
fn a_port_learns_no_more_stations_than_it_may() {
    let mut lab = Lab::new(BridgeConfig::default(), 3);
    let most = |count| PortSettings {
        max_stations: Some(count),
        ..PortSettings::default()
    };
    for station in 0..20 {
        lab.send(2, &frame(BROADCAST, mac(100 + station), 0));
    }
    lab.bridge.set_port_settings(PortId(1), most(3));
    for station in 0..20 {
        lab.send(1, &frame(BROADCAST, mac(200 + station), 0));
    }
    assert_eq!(lab.bridge.station_count(), 23);
    let known: Vec<_> = (0..20)
        .filter(|station| lab.whereabouts(mac(200 + station), 3).is_some())
        .collect();
    assert_eq!(known, [17, 18, 19], "the longest silent give way");
    // A station that moves to the port also evicts one.
    lab.send(1, &frame(BROADCAST, mac(100), 0));
    assert_eq!(lab.whereabouts(mac(100), 3), Some(1));
    assert_eq!(lab.whereabouts(mac(217), 3), None);
    assert_eq!(lab.bridge.station_count(), 22);
    // A static entry does not count.
    lab.bridge
        .add_static(
            vswitch_switch::frame::VlanId::NONE,
            mac_addr(300),
            PortId(1),
        )
        .unwrap();
    assert_eq!(lab.bridge.station_count(), 23);
    lab.bridge.set_port_settings(PortId(1), most(1));
    assert_eq!(lab.bridge.station_count(), 21);
    lab.bridge
        .set_port_settings(PortId(1), PortSettings::default());
    for station in 0..20 {
        lab.send(1, &frame(BROADCAST, mac(400 + station), 0));
    }
    assert_eq!(lab.bridge.station_count(), 41);
}

fn mac_addr(number: u32) -> crate::MacAddr {
    crate::MacAddr(mac(number))
}
