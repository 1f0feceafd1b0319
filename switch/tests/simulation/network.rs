//! A random tree of switches with hosts, and what happens in it.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use rand::prelude::*;
use vswitch_switch::bridge::{Bridge, DropReason, PortId};
use vswitch_switch::datapath::Datapath;
use vswitch_switch::frame::{MacAddr, VlanId};
use vswitch_switch::port::LinkState;
use vswitch_switch::port::memory::{self, Cable, MemoryOptions};
use vswitch_switch::{BridgeConfig, Timestamp};

use super::frames::{self, Kind};
use super::ledger::Ledger;

const AGEING: Duration = Duration::from_secs(300);
/// Reasons of expected drops: the frame had no destination.
const RIGHTLY: [DropReason; 5] = [
    DropReason::SourceMulticast,
    DropReason::SourceZero,
    DropReason::ReservedDestination,
    DropReason::SamePort,
    DropReason::NoEgress,
];

/// One end of a cable, and the port it leads to.
struct Attachment {
    switch: usize,
    port: PortId,
    cable: Cable,
    into_switch: u64,
    out_of_switch: u64,
}

struct Host {
    attachment: Attachment,
    up: bool,
    /// Switches may still look for it where it was.
    moved: bool,
}

/// Two switches, and the frames on the way between them.
struct Trunk {
    ends: [Attachment; 2],
    under_way: [VecDeque<Vec<u8>>; 2],
}

/// A simulated network.
pub(crate) struct Network {
    random: StdRng,
    now: Timestamp,
    switches: Vec<Datapath>,
    hosts: Vec<Host>,
    trunks: Vec<Trunk>,
    ledger: Ledger,
    losses_before: u64,
    next_cable: usize,
    delivered: u64,
    wrong: Option<String>,
}

