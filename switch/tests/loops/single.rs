//! Loops at one switch.

use std::time::Duration;

use vswitch_switch::bridge::PortId;

use crate::network::{BROADCAST, Network, message};
use crate::seeds;

const STEP: Duration = Duration::from_millis(20);

fn pings_pass(network: &mut Network) {
    let (sent, answered) = network.ping_for(Duration::from_secs(10), STEP);
    assert_eq!(sent, answered);
}

#[test]
fn a_cable_between_two_ports_is_a_loop() {
    for seed in seeds(20) {
        let mut network = Network::new(seed);
        let switch = network.add_switch();
        for _ in 0..3 {
            network.add_host(&[switch]);
        }
        let cable = network.add_cable(switch, switch);
        network.ping_for(Duration::from_secs(1), STEP);
        let [one, other] = network.cables[cable].ends;
        assert_eq!(network.blocks(), [one.max(other)], "seed {seed}");
        pings_pass(&mut network);
        assert_eq!(network.blocked.len(), 1);
        // Without the cable both ports forward, and no more probes are sent.
        network.set_cable(cable, false);
        network.set_cable(cable, true);
        network.cables[cable].is_up = false;
        pings_pass(&mut network);
        assert_eq!(network.blocks(), []);
        let probes = network.probes;
        network.run(Duration::from_secs(60));
        assert_eq!(network.probes, probes);
    }
}

#[test]
fn a_loop_that_ends_somewhere_else_is_noticed_within_seconds() {
    let mut network = Network::new(1);
    let (switch, hub) = (network.add_switch(), network.add_foreign());
    for node in [switch, switch, hub] {
        network.add_host(&[node]);
    }
    let cables = [
        network.add_cable(switch, hub),
        network.add_cable(switch, hub),
    ];
    network.ping_for(Duration::from_secs(1), STEP);
    assert_eq!(network.blocks().len(), 1);
    // The cable that carries frames is cut, without a link event for the switch.
    let open = cables.into_iter().find(|cable| {
        !network.cables[*cable]
            .ends
            .iter()
            .any(|end| network.is_blocked(*end))
    });
    network.cables[open.unwrap()].is_up = false;
    network.run(Duration::from_secs(8));
    assert_eq!(network.blocks(), []);
    network.ping_for(Duration::from_secs(2), STEP);
    pings_pass(&mut network);
}

#[test]
fn a_plug_that_reflects_frames_is_a_loop() {
    for seed in seeds(20) {
        let mut network = Network::new(seed);
        let switch = network.add_switch();
        for _ in 0..3 {
            network.add_host(&[switch]);
        }
        let mirror = network.add_mirror(switch, false);
        network.ping_for(Duration::from_secs(2), STEP);
        assert_eq!(network.blocks(), [(switch, mirror)], "seed {seed}");
        pings_pass(&mut network);
        assert_eq!(network.blocked.len(), 1);
    }
}

#[test]
fn a_loop_in_one_vlan_alone_is_found_by_a_probe_with_its_tag() {
    let mut network = Network::new(1);
    let switch = network.add_switch();
    let host = network.add_host(&[switch]);
    let mirror = network.add_mirror(switch, true);
    let from = network.mac(host);
    for number in 0..200 {
        network.say(host, 0, message(BROADCAST, from, Some(10), (9, number), 0));
        network.run(STEP);
    }
    assert_eq!(network.blocks(), [(switch, mirror)]);
    assert_ne!(mirror, PortId(1));
}

#[test]
fn three_ports_on_one_wire_are_left_with_one() {
    for seed in seeds(20) {
        let mut network = Network::new(seed);
        let (switch, hub) = (network.add_switch(), network.add_foreign());
        network.add_host(&[switch]);
        network.add_host(&[hub]);
        for _ in 0..3 {
            network.add_cable(switch, hub);
        }
        network.ping_for(Duration::from_secs(2), STEP);
        assert_eq!(network.blocks().len(), 2, "seed {seed}");
        pings_pass(&mut network);
        assert_eq!(network.blocked.len(), 2);
    }
}
