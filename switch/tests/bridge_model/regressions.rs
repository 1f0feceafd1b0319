//! Fixed scripts for cases that random ones rarely reach.

use std::time::Duration;

use vswitch_switch::bridge::{Cursor, PortId, PortSettings, Verdict, VlanLearning};

use crate::pair::Pair;
use crate::script::{AGEING, Action};

/// A frame from station `number` to all.
fn greeting(number: u32) -> Vec<u8> {
    let [a, b, c, d] = number.to_be_bytes();
    [&[0xff; 6][..], &[2, 0, a, b, c, d], &[8, 0]].concat()
}

#[test]
fn a_raised_bound_has_room_for_as_many() {
    let mut pair = Pair::new(1, 1);
    pair.step(Action::MaxStations(300));
    for number in 0..400 {
        pair.step(Action::Frame(1, greeting(number)));
    }
    assert_eq!(pair.bridge.station_count(), 300);
    for number in 0..400 {
        let mut frame = greeting(1000);
        frame[..6].copy_from_slice(&greeting(number)[6..12]);
        pair.step(Action::Frame(2, frame));
    }
    pair.step(Action::MaxStations(20));
    assert_eq!(pair.bridge.station_count(), 20);
}

#[test]
fn listing_a_table_full_of_gaps_is_done_in_parts() {
    let mut pair = Pair::new(5000, 1);
    for number in 0..3000 {
        pair.bridge.handle(pair.now, PortId(1), &greeting(number));
    }
    pair.bridge.flush(None);
    let (mut cursor, mut pages, mut listed) = (Some(Cursor::default()), 0, Vec::new());
    while let Some(from) = cursor {
        cursor = pair.bridge.stations(pair.now, from, &mut listed, 10);
        pages += 1;
    }
    assert!(listed.is_empty());
    assert!(pages > 10, "{pages}");
}

#[test]
fn a_flood_from_one_port_takes_no_more_than_its_share_of_the_table() {
    let mut pair = Pair::new(90, 1);
    for number in 0..60 {
        pair.step(Action::Frame(
            1 + u16::from(number % 2 == 0),
            greeting(number),
        ));
    }
    for number in 100..1000 {
        pair.step(Action::Frame(3, greeting(number)));
    }
    for port in 1..=3 {
        let held = pair
            .model
            .stations
            .values()
            .filter(|known| known.port == port);
        assert_eq!(held.count(), 30, "port {port}");
    }
}

#[test]
fn ageing_a_large_table_is_done_in_parts() {
    let mut pair = Pair::new(5000, 1);
    for number in 0..3000 {
        pair.bridge.handle(pair.now, PortId(1), &greeting(number));
    }
    let later = pair.now + AGEING + Duration::from_secs(1);
    let mut counts = Vec::new();
    while pair.bridge.next_timeout().is_some_and(|due| due <= later) {
        pair.bridge.handle_timeout(later);
        counts.push(pair.bridge.station_count());
    }
    assert_eq!(counts.last(), Some(&0));
    assert!(counts.len() > 2, "{counts:?}");
    assert_eq!(pair.bridge.next_timeout(), None);
}

#[test]
fn a_busy_station_stays_while_a_silent_one_ages_out() {
    let mut pair = Pair::new(8, 1);
    pair.step(Action::Frame(2, greeting(2)));
    for _ in 0..600 {
        pair.step(Action::Frame(1, greeting(1)));
        pair.step(Action::Pass(Duration::from_millis(500)));
        pair.step(Action::Timeout);
    }
    assert_eq!(pair.model.stations.len(), 1);
}

#[test]
fn a_reduced_ageing_time_applies_to_entries_from_before() {
    let mut pair = Pair::new(8, 1);
    pair.step(Action::Ageing(Duration::from_secs(1_000_000)));
    pair.step(Action::Frame(1, greeting(1)));
    pair.step(Action::Ageing(AGEING));
    pair.model.tick = AGEING / 256;
    pair.step(Action::Frame(2, greeting(2)));
    pair.step(Action::Pass(AGEING + Duration::from_secs(1)));
    pair.step(Action::Timeout);
    assert_eq!(pair.bridge.station_count(), 0);
}

