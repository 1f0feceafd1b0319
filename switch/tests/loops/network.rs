//! Bridges with a service time, cables with delays, hosts that ping and reply.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use rand::prelude::*;
use vswitch_switch::Timestamp;
use vswitch_switch::bridge::{Alarm, Bridge, BridgeConfig, LoopGuard, PortId, Verdict};

/// The least service time of a bridge for a frame.
const SERVICE: Duration = Duration::from_micros(10);
/// How many frames are queued for a bridge; further ones are lost.
const QUEUE: usize = 128;
/// How long a ping may take.
const PING: Duration = Duration::from_millis(500);

pub(crate) const BROADCAST: [u8; 6] = [0xff; 6];

pub(crate) type Frame = Rc<[u8]>;

/// What is connected to a port.
#[derive(Clone, Copy, Debug)]
enum Far {
    /// A cable, by its number and end.
    Cable(usize, usize),
    /// A host, by its number and interface.
    Host(usize),
    /// A plug that reflects all frames, or only tagged ones.
    Mirror { tagged_only: bool },
}

struct Node {
    bridge: Bridge,
    ports: BTreeMap<PortId, Far>,
    waiting: VecDeque<(PortId, Frame)>,
    is_busy: bool,
    timer: Option<Timestamp>,
}

pub(crate) struct Cable {
    pub(crate) ends: [(usize, PortId); 2],
    delay: Duration,
    pub(crate) is_up: bool,
}

struct Host {
    /// The ports of its interfaces.
    at: Vec<(usize, PortId)>,
    mac: [u8; 6],
    /// How many replies it has sent, by ping.
    answered: BTreeMap<(u8, u32), u32>,
    got: BTreeSet<(u8, u32)>,
    /// How many frames it received.
    frames: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Arrives(usize, PortId, Frame),
    Reaches(usize, Frame),
    Serve(usize),
    Timeout(usize),
}

/// A network and its time.
pub(crate) struct Network {
    pub(crate) random: StdRng,
    pub(crate) now: Timestamp,
    nodes: Vec<Node>,
    pub(crate) cables: Vec<Cable>,
    hosts: Vec<Host>,
    /// The port of a bridge behind which everything is lost.
    failed: Option<(usize, PortId)>,
    events: BinaryHeap<Reverse<(Timestamp, u64, What)>>,
    sequence: u64,
    next_ping: u32,
    /// Loops that were found and ports that were unblocked: time, node, port.
    pub(crate) blocked: Vec<(Timestamp, usize, PortId)>,
    pub(crate) freed: Vec<(Timestamp, usize, PortId)>,
    pub(crate) other_alarms: Vec<Alarm>,
    /// When the last frame was handled in a millisecond with more than ten frames.
    pub(crate) busy_until: Timestamp,
    in_this_milli: (u64, u32),
    pub(crate) probes: u64,
    /// Frames that bridges with loop protection have dropped, by reason.
    pub(crate) dropped: BTreeMap<&'static str, u64>,
}

fn mac(number: usize) -> [u8; 6] {
    [2, 0, 0, 0, 0, u8::try_from(number).unwrap() + 1]
}

/// A frame with a message; `tag` is a VLAN.
pub(crate) fn message(
    dst: [u8; 6],
    src: [u8; 6],
    tag: Option<u8>,
    (kind, number): (u8, u32),
    target: u8,
) -> Frame {
    let tag: &[u8] = &tag.map_or(vec![], |vlan| vec![0x81, 0, 0, vlan]);
    let mut frame = [&dst[..], &src, tag, &[0x88, 0xb6, kind, target]].concat();
    frame.extend(number.to_be_bytes());
    frame.resize(60, 0);
    frame.into()
}

const WHO: u8 = 1;
const HERE: u8 = 2;
const ECHO: u8 = 3;
const REPLY: u8 = 4;

