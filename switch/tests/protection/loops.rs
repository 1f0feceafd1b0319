//! Ports that are connected outside the switch.

use std::collections::VecDeque;
use std::time::Duration;

use vswitch_switch::bridge::{
    Alarm, BridgeConfig, DropReason, LoopGuard, PortId, PortLimits, Verdict,
};

use crate::{BROADCAST, Lab, frame, mac};

/// A bridge with some ports on a shared wire: a frame sent out of one arrives on all others of the
/// wire.
struct Joined {
    lab: Lab,
    wire: Vec<u16>,
    under_way: VecDeque<(u16, Vec<u8>)>,
    /// Copies that left by ports outside the wire.
    heard: u32,
    /// Frames that the bridge itself has sent.
    probes: u32,
}

impl Joined {
    fn new(config: BridgeConfig, ports: u16, wire: &[u16]) -> Self {
        Self {
            lab: Lab::new(config, ports),
            wire: wire.to_vec(),
            under_way: VecDeque::new(),
            heard: 0,
            probes: 0,
        }
    }

    fn send(&mut self, port: u16, frame: Vec<u8>) {
        if self.wire.contains(&port) {
            // All ports on the wire receive frames of a host there.
            let ports = self.wire.clone();
            for port in ports {
                self.under_way.push_back((port, frame.clone()));
            }
        } else {
            self.under_way.push_back((port, frame));
        }
    }

    /// Carries frames until there are none, or up to `most`. Returns how many it carried.
    fn go_round(&mut self, most: usize) -> usize {
        for count in 0..most {
            let Some((port, frame)) = self.under_way.pop_front() else {
                return count;
            };
            self.pass(Duration::from_micros(5));
            let leaves: Vec<_> = match self.lab.send(port, &frame) {
                Verdict::Forward(to) => vec![to],
                Verdict::Flood => self.lab.bridge.forwarding_ports().to_vec(),
                Verdict::Drop(_) => vec![],
            };
            for left_by in leaves.into_iter().filter(|to| to.0 != port) {
                if !self.wire.contains(&left_by.0) {
                    self.heard += 1;
                    continue;
                }
                let others = self.wire.iter().filter(|other| **other != left_by.0);
                self.under_way
                    .extend(others.map(|other| (*other, frame.clone())));
            }
            self.send_probes();
        }
        most
    }

    /// Sends the frames of the bridge itself.
    fn send_probes(&mut self) {
        while let Some(probe) = self.lab.bridge.next_probe() {
            self.probes += 1;
            let by = probe.port().0;
            if !self.wire.contains(&by) {
                continue;
            }
            let others = self.wire.iter().filter(|other| **other != by);
            self.under_way
                .extend(others.map(|other| (*other, probe.frame().to_vec())));
        }
    }

    fn pass(&mut self, time: Duration) {
        self.lab.pass(time);
        self.send_probes();
    }

    /// Advances the time, and handles timeouts on the way.
    fn live(&mut self, time: Duration) {
        let end = self.lab.now + time;
        while let Some(next) = self.lab.bridge.next_timeout()
            && next <= end
        {
            self.pass(next.since(self.lab.now));
            self.go_round(1000);
        }
        self.pass(end.since(self.lab.now));
    }

    fn blocked(&self) -> Vec<u16> {
        let all = (1..10).filter(|port| {
            let blocked = self.lab.bridge.blocked(self.lab.now, PortId(*port));
            blocked.is_some()
        });
        all.collect()
    }
}

#[test]
fn a_loop_is_found_with_the_first_frame_and_ends() {
    let mut net = Joined::new(BridgeConfig::default(), 4, &[2, 3]);
    net.send(1, frame(BROADCAST, mac(1), 0));
    let rounds = net.go_round(100_000);
    assert!(rounds < 50, "{rounds} rounds");
    assert!(net.heard < 100, "{} copies", net.heard);
    assert_eq!(net.blocked(), [3]);
    let alarms = net.lab.alarms();
    let [
        Alarm::Loop {
            port,
            peer,
            mac: who,
            ..
        },
    ] = alarms[..]
    else {
        panic!("{alarms:?}");
    };
    assert_eq!((port, peer, who.0), (PortId(3), PortId(2), mac(1)));
    // Frames received on a blocked port are dropped for a reason.
    let dropped = net.lab.send(3, &frame(BROADCAST, mac(5), 0));
    assert_eq!(dropped, Verdict::Drop(DropReason::LoopBlocked));
    // The other ports keep forwarding, and reach each other.
    net.send(1, frame(BROADCAST, mac(1), 1));
    net.send(4, frame(mac(1), mac(4), 2));
    net.go_round(1000);
    assert_eq!(net.lab.whereabouts(mac(1), 4), Some(1));
}

#[test]
fn the_higher_number_is_blocked_and_the_stations_are_found_by_the_other() {
    for wire in [[2, 3], [3, 2]] {
        // A bridge outside connects both ports, and has hosts.
        let mut net = Joined::new(BridgeConfig::default(), 4, &wire);
        net.send(wire[0], frame(BROADCAST, mac(1), 0));
        net.go_round(100_000);
        assert_eq!(net.blocked(), [3]);
        net.send(wire[0], frame(BROADCAST, mac(1), 1));
        net.go_round(1000);
        assert_eq!(net.lab.whereabouts(mac(1), 4), Some(2));
    }
}