impl Network {
    /// Creates the network of that seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let config = BridgeConfig {
            ageing: AGEING,
            max_stations: random.random_range(2..64),
            ..BridgeConfig::default()
        };
        let switches = (0..random.random_range(1..=5))
            .map(|_| Datapath::with_bridge(Bridge::with_seed(config, random.random())))
            .collect();
        let mut network = Self {
            random,
            now: Timestamp::ZERO,
            switches,
            hosts: Vec::new(),
            trunks: Vec::new(),
            ledger: Ledger::default(),
            losses_before: 0,
            next_cable: 0,
            delivered: 0,
            wrong: None,
        };
        for switch in 1..network.switches.len() {
            let parent = network.random.random_range(0..switch);
            let ends = [network.plug_in(parent), network.plug_in(switch)];
            network.trunks.push(Trunk {
                ends,
                under_way: Default::default(),
            });
        }
        for _ in 0..network.random.random_range(2..=16) {
            let attachment = network.plug_in_somewhere();
            network.hosts.push(Host {
                attachment,
                up: true,
                moved: false,
            });
        }
        network
    }

    fn plug_in(&mut self, switch: usize) -> Attachment {
        self.next_cable += 1;
        let options = MemoryOptions {
            capacity: [4, 64, 256][self.random.random_range(0..3)],
            ..MemoryOptions::default()
        };
        let (port, cable) = memory::pair(&format!("port{}", self.next_cable), options)
            .expect("an eventfd for the port");
        let port = self.switches[switch].add_port(port).expect("a port number");
        Attachment {
            switch,
            port,
            cable,
            into_switch: 0,
            out_of_switch: 0,
        }
    }

    fn plug_in_somewhere(&mut self) -> Attachment {
        let switch = self.random.random_range(0..self.switches.len());
        self.plug_in(switch)
    }

    /// Changes something now and then, then makes some hosts send.
    pub(crate) fn act(&mut self) {
        match self.random.random_range(0..12) {
            0 => self.move_host(),
            1 => self.toggle_link(),
            2 => self.let_time_pass(AGEING + AGEING),
            3 => self.let_time_pass(AGEING / 3),
            4 => self.bind_host(),
            5 => {
                for switch in &mut self.switches {
                    switch.bridge_mut().flush(None);
                }
            }
            _ => {}
        }
        self.losses_before = self.losses();
        for _ in 0..self.random.random_range(1..40) {
            self.send();
            if self.random.random_ratio(1, 3) {
                self.turn();
            }
        }
    }

    fn send(&mut self) {
        let sender = self.random.random_range(0..self.hosts.len());
        let kind = Kind::any(&mut self.random, self.hosts.len());
        let number = self.ledger.next_number();
        let bytes = frames::frame(&mut self.random, kind, sender, number);
        let host = &mut self.hosts[sender];
        if host.up && host.attachment.cable.send(&bytes).is_ok() {
            host.attachment.into_switch += 1;
            self.ledger.sent(sender, kind, bytes);
        }
    }

    /// Some switch handles a batch, and some frames cross some trunk.
    fn turn(&mut self) {
        let switch = self.random.random_range(0..self.switches.len());
        self.wake(switch);
        self.switches[switch].service(self.now);
        if !self.trunks.is_empty() {
            let trunk = self.random.random_range(0..self.trunks.len());
            self.trunks[trunk].relay();
        }
    }

    /// Replaces the poller: every port of the switch may have frames.
    fn wake(&mut self, switch: usize) {
        let ports: Vec<_> = self.switches[switch].ports().map(|(id, _)| id).collect();
        for port in ports {
            self.switches[switch].mark_ready(port);
        }
    }

    /// Lets all frames arrive.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut busy = false;
            for switch in 0..self.switches.len() {
                self.wake(switch);
                while self.switches[switch].service(self.now).is_some() {}
            }
            for trunk in &mut self.trunks {
                busy |= trunk.relay();
            }
            if !busy {
                break;
            }
        }
        for (number, host) in self.hosts.iter_mut().enumerate() {
            let (ledger, wrong) = (&mut self.ledger, &mut self.wrong);
            let came_out = host.attachment.cable.drain(|frame| {
                if let Err(error) = ledger.received(number, &frame.bytes) {
                    wrong.get_or_insert(error);
                }
            });
            host.attachment.out_of_switch += came_out as u64;
        }
    }

    /// Checks the ledger of this round.
    pub(crate) fn balance(&mut self) -> Result<(), String> {
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong);
        }
        let trunk_ends = self.trunks.iter().flat_map(|trunk| &trunk.ends);
        let host_ends = self.hosts.iter().map(|host| &host.attachment);
        for end in trunk_ends.chain(host_ends) {
            let info = self.switches[end.switch].port_info(self.now, end.port);
            let counters = info.ok_or("a port has vanished")?.counters;
            let counted = (counters.rx.frames, counters.tx.frames);
            if counted != (end.into_switch, end.out_of_switch) {
                return Err(format!(
                    "{:?} of switch {} counts {counted:?}, its cable {:?}",
                    end.port,
                    end.switch,
                    (end.into_switch, end.out_of_switch)
                ));
            }
        }
        let present = (0..self.hosts.len())
            .filter(|&number| self.hosts[number].up && !self.hosts[number].moved)
            .collect::<BTreeSet<_>>();
        let losses = self.losses() - self.losses_before;
        self.delivered += self.ledger.balance(&present, losses)?;
        Ok(())
    }

    /// Returns how many copies of frames have arrived so far.
    pub(crate) const fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Frames that were dropped although they had a destination.
    fn losses(&mut self) -> u64 {
        self.switches
            .iter_mut()
            .flat_map(|switch| switch.port_infos(self.now))
            .map(|info| {
                let drops = info.counters.drops;
                drops.total() - RIGHTLY.map(|reason| drops.get(reason)).iter().sum::<u64>()
            })
            .sum()
    }

    fn move_host(&mut self) {
        let number = self.random.random_range(0..self.hosts.len());
        let old = &self.hosts[number].attachment;
        self.switches[old.switch].remove_port(old.port);
        let attachment = self.plug_in_somewhere();
        self.hosts[number] = Host {
            attachment,
            up: true,
            moved: true,
        };
    }

    fn toggle_link(&mut self) {
        let number = self.random.random_range(0..self.hosts.len());
        let host = &mut self.hosts[number];
        host.up = !host.up;
        let link = if host.up {
            LinkState::Up
        } else {
            LinkState::Down
        };
        self.switches[host.attachment.switch].set_link(host.attachment.port, link);
    }

    /// Advances the time; a long step ages out the hosts' entries.
    fn let_time_pass(&mut self, span: Duration) {
        self.now = self.now + span;
        for switch in &mut self.switches {
            let bridge = switch.bridge_mut();
            while bridge.next_timeout().is_some_and(|due| due <= self.now) {
                bridge.handle_timeout(self.now);
            }
        }
        if span > AGEING {
            for host in &mut self.hosts {
                host.moved = false;
            }
        }
    }

    /// Adds a static entry for a host, in some VLAN.
    fn bind_host(&mut self) {
        let number = self.random.random_range(0..self.hosts.len());
        let mac: MacAddr = frames::station(number);
        let vlan = VlanId::from_tci(self.random.random_range(0..3));
        let Attachment { switch, port, .. } = self.hosts[number].attachment;
        // A table full of static entries refuses more, so this one is not added.
        let _ = self.switches[switch]
            .bridge_mut()
            .add_static(vlan, mac, port);
    }
}

impl Trunk {
    /// Moves frames from one switch to the other, as far as there is room. Returns whether any
    /// moved.
    fn relay(&mut self) -> bool {
        let mut moved = false;
        for (from, to) in [(0, 1), (1, 0)] {
            let way = &mut self.under_way[from];
            let end = &mut self.ends[from];
            let came_out = end.cable.drain(|frame| way.push_back(frame.bytes.clone()));
            end.out_of_switch += came_out as u64;
            while let Some(bytes) = way.front() {
                if self.ends[to].cable.send(bytes).is_err() {
                    break;
                }
                self.ends[to].into_switch += 1;
                way.pop_front();
                moved = true;
            }
        }
        moved
    }
}
