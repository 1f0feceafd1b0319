//! Bridges, hosts and cables, and what goes wrong with them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rand::prelude::*;
use vswitch_switch::Timestamp;
use vswitch_switch::bridge::{
    Alarm, Bridge, BridgeConfig, PortId, PortLimits, PortSettings, Verdict,
};

/// The most copies that are carried in one call: a storm may outlast it.
const STEPS: usize = 500;

/// A port of one of the bridges.
type End = (usize, PortId);

/// The other end of a port's cable.
#[derive(Clone, Copy, Debug)]
enum Far {
    Host(usize),
    Port(End),
}

/// Counts of what has happened.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) loops: u64,
    pub(crate) flapping: u64,
    pub(crate) storms: u64,
    pub(crate) lost: u64,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        self.loops += other.loops;
        self.flapping += other.flapping;
        self.storms += other.storms;
        self.lost += other.lost;
    }
}

pub(crate) struct Network {
    random: StdRng,
    now: Timestamp,
    bridges: Vec<Bridge>,
    cables: BTreeMap<End, Far>,
    hosts: Vec<End>,
    /// The cables that make loops.
    loops: Vec<[End; 2]>,
    under_way: VecDeque<(End, Vec<u8>)>,
    /// How many of a hundred copies are lost, duplicated, or delayed.
    unreliable: [u32; 3],
    received: Vec<Vec<Vec<u8>>>,
    number: u64,
    pub(crate) seen: Seen,
}

fn station(host: usize) -> [u8; 6] {
    [2, 0, 0, 0, 0, u8::try_from(host + 1).unwrap()]
}

const BROADCAST: [u8; 6] = [0xff; 6];

