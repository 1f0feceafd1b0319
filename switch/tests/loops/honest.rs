//! Traffic that resembles a loop but is none: no port is blocked and no frame of it dropped.

use std::time::Duration;

use crate::network::{BROADCAST, Network, message};

/// A switch with a host that has two interfaces, others beside it, and some more behind a bridge
/// that shares the second one's port.
struct Stage {
    network: Network,
    twice: usize,
    others: Vec<usize>,
}

impl Stage {
    fn new() -> Self {
        let mut network = Network::new(7);
        let (switch, hub) = (network.add_switch(), network.add_foreign());
        let twice = network.add_host(&[switch, hub]);
        let others = [switch, switch, hub].map(|node| network.add_host(&[node]));
        network.add_cable(switch, hub);
        Self {
            network,
            twice,
            others: others.into(),
        }
    }

    /// Sends messages `per_second` times per second for a period, while the other hosts ping each
    /// other.
    fn play(&mut self, per_second: u32, seconds: u32, mut say: impl FnMut(&mut Network, u32)) {
        let step = Duration::from_secs(1) / per_second;
        let (mut sent, mut answered) = (0, 0);
        let mut open = None;
        for number in 0..per_second * seconds {
            say(&mut self.network, number);
            if number % (per_second / 10).max(1) == 0 {
                if let Some((from, ping)) = open {
                    answered += u32::from(self.network.is_answered(from, ping));
                }
                let place = number as usize % self.others.len();
                let (from, to) = (
                    self.others[place],
                    self.others[(place + 1) % self.others.len()],
                );
                open = Some((from, self.network.ping(from, to)));
                sent += 1;
            }
            self.network.run(step);
        }
        self.network.run(Duration::from_secs(1));
        if let Some((from, ping)) = open {
            answered += u32::from(self.network.is_answered(from, ping));
        }
        assert_eq!(sent, answered, "pings of the others");
        assert_eq!(self.network.blocked, []);
        let dropped: Vec<_> = self.network.dropped.keys().copied().collect();
        assert!(
            dropped.iter().all(|reason| *reason == "same_port"),
            "{dropped:?}"
        );
    }
}

#[test]
fn a_bond_that_sends_every_frame_on_both_ports_is_not_blocked() {
    // Bonds in broadcast mode, PRP, heartbeats over two links.
    for per_second in [5, 20, 200] {
        let mut stage = Stage::new();
        let (twice, from) = (stage.twice, stage.network.mac(stage.twice));
        stage.play(per_second, 60, |network, number| {
            let frame = message(BROADCAST, from, None, (9, number), 0);
            for interface in [0, 1] {
                network.say(twice, interface, frame.clone());
            }
        });
        // Hardly any probes are sent for it.
        assert!(stage.network.probes <= 40, "{}", stage.network.probes);
    }
}

#[test]
fn identical_frames_of_routers_that_share_an_address_block_no_port() {
    // Heartbeats without a number; both are masters.
    for per_second in [5, 20, 200] {
        let mut stage = Stage::new();
        let (twice, from) = (stage.twice, stage.network.mac(stage.twice));
        let frame = message([1, 0, 0x5e, 0, 0, 0x12], from, None, (9, 0), 0);
        stage.play(per_second, 60, |network, number| {
            network.say(twice, number as usize % 2, frame.clone());
        });
        assert!(stage.network.probes <= 40, "{}", stage.network.probes);
    }
}

#[test]
fn no_frame_of_a_station_that_alternates_between_two_ports_is_lost() {
    // Bonds in balance-rr mode, gateways with one address.
    for per_second in [100, 200, 2000] {
        let mut stage = Stage::new();
        let (twice, other) = (stage.twice, stage.others[0]);
        let [from, to] = [twice, other].map(|host| stage.network.mac(host));
        let before = stage.network.received(other);
        let mut said = 0;
        stage.play(per_second, 10, |network, number| {
            let frame = message(to, from, None, (9, number), 0);
            network.say(twice, number as usize % 2, frame);
            said += 1;
        });
        let received = stage.network.received(other) - before;
        assert!(received >= said, "{received} of {said}");
        assert!(stage.network.probes <= 40, "{}", stage.network.probes);
    }
}

#[test]
fn a_station_that_was_held_is_followed_once_it_is_silent_there() {
    let mut stage = Stage::new();
    let (twice, other) = (stage.twice, stage.others[0]);
    let [from, to] = [twice, other].map(|host| stage.network.mac(host));
    for number in 0..400 {
        stage.network.say(
            twice,
            number as usize % 2,
            message(to, from, None, (9, number), 0),
        );
        stage.network.run(Duration::from_millis(5));
    }
    assert!(!stage.network.other_alarms.is_empty(), "it is told");
    // One of its ports fails without a sign of it.
    for interface in [1, 0] {
        stage.network.fail(twice, 1 - interface);
        // For longer than it takes to be followed, and for less than it would be held otherwise.
        for number in 0..200 {
            stage
                .network
                .say(twice, interface, message(to, from, None, (8, number), 0));
            stage.network.run(Duration::from_millis(10));
        }
        let before = stage.network.received(twice);
        stage
            .network
            .say(other, 0, message(from, to, None, (7, 0), 0));
        stage.network.run(Duration::from_millis(10));
        assert_eq!(stage.network.received(twice), before + 1);
    }
}