/// A frame with a C-tag.
fn tagged(dst: u8, src: u8, vlan: u8) -> Vec<u8> {
    let address = |last| [2, 0, 0, 0, 0, last];
    [
        &address(dst)[..],
        &address(src),
        &[0x81, 0, 0x20, vlan, 8, 0],
    ]
    .concat()
}

#[test]
fn a_station_that_sends_and_receives_with_different_tags_is_known() {
    // Asymmetric VLANs, a host that knows no VLANs, priority tags: IEEE 802.1Q-2022, Annex F.1.3.
    for (there, back) in [(10, 20), (0, 10), (10, 0)] {
        let mut pair = Pair::new(8, 1);
        pair.step(Action::VlanLearning(VlanLearning::Shared));
        pair.step(Action::Frame(1, tagged(2, 1, there)));
        let verdict = |pair: &mut Pair, frame: Vec<u8>| {
            let verdict = pair.bridge.explain(pair.now, PortId(2), &frame).verdict;
            pair.step(Action::Frame(2, frame));
            verdict
        };
        let answer = tagged(1, 2, back);
        assert_eq!(
            verdict(&mut pair, answer.clone()),
            Verdict::Forward(PortId(1))
        );
        assert_eq!(pair.bridge.station_count(), 2);
        pair.step(Action::VlanLearning(VlanLearning::Independent));
        assert_eq!(
            pair.bridge.station_count(),
            0,
            "what was learnt is forgotten"
        );
        pair.step(Action::Frame(1, tagged(2, 1, there)));
        assert_eq!(verdict(&mut pair, answer), Verdict::Flood);
    }
}

#[test]
fn one_address_in_two_vlans_is_two_stations_where_learning_is_independent() {
    let mut pair = Pair::new(8, 1);
    pair.step(Action::VlanLearning(VlanLearning::Independent));
    pair.step(Action::Frame(1, tagged(9, 1, 10)));
    pair.step(Action::Frame(2, tagged(9, 1, 20)));
    assert_eq!(pair.bridge.station_count(), 2);
    for (vlan, port) in [(10, 3), (20, 1), (0, 2)] {
        pair.step(Action::AddStatic(vlan, [2, 0, 0, 0, 0, 7], port));
    }
    pair.step(Action::VlanLearning(VlanLearning::Shared));
    // The untagged entry determines the port for all.
    let verdict = pair.bridge.explain(pair.now, PortId(1), &tagged(7, 8, 10));
    assert_eq!(verdict.verdict, Verdict::Forward(PortId(2)));
    assert_eq!(pair.bridge.station_count(), 1);
}

#[test]
fn a_static_station_moved_to_another_port_is_removed_with_that_port() {
    let mut pair = Pair::new(8, 1);
    for last in 1..=3 {
        pair.step(Action::AddStatic(0, [2, 0, 0, 0, 0, last], 1));
    }
    pair.step(Action::AddStatic(0, [2, 0, 0, 0, 0, 2], 2));
    pair.step(Action::RemovePort(1));
    assert_eq!(pair.bridge.station_count(), 1);
    pair.step(Action::RemovePort(2));
    assert_eq!(pair.bridge.station_count(), 0);
}

#[test]
fn a_port_meets_each_of_its_bounds_and_no_other_does() {
    let mut pair = Pair::new(90, 1);
    let settings = PortSettings {
        max_stations: Some(2),
        broadcast: Some(3),
        ..PortSettings::default()
    };
    pair.step(Action::PortSettings(1, settings));
    let mut dropped = [0; 2];
    for number in 0..10 {
        for (port, dropped) in (1..).zip(&mut dropped) {
            let frame = greeting(u32::from(port) * 100 + number);
            let verdict = pair.bridge.explain(pair.now, PortId(port), &frame).verdict;
            *dropped += u32::from(verdict != Verdict::Flood);
            pair.step(Action::Frame(port, frame));
        }
    }
    assert_eq!(dropped, [7, 0]);
    assert_eq!(pair.bridge.station_count(), 2 + 10);
}