impl Network {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            now: Timestamp::from_secs(1000),
            nodes: Vec::new(),
            cables: Vec::new(),
            hosts: Vec::new(),
            failed: None,
            events: BinaryHeap::new(),
            sequence: 0,
            next_ping: 0,
            blocked: Vec::new(),
            freed: Vec::new(),
            other_alarms: Vec::new(),
            busy_until: Timestamp::ZERO,
            in_this_milli: (0, 0),
            probes: 0,
            dropped: BTreeMap::new(),
        }
    }

    pub(crate) fn add_switch(&mut self) -> usize {
        self.add_node(BridgeConfig::default())
    }

    /// A bridge without loop protection that forwards all groups.
    pub(crate) fn add_foreign(&mut self) -> usize {
        self.add_node(BridgeConfig {
            loop_guard: LoopGuard::OFF,
            ..BridgeConfig::default()
        })
    }

    fn add_node(&mut self, config: BridgeConfig) -> usize {
        self.nodes.push(Node {
            bridge: Bridge::with_seed(config, self.random.random()),
            ports: BTreeMap::new(),
            waiting: VecDeque::new(),
            is_busy: false,
            timer: None,
        });
        self.nodes.len() - 1
    }

    fn add_port(&mut self, node: usize, far: Far) -> (usize, PortId) {
        let port = self.nodes[node].bridge.add_port().unwrap();
        self.nodes[node].ports.insert(port, far);
        (node, port)
    }

    /// A host with an interface at each of these nodes.
    pub(crate) fn add_host(&mut self, nodes: &[usize]) -> usize {
        let host = self.hosts.len();
        let at = nodes
            .iter()
            .map(|node| self.add_port(*node, Far::Host(host)))
            .collect();
        self.hosts.push(Host {
            at,
            mac: mac(host),
            answered: BTreeMap::new(),
            got: BTreeSet::new(),
            frames: 0,
        });
        host
    }

    pub(crate) fn add_mirror(&mut self, node: usize, tagged_only: bool) -> PortId {
        self.add_port(node, Far::Mirror { tagged_only }).1
    }

    pub(crate) fn add_cable(&mut self, one: usize, other: usize) -> usize {
        let cable = self.cables.len();
        let ends = [(one, 0), (other, 1)];
        let ends = ends.map(|(node, end)| self.add_port(node, Far::Cable(cable, end)));
        let delay = Duration::from_micros(self.random.random_range(1..60));
        self.cables.push(Cable {
            ends,
            delay,
            is_up: true,
        });
        cable
    }

    /// Sets a cable up or down; both ends notice.
    pub(crate) fn set_cable(&mut self, cable: usize, is_up: bool) {
        self.cables[cable].is_up = is_up;
        for (node, port) in self.cables[cable].ends {
            self.nodes[node].bridge.set_forwarding(port, is_up);
            self.after(node);
        }
    }

    pub(crate) fn mac(&self, host: usize) -> [u8; 6] {
        self.hosts[host].mac
    }

    /// From now on what is sent to this interface of a host is lost, and no other interface's.
    pub(crate) fn fail(&mut self, host: usize, interface: usize) {
        self.failed = Some(self.hosts[host].at[interface]);
    }

    pub(crate) fn received(&self, host: usize) -> u64 {
        self.hosts[host].frames
    }

    /// The ports that are blocked now, by node.
    pub(crate) fn blocks(&self) -> Vec<(usize, PortId)> {
        let of_node = |(index, node): (usize, &Node)| {
            let blocked = node
                .ports
                .keys()
                .filter(|port| node.bridge.is_blocked(**port));
            blocked.map(|port| (index, *port)).collect::<Vec<_>>()
        };
        self.nodes.iter().enumerate().flat_map(of_node).collect()
    }

    pub(crate) fn is_blocked(&self, end: (usize, PortId)) -> bool {
        self.nodes[end.0].bridge.is_blocked(end.1)
    }

    fn push(&mut self, at: Timestamp, what: What) {
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence, what)));
    }

    /// Sends a message of a host on one of its interfaces.
    pub(crate) fn say(&mut self, host: usize, interface: usize, frame: Frame) {
        let (node, port) = self.hosts[host].at[interface];
        let at = self.now + Duration::from_micros(self.random.random_range(1..5));
        self.push(at, What::Arrives(node, port, frame));
    }

    /// Starts a ping from one host to another.
    pub(crate) fn ping(&mut self, from: usize, to: usize) -> u32 {
        self.next_ping += 1;
        let number = self.next_ping;
        let frame = message(BROADCAST, mac(from), None, (WHO, number), mac(to)[5]);
        self.say(from, 0, frame);
        number
    }

    pub(crate) fn is_answered(&self, from: usize, ping: u32) -> bool {
        self.hosts[from].got.contains(&(REPLY, ping))
    }

    /// Pings between all hosts, again every `step` for a time. Returns how many pings were sent,
    /// and how many were answered in time.
    pub(crate) fn ping_for(&mut self, time: Duration, step: Duration) -> (u32, u32) {
        let end = self.now + time;
        let (mut sent, mut answered) = (0, 0);
        let mut open: VecDeque<(Timestamp, usize, u32)> = VecDeque::new();
        let mut pair = 0;
        while self.now < end {
            let count = self.hosts.len();
            let (from, to) = (pair % count, (pair / count + pair % count + 1) % count);
            pair += 1;
            if from != to {
                let ping = self.ping(from, to);
                open.push_back((self.now + PING, from, ping));
                sent += 1;
            }
            self.run(step);
            while open.front().is_some_and(|(due, ..)| *due <= self.now) {
                let (_, from, ping) = open.pop_front().unwrap();
                answered += u32::from(self.is_answered(from, ping));
            }
        }
        self.run(PING);
        for (_, from, ping) in open {
            answered += u32::from(self.is_answered(from, ping));
        }
        (sent, answered)
    }

    /// Advances by `time`.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(Reverse((at, ..))) = self.events.peek()
            && *at <= end
        {
            let Some(Reverse((at, _, what))) = self.events.pop() else {
                break;
            };
            self.now = at;
            match what {
                What::Arrives(node, port, frame) => self.arrives(node, port, frame),
                What::Reaches(host, frame) => self.reaches(host, &frame),
                What::Serve(node) => self.serve(node),
                What::Timeout(node) => self.timeout(node),
            }
        }
        self.now = end;
    }

    fn arrives(&mut self, node: usize, port: PortId, frame: Frame) {
        let place = &mut self.nodes[node];
        if place.waiting.len() == QUEUE {
            return;
        }
        place.waiting.push_back((port, frame));
        if !place.is_busy {
            place.is_busy = true;
            self.serve_later(node);
        }
    }

    fn serve_later(&mut self, node: usize) {
        let nanos = self.random.random_range(0..5_000);
        let at = self.now + SERVICE + Duration::from_nanos(nanos);
        self.push(at, What::Serve(node));
    }

    fn serve(&mut self, node: usize) {
        self.count();
        let place = &mut self.nodes[node];
        let Some((port, frame)) = place.waiting.pop_front() else {
            place.is_busy = false;
            return;
        };
        let leaves = match place.bridge.handle(self.now, port, &frame) {
            Verdict::Forward(to) => vec![to],
            Verdict::Flood => {
                let ports = place.bridge.forwarding_ports().iter();
                ports.copied().filter(|other| *other != port).collect()
            }
            Verdict::Drop(reason) => {
                *self.dropped.entry(reason.as_str()).or_default() += 1;
                vec![]
            }
        };
        let has_more = !place.waiting.is_empty();
        place.is_busy = has_more;
        for to in leaves {
            self.leave(node, to, &frame);
        }
        self.after(node);
        if has_more {
            self.serve_later(node);
        }
    }

    /// Sends a frame out of a port.
    fn leave(&mut self, node: usize, port: PortId, frame: &Frame) {
        match self.nodes[node].ports[&port] {
            Far::Host(_) if self.failed == Some((node, port)) => {}
            Far::Host(host) => {
                let at = self.now + Duration::from_micros(2);
                self.push(at, What::Reaches(host, Rc::clone(frame)));
            }
            Far::Cable(cable, end) => {
                let Cable { ends, delay, is_up } = &self.cables[cable];
                let (to, at) = (ends[1 - end], self.now + *delay);
                if *is_up {
                    self.push(at, What::Arrives(to.0, to.1, Rc::clone(frame)));
                }
            }
            Far::Mirror { tagged_only } => {
                if !tagged_only || frame[12..14] == [0x81, 0] {
                    let at = self.now + Duration::from_micros(3);
                    self.push(at, What::Arrives(node, port, Rc::clone(frame)));
                }
            }
        }
    }

    /// Handles the frames and events of a bridge after something happened to it.
    fn after(&mut self, node: usize) {
        while let Some(probe) = self.nodes[node].bridge.next_probe() {
            self.probes += 1;
            self.leave(node, probe.port(), &probe.frame().into());
        }
        while let Some(alarm) = self.nodes[node].bridge.next_alarm() {
            match alarm {
                Alarm::Loop { port, .. } => self.blocked.push((self.now, node, port)),
                Alarm::Unblocked { port } => self.freed.push((self.now, node, port)),
                other => self.other_alarms.push(other),
            }
        }
        let due = self.nodes[node].bridge.next_timeout();
        let timer = self.nodes[node].timer;
        if let Some(due) = due
            && timer.is_none_or(|timer| due < timer || timer <= self.now)
        {
            let due = due.max(self.now);
            self.nodes[node].timer = Some(due);
            self.push(due, What::Timeout(node));
        }
    }

    fn timeout(&mut self, node: usize) {
        let place = &mut self.nodes[node];
        if place.timer.is_some_and(|timer| timer <= self.now) {
            place.timer = None;
        }
        let is_due = |bridge: &Bridge, now| bridge.next_timeout().is_some_and(|due| due <= now);
        while is_due(&place.bridge, self.now) {
            place.bridge.handle_timeout(self.now);
        }
        self.after(node);
    }

    fn count(&mut self) {
        let milli = self.now.as_nanos() / 1_000_000;
        if milli != self.in_this_milli.0 {
            self.in_this_milli = (milli, 0);
        }
        self.in_this_milli.1 += 1;
        if self.in_this_milli.1 > 40 {
            self.busy_until = self.now;
        }
    }

    fn reaches(&mut self, host: usize, frame: &Frame) {
        self.hosts[host].frames += 1;
        if frame[12..14] != [0x88, 0xb6] {
            return;
        }
        let own = self.hosts[host].mac;
        let (dst, src): ([u8; 6], [u8; 6]) = (
            frame[..6].try_into().unwrap(),
            frame[6..12].try_into().unwrap(),
        );
        let (kind, target) = (frame[14], frame[15]);
        let number = u32::from_be_bytes(frame[16..20].try_into().unwrap());
        if src == own || (dst != own && (dst != BROADCAST || target != own[5])) {
            return;
        }
        self.hosts[host].got.insert((kind, number));
        let answer = match kind {
            WHO => HERE,
            HERE => ECHO,
            ECHO => REPLY,
            _ => return,
        };
        let times = self.hosts[host].answered.entry((kind, number)).or_default();
        *times += 1;
        if *times <= 2 {
            let frame = message(src, own, None, (answer, number), 0);
            self.say(host, 0, frame);
        }
    }
}
