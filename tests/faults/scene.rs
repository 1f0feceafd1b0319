//! Hosts at a switch, traffic between them, and what became of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::Value;
use vswitch_netns::Namespace;

use super::Rival;
use super::forwarder::{Forwarder, Res};
use super::rivals::{Bridge, Ovs};
use super::vswitch::Vswitch;
use crate::harness::station::{self, Station, Stream};
use crate::harness::traffic::IN_FLIGHT;
use crate::harness::{PATIENCE, wait_until};

/// How much, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Frames in a second, of each station.
    pub(crate) rate: f64,
    /// How often what can be repeated is repeated.
    pub(crate) times: usize,
    /// How long traffic runs before a fault, and after.
    pub(crate) lead: Duration,
    /// Whether everything runs on one processor: then the kernel cannot put frames out of order
    /// when a thread moves from one to another.
    pub(crate) on_one_processor: bool,
    /// The most frames in flight from one host to another, so that none is lost because a program
    /// does not get the processor; any number where that is what is measured.
    pub(crate) in_flight: Option<u64>,
}

impl Pace {
    /// For a test: enough to fail.
    pub(crate) const TEST: Self = Self {
        rate: 1_000.0,
        times: 3,
        lead: Duration::from_millis(100),
        on_one_processor: true,
        in_flight: Some(IN_FLIGHT),
    };
}

/// A host by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host(pub(crate) u16);

impl Host {
    pub(crate) fn name(self) -> String {
        format!("h{}", self.0)
    }

    /// The interface inside.
    pub(crate) fn inside(self) -> String {
        format!("h{}-netns", self.0)
    }

    /// The switch's end of its cable.
    pub(crate) fn outside(self) -> String {
        format!("h{}-vsw", self.0)
    }

    pub(crate) fn mac(self) -> [u8; 6] {
        let [high, low] = self.0.to_be_bytes();
        [2, 0, 0, 1, high, low]
    }

    pub(crate) fn mac_text(self) -> String {
        self.mac().map(|byte| format!("{byte:02x}")).join(":")
    }

    /// Makes its namespace if there is none.
    pub(crate) fn ensure(self) -> Res {
        match self.namespace() {
            Ok(_) => Ok(()),
            Err(_) => Namespace::create(&self.name())
                .map(drop)
                .map_err(|error| error.to_string()),
        }
    }

    pub(crate) fn namespace(self) -> Res<Namespace> {
        Namespace::open(&self.name()).map_err(|error| error.to_string())
    }
}

/// Hosts 1 and 2 speak with each other, and so do 3 and 4. Faults are done to 3; 1 and 2 have
/// nothing to do with it, unless it is one of the whole switch.
pub(crate) struct Scene {
    pub(crate) rival: Rival,
    pub(crate) switch: Box<dyn Forwarder>,
    pub(crate) pace: Pace,
    pub(crate) stations: Vec<Station>,
    /// When what was missing was there again.
    pub(crate) back: Option<Instant>,
    /// What else was seen.
    pub(crate) notes: Vec<String>,
    /// What should not have been.
    pub(crate) faults: Vec<String>,
    /// What took too long.
    pub(crate) late: Vec<String>,
    sent_before: Vec<u64>,
    drops_before: Drops,
}

/// Frames dropped, by port and reason.
type Drops = BTreeMap<(String, String), u64>;

/// What became of the frames between two hosts, in both directions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fate {
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    pub(crate) duplicates: u64,
    pub(crate) reordered: u64,
    pub(crate) longest_gap: Duration,
    /// From the moment when what was missing was there again; none if nothing came any more.
    pub(crate) recovery: Option<Duration>,
    /// What the stations themselves lost.
    pub(crate) overrun: u64,
    /// What the switch could not hand to the kernel, whose queue was full.
    pub(crate) queue_full: u64,
}

pub(crate) const A: Host = Host(1);
pub(crate) const B: Host = Host(2);
pub(crate) const VICTIM: Host = Host(3);
pub(crate) const FRIEND: Host = Host(4);
/// Nothing comes any more that has not come for so long.
const QUIET: Duration = Duration::from_secs(5);
/// Who sends to whom.
const PAIRS: [(Host, Host); 4] = [(A, B), (B, A), (VICTIM, FRIEND), (FRIEND, VICTIM)];