#[test]
fn three_ports_on_one_wire_are_left_with_one() {
    let mut net = Joined::new(BridgeConfig::default(), 5, &[2, 3, 4]);
    for number in 0..20 {
        net.send(1, frame(BROADCAST, mac(1), number));
        net.go_round(100_000);
    }
    let blocked = net.blocked();
    assert_eq!(blocked.len(), 2, "{blocked:?}");
    assert!(blocked.iter().all(|port| (2..=4).contains(port)));
}

#[test]
fn a_loop_is_found_among_many_frames_of_many_stations() {
    let mut net = Joined::new(BridgeConfig::default(), 4, &[2, 3]);
    for station in 1..=200 {
        net.send(1, frame(BROADCAST, mac(station), station));
    }
    let rounds = net.go_round(1_000_000);
    assert!(rounds < 20_000, "{rounds} rounds");
    assert_eq!(net.blocked(), [3]);
}

#[test]
fn the_port_is_blocked_for_as_long_as_the_loop_is_there_and_no_frame_goes_round() {
    let mut net = Joined::new(BridgeConfig::default(), 4, &[2, 3]);
    net.send(1, frame(BROADCAST, mac(1), 0));
    net.go_round(100_000);
    assert_eq!(net.blocked(), [3]);
    assert_eq!(net.lab.alarms().len(), 1);
    let (heard, probes) = (net.heard, net.probes);
    net.live(Duration::from_secs(600));
    assert_eq!(net.blocked(), [3]);
    assert_eq!((net.lab.alarms(), net.heard), (vec![], heard));
    let probes = net.probes - probes;
    assert!((600..900).contains(&probes), "{probes} in ten minutes");
    net.wire.clear();
    net.live(Duration::from_secs(7));
    assert_eq!(net.blocked(), []);
    assert_eq!(net.lab.alarms(), [Alarm::Unblocked { port: PortId(3) }]);
    assert_eq!(net.lab.bridge.forwarding_ports().len(), 4);
    net.live(Duration::from_secs(1));
    assert_eq!(net.lab.bridge.next_timeout(), None, "nothing is asked");
}

#[test]
fn a_link_that_goes_down_or_a_hand_ends_the_block() {
    let blocked = || {
        let mut net = Joined::new(BridgeConfig::default(), 4, &[2, 3]);
        net.send(1, frame(BROADCAST, mac(1), 0));
        net.go_round(100_000);
        assert_eq!(net.blocked(), [3]);
        net
    };
    let mut net = blocked();
    net.lab.bridge.set_forwarding(PortId(3), false);
    net.lab.bridge.set_forwarding(PortId(3), true);
    assert_eq!(net.lab.bridge.forwarding_ports().len(), 4);

    let mut net = blocked();
    assert!(net.lab.bridge.unblock(PortId(3)) && !net.lab.bridge.unblock(PortId(3)));
    assert_eq!(net.lab.bridge.forwarding_ports().len(), 4);

    let mut net = blocked();
    let config = BridgeConfig {
        loop_guard: LoopGuard::OFF,
        ..BridgeConfig::default()
    };
    net.lab.bridge.set_config(net.lab.now, config);
    assert_eq!(net.blocked(), []);

    let mut net = blocked();
    net.lab.bridge.remove_port(PortId(3));
    assert_eq!(net.blocked(), []);
    net.lab.bridge.add_port_at(PortId(3)).unwrap();
    assert_eq!(net.lab.bridge.forwarding_ports().len(), 4);
}

#[test]
fn without_a_guard_the_limits_bound_what_a_loop_does() {
    let config = BridgeConfig {
        loop_guard: LoopGuard::OFF,
        port_limits: PortLimits {
            broadcast: 100,
            ..PortLimits::default()
        },
        ..BridgeConfig::default()
    };
    // A host on the wire itself, whose frames loop without moving it.
    let mut net = Joined::new(config, 4, &[2, 3]);
    for number in 0..1000 {
        net.send(2, frame(BROADCAST, mac(1), number));
        net.go_round(20);
    }
    let seconds = net
        .lab
        .now
        .since(crate::Timestamp::from_secs(100))
        .as_secs_f64();
    let most = (seconds + 1.1) * 100.0 * 2.0;
    assert!(
        f64::from(net.heard) < most * 2.0,
        "{} in {seconds} s",
        net.heard
    );
    assert_eq!(net.blocked(), []);
}

#[test]
fn two_hosts_with_one_address_are_no_loop_however_busy() {
    let mut lab = Lab::new(BridgeConfig::default(), 3);
    for number in 0..100_000 {
        lab.pass(Duration::from_micros(10));
        let port = 1 + u16::from(number % 2 == 0);
        lab.send(port, &frame(BROADCAST, mac(1), number));
    }
    let alarms = lab.alarms();
    let flapping = |alarm: &Alarm| matches!(alarm, Alarm::Flapping { .. } | Alarm::Storm { .. });
    assert!(lab.bridge.next_probe().is_none(), "nothing is asked");
    assert!(
        !alarms.is_empty() && alarms.iter().all(flapping),
        "{alarms:?}"
    );
}