impl Network {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let config = BridgeConfig {
            max_stations: random.random_range(8..40),
            port_limits: PortLimits {
                max_stations: 0,
                broadcast: random.random_range(100..2_000),
                multicast: 200,
                unknown_unicast: 200,
            },
            ..BridgeConfig::default()
        };
        let bridges = (0..random.random_range(1..=3))
            .map(|_| Bridge::with_seed(config, random.random()))
            .collect();
        let mut network = Self {
            random,
            now: Timestamp::from_secs(1),
            bridges,
            cables: BTreeMap::new(),
            hosts: Vec::new(),
            loops: Vec::new(),
            under_way: VecDeque::new(),
            unreliable: [0; 3],
            received: Vec::new(),
            number: 0,
            seen: Seen::default(),
        };
        for bridge in 1..network.bridges.len() {
            let parent = network.random.random_range(0..bridge);
            network.join(parent, bridge);
        }
        for host in 0..network.random.random_range(2..=6) {
            let bridge = network.random.random_range(0..network.bridges.len());
            let end = network.port(bridge);
            network.cables.insert(end, Far::Host(host));
            network.hosts.push(end);
            network.received.push(Vec::new());
        }
        network
    }

    fn port(&mut self, bridge: usize) -> End {
        (bridge, self.bridges[bridge].add_port().unwrap())
    }

    fn join(&mut self, one: usize, other: usize) -> [End; 2] {
        let ends = [self.port(one), self.port(other)];
        self.cables.insert(ends[0], Far::Port(ends[1]));
        self.cables.insert(ends[1], Far::Port(ends[0]));
        ends
    }

    /// Performs an event, lets hosts send, and carries frames.
    pub(crate) fn round(&mut self) -> Result<(), String> {
        match self.random.random_range(0..9) {
            0 if self.loops.len() < 2 => {
                let [one, other] =
                    [(); 2].map(|()| self.random.random_range(0..self.bridges.len()));
                let ends = self.join(one, other);
                self.loops.push(ends);
            }
            1 => self.unloop(),
            2 => self.unreliable = [(); 3].map(|()| self.random.random_range(0..20)),
            3 => self.unreliable = [0; 3],
            4 => self.toggle(),
            5 => self.flood(),
            6 => self.forge(),
            7 => self.set_port(),
            _ => {
                let pause = self.random.random_range(1..400);
                self.pass(Duration::from_secs(pause));
            }
        }
        for _ in 0..self.random.random_range(1..6) {
            self.talk();
            self.carry(STEPS)?;
        }
        let pause = self.random.random_range(0..300);
        self.pass(Duration::from_millis(pause));
        Ok(())
    }

    fn talk(&mut self) {
        let from = self.random.random_range(0..self.hosts.len());
        let to = self.random.random_range(0..self.hosts.len());
        let dst = match self.random.random_range(0..4) {
            0 => BROADCAST,
            1 => [2, 0, 0, 0, 9, 9],
            _ => station(to),
        };
        self.send(from, dst, station(from));
    }

    fn send(&mut self, host: usize, dst: [u8; 6], src: [u8; 6]) -> Vec<u8> {
        self.number += 1;
        let mut frame = [&dst[..], &src, &[0x88, 0xb5], &self.number.to_be_bytes()].concat();
        frame.resize(60, 0);
        self.under_way.push_back((self.hosts[host], frame.clone()));
        frame
    }

    /// Makes a host suddenly use many addresses.
    fn flood(&mut self) {
        let host = self.random.random_range(0..self.hosts.len());
        for number in 0..self.random.random_range(1..600_u16) {
            let [high, low] = number.to_be_bytes();
            self.send(host, BROADCAST, [2, 0, 1, 0, high, low]);
        }
    }

    /// Makes a host use the address of another host, which keeps sending.
    fn forge(&mut self) {
        let hosts = self.hosts.len();
        let [forger, victim] = [(); 2].map(|()| self.random.random_range(0..hosts));
        for _ in 0..self.random.random_range(1..40) {
            self.send(forger, BROADCAST, station(victim));
            self.send(victim, station(forger), station(victim));
        }
    }

    fn toggle(&mut self) {
        let host = self.random.random_range(0..self.hosts.len());
        let (bridge, port) = self.hosts[host];
        if self.random.random() {
            // Its interface is gone, and another one comes in its place.
            self.bridges[bridge].remove_port(port);
            self.bridges[bridge].add_port_at(port).unwrap();
        } else {
            let up = self.random.random();
            self.bridges[bridge].set_forwarding(port, up);
        }
    }

    fn set_port(&mut self) {
        let host = self.random.random_range(0..self.hosts.len());
        let (bridge, port) = self.hosts[host];
        let settings = PortSettings {
            max_stations: self.random.random::<bool>().then_some(2),
            broadcast: self.random.random::<bool>().then_some(10),
            ..PortSettings::default()
        };
        self.bridges[bridge].set_port_settings(port, settings);
    }

    fn unloop(&mut self) {
        for end in self.loops.pop().into_iter().flatten() {
            self.cables.remove(&end);
            self.bridges[end.0].remove_port(end.1);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        for bridge in &mut self.bridges {
            while bridge.next_timeout().is_some_and(|due| due <= self.now) {
                bridge.handle_timeout(self.now);
            }
            while let Some(alarm) = bridge.next_alarm() {
                match alarm {
                    Alarm::Loop { .. } => self.seen.loops += 1,
                    Alarm::Flapping { .. } => self.seen.flapping += 1,
                    Alarm::Storm { .. } => self.seen.storms += 1,
                    Alarm::Unblocked { .. } => {}
                }
            }
        }
        (0..self.bridges.len()).for_each(|bridge| self.send_probes(bridge));
    }

    /// Sends the frames of a bridge itself.
    fn send_probes(&mut self, bridge: usize) {
        while let Some(probe) = self.bridges[bridge].next_probe() {
            if let Some(Far::Port(far)) = self.cables.get(&(bridge, probe.port())) {
                self.under_way.push_back((*far, probe.frame().to_vec()));
            }
        }
    }

    /// Carries copies until there are none, or up to `steps`. Returns whether there are none.
    fn carry(&mut self, steps: usize) -> Result<bool, String> {
        for _ in 0..steps {
            let Some((end, frame)) = self.under_way.pop_front() else {
                return Ok(true);
            };
            let percent = self.random.random_range(0..100);
            let [lost, doubled, delayed] = self.unreliable;
            if percent < lost {
                self.seen.lost += 1;
                continue;
            }
            if percent < lost + doubled {
                self.under_way.push_back((end, frame.clone()));
            } else if percent < lost + doubled + delayed {
                self.under_way.push_back((end, frame));
                continue;
            }
            self.pass(Duration::from_micros(20));
            self.arrive(end, &frame)?;
        }
        Ok(self.under_way.is_empty())
    }

    fn arrive(&mut self, (bridge, port): End, frame: &[u8]) -> Result<(), String> {
        let decision = self.bridges[bridge].explain(self.now, port, frame);
        let verdict = self.bridges[bridge].handle(self.now, port, frame);
        if decision.verdict != verdict {
            return Err(format!("{verdict:?} was foreseen as {decision:?}"));
        }
        let leaves = match verdict {
            Verdict::Forward(to) if to == port => return Err("it left where it came in".into()),
            Verdict::Forward(to) => vec![to],
            Verdict::Flood => self.bridges[bridge].forwarding_ports().to_vec(),
            Verdict::Drop(_) => vec![],
        };
        for to in leaves.into_iter().filter(|to| *to != port) {
            match self.cables.get(&(bridge, to)) {
                Some(Far::Host(host)) => self.received[*host].push(frame.to_vec()),
                Some(Far::Port(far)) => self.under_way.push_back((*far, frame.to_vec())),
                None => {}
            }
        }
        self.send_probes(bridge);
        Ok(())
    }

    /// Hosts keep sending until looping frames have stopped, with or without loops. Then all faults
    /// end, and the network must work as if there had been none.
    pub(crate) fn heal(&mut self) -> Result<(), String> {
        self.unreliable = [0; 3];
        for (bridge, port) in self.hosts.clone() {
            self.bridges[bridge].set_forwarding(port, true);
            self.bridges[bridge].set_port_settings(port, PortSettings::default());
        }
        let mut rests = false;
        for _ in 0..10 {
            for host in 0..self.hosts.len() {
                self.send(host, BROADCAST, station(host));
                rests = self.carry(60 * STEPS)?;
            }
            if rests {
                break;
            }
            self.pass(Duration::from_millis(100));
        }
        if !rests {
            return Err(format!("{} copies go round for good", self.under_way.len()));
        }
        while !self.loops.is_empty() {
            self.unloop();
        }
        self.pass(Duration::from_secs(100));
        self.is_whole()
    }

    fn is_whole(&mut self) -> Result<(), String> {
        for host in 0..self.hosts.len() {
            self.send(host, BROADCAST, station(host));
            self.carry(STEPS)?;
        }
        for from in 0..self.hosts.len() {
            for to in (0..self.hosts.len()).filter(|to| *to != from) {
                self.received.iter_mut().for_each(Vec::clear);
                let frame = self.send(from, station(to), station(from));
                self.carry(STEPS)?;
                let copies = |host: usize| self.received[host].iter().filter(|f| **f == frame);
                if copies(to).count() != 1 {
                    let count = copies(to).count();
                    return Err(format!("host {to} got {count} of a frame from {from}"));
                }
            }
        }
        Ok(())
    }
}