impl Scene {
    /// A switch of that make with four hosts, whose stations listen.
    pub(crate) fn set(rival: Rival, pace: Pace, options: &[&str]) -> Res<Self> {
        if pace.on_one_processor {
            stay_on(sched_getcpu().unwrap_or_default());
        }
        let switch: Box<dyn Forwarder> = match rival {
            Rival::Vswitch => Box::new(Vswitch::start(options)?),
            Rival::Ovs => Box::new(Ovs::start()?),
            Rival::Bridge => Box::new(Bridge::start()?),
        };
        let mut scene = Self {
            rival,
            switch,
            pace,
            stations: Vec::new(),
            back: None,
            notes: Vec::new(),
            faults: Vec::new(),
            late: Vec::new(),
            sent_before: Vec::new(),
            drops_before: Drops::new(),
        };
        for host in [A, B, VICTIM, FRIEND] {
            scene.make(host)?;
            let port = station::open(&host.namespace()?, &host.inside())?;
            scene
                .stations
                .push(Station::start(host.0, host.mac(), port));
        }
        for (from, to) in PAIRS {
            scene.station(from).set_partner(scene.station(to));
        }
        Ok(scene)
    }

    /// Makes a host and attaches it.
    pub(crate) fn make(&mut self, host: Host) -> Res {
        host.ensure()?;
        self.switch.attach(host)
    }

    pub(crate) fn station(&self, host: Host) -> &Station {
        &self.stations[usize::from(host.0) - 1]
    }

    /// Has the station of a host go on with the interface that is there now.
    pub(crate) fn reopen(&self, host: Host) -> Res {
        let mut last = String::new();
        let opened = wait_until(PATIENCE, || {
            let port = host
                .namespace()
                .and_then(|namespace| station::open(&namespace, &host.inside()));
            match port {
                Ok(port) => self.station(host).use_port(Some(port)),
                Err(error) => {
                    last = error;
                    return false;
                }
            }
            true
        });
        if opened { Ok(()) } else { Err(last) }
    }

    /// Begins the traffic: first slowly, until frames arrive everywhere.
    pub(crate) fn begin(&mut self) -> Res {
        self.back = None;
        for station in &self.stations {
            station.forget();
        }
        self.speak(|_| 200.0);
        let arrive = wait_until(PATIENCE, || {
            PAIRS
                .iter()
                .all(|(from, to)| self.station(*to).received_from(from.0) > 3)
        });
        if !arrive {
            return Err("it does not forward".to_owned());
        }
        self.hush();
        for station in &self.stations {
            station.forget();
        }
        self.sent_before = self.stations.iter().map(Station::sent).collect();
        self.drops_before = self.drops();
        let rate = self.pace.rate;
        self.speak(|_| rate);
        self.wait(self.pace.lead);
        Ok(())
    }

    /// Has every station send to its partner.
    pub(crate) fn speak(&self, rate: impl Fn(Host) -> f64) {
        for (from, to) in PAIRS {
            self.station(from).send(Some(Stream {
                to: to.mac(),
                rate: rate(from),
                len: 60,
                in_flight: self.pace.in_flight,
            }));
        }
    }

    /// Has all stations be quiet, and waits until all that was in flight has arrived; where some of
    /// it was lost, until nothing has come for a while.
    pub(crate) fn hush(&self) {
        for station in &self.stations {
            station.send(None);
        }
        wait_until(PATIENCE, || self.stations.iter().all(Station::is_silent));
        let count = || -> u64 {
            let received = |station: &Station| {
                station.with_heard(|heard| heard.streams.values().map(|t| t.received).sum::<u64>())
            };
            self.stations.iter().map(received).sum()
        };
        let has_all = |(from, to): &(Host, Host)| {
            let sender = self.station(*from);
            self.station(*to).has_all_of(from.0, sender)
        };
        let mut before = count();
        // Only where the very last frame of a stream is missing.
        while !wait_until(QUIET, || PAIRS.iter().all(has_all)) {
            let now = count();
            if now == before {
                return;
            }
            before = now;
        }
    }

    /// Lets traffic run.
    #[allow(clippy::unused_self, reason = "reads as what it is: the scene goes on")]
    pub(crate) fn wait(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// Notes that what was missing is there again.
    pub(crate) fn is_back(&mut self) {
        self.back = Some(Instant::now());
    }

    /// Ends the traffic. The fate of the frames between 1 and 2, and between 3 and 4.
    pub(crate) fn end(&mut self) -> [Fate; 2] {
        let after = self.back.unwrap_or_else(Instant::now);
        // As long as it takes, but not for ever.
        wait_until(PATIENCE, || {
            PAIRS.iter().all(|(from, to)| {
                self.station(*to).with_heard(|heard| {
                    let tally = heard.streams.get(&from.0);
                    tally.is_some_and(|tally| tally.came_after(after))
                })
            })
        });
        self.wait(self.pace.lead);
        self.hush();
        let mut fates = [self.fate(A, B), self.fate(VICTIM, FRIEND)];
        let drops = self.drops_since();
        for (fate, hosts) in fates.iter_mut().zip([[A, B], [VICTIM, FRIEND]]) {
            let full = hosts.into_iter().flat_map(|host| {
                let reasons = ["egress_full", "egress_filtered"];
                reasons.map(|reason| (host.outside(), reason.to_owned()))
            });
            fate.queue_full = full.filter_map(|full| drops.get(&full)).sum();
        }
        fates
    }

    /// What all ports have dropped so far; nothing where the switch does not tell.
    fn drops(&self) -> Drops {
        if self.rival != Rival::Vswitch {
            return Drops::new();
        }
        let show = Vswitch::show().unwrap_or_default();
        let ports = show["ports"].as_array().into_iter().flatten();
        let of_port = |port: &Value| {
            let name = port["name"].as_str().unwrap_or_default().to_owned();
            let drops = port["drops"].as_object().cloned().unwrap_or_default();
            drops.into_iter().map(move |(reason, count)| {
                let count = count.as_u64().unwrap_or_default();
                ((name.clone(), reason), count)
            })
        };
        ports.flat_map(of_port).collect()
    }

    /// What they have dropped since the traffic began. A port that was made anew began at nothing.
    fn drops_since(&self) -> Drops {
        let mut drops = self.drops();
        for (place, count) in &mut drops {
            let before = self.drops_before.get(place).copied().unwrap_or_default();
            *count = count.checked_sub(before).unwrap_or(*count);
        }
        drops.retain(|_, count| *count > 0);
        drops
    }

    /// What the ports have lost since the traffic began, and why.
    pub(crate) fn where_lost(&self) -> String {
        let drops = self.drops_since();
        if drops.is_empty() {
            return "no port tells of a frame that it dropped".to_owned();
        }
        let told = drops
            .iter()
            .map(|((port, reason), count)| format!("{port} {count} {reason}"));
        format!("dropped by: {}", told.collect::<Vec<_>>().join(", "))
    }

    fn fate(&self, one: Host, other: Host) -> Fate {
        let mut fate = Fate {
            recovery: Some(Duration::ZERO),
            ..Fate::default()
        };
        for (from, to) in [(one, other), (other, one)] {
            let before = self.sent_before[usize::from(from.0) - 1];
            let sent = self.station(from).sent() - before;
            let heard = self.station(to).heard();
            fate.sent += sent;
            fate.overrun += heard.overrun;
            let Some(tally) = heard.streams.get(&from.0) else {
                fate.lost += sent;
                fate.recovery = None;
                continue;
            };
            fate.lost += sent.saturating_sub(tally.received);
            fate.duplicates += tally.duplicates;
            fate.reordered += tally.reordered;
            fate.longest_gap = fate.longest_gap.max(tally.longest_gap);
            if let Some(back) = self.back {
                let so_far = fate.recovery.filter(|_| tally.came_after(back));
                fate.recovery = so_far.map(|so_far| so_far.max(tally.recovery(back)));
            }
        }
        fate
    }

    /// The log of the switch, if it is one of ours.
    pub(crate) fn log(&mut self) -> String {
        self.switch
            .as_vswitch()
            .map_or(String::new(), |_| Vswitch::log())
    }

    /// Notes something that is not as promised.
    pub(crate) fn expect(&mut self, holds: bool, otherwise: impl Into<String>) {
        if !holds {
            self.faults.push(otherwise.into());
        }
    }

    /// Notes something that was seen.
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }
}

/// This thread, and all that it starts, on one processor.
pub(crate) fn stay_on(processor: usize) {
    let mut one = CpuSet::new();
    if one.set(processor).is_ok() {
        let _ = sched_setaffinity(Pid::from_raw(0), &one);
    }
}
