//! Sends loop probes, and decides what received probes prove.
//!
//! Theory of operation. A suspicion ([`super::loops`]) is a reason to send a probe out of each of
//! the suspected ports. A probe that comes back on another port proves that the two are connected
//! outside the switch. Hosts that legitimately send frames twice, on two ports, also raise
//! suspicions. Probes do not come back for those, so each round without a reply doubles the number
//! of suspicions that the next round needs. A loop provides them within milliseconds.
//!
//! All switches of a ring have the suspicion at the same time, and one of them must act. They elect
//! it as in Chang and Roberts ("An improved algorithm for decentralized extrema-finding in circular
//! configurations of processes", 1979): a bridge that is probing drops probes of bridges with a
//! greater number, and withdraws its own when it sees a probe of a bridge with a lower number. So
//! only the probes of the lowest go all the way round. If a bridge receives its reply before a
//! better one has sent a probe, it blocks a port, and the probe of the better one ends there. In
//! both cases one bridge has proof, and one port is blocked.
//!
//! A probe of another bridge is forwarded once: it does not circulate in a loop.

use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use super::PortId;
use super::key::Key;
use super::loops::Suspicion;
use super::probe::{LoopProbe, Probe, Purpose, Tags};
use crate::frame::Timestamp;

/// How long after it was sent a probe may come back.
const PATIENCE: Duration = Duration::from_secs(1);
/// The least time between two rounds of probes.
const GAP: Duration = Duration::from_millis(10);
/// How often the number of suspicions that a round needs is doubled.
const MAX_DOUBLINGS: u32 = 7;
/// How often a bridge withdraws its probes in favour of others before it no longer does.
const MAX_YIELDS: u32 = 32;
/// After this long without a suspicion, the rounds without a reply are reset.
const FORGET: Duration = Duration::from_secs(60);
/// The most probes in flight, and the most probes queued.
const MAX_SENT: usize = 64;
/// Probes of other bridges that are remembered.
const PASSED: usize = 64;
/// How many probes must come back on the port out of which they were sent to prove a loop behind
/// it. The first ones may be due to a loop elsewhere that was broken there.
const REFLECTIONS: u8 = 3;
/// The least time between two of them ...
const REFLECTION_GAP: Duration = Duration::from_millis(100);
/// ... and the most.
const REFLECTION_END: Duration = Duration::from_secs(60);

/// A probe in flight.
#[derive(Clone, Copy, Debug)]
struct Sent {
    port: PortId,
    nonce: u64,
    at: Timestamp,
    purpose: Purpose,
    /// The station that raised the suspicion, and the tags of its frame.
    key: Key,
    tags: Tags,
}

/// Probes that came back on the port out of which they were sent.
#[derive(Clone, Copy, Debug)]
struct Reflection {
    port: PortId,
    count: u8,
    last: Timestamp,
    /// When to send the next one.
    again: Option<Timestamp>,
    key: Key,
    tags: Tags,
}

/// What a returned probe proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) purpose: Purpose,
    /// The port out of which it was sent.
    pub(super) sent_by: PortId,
    /// The port on which it arrived.
    pub(super) came_by: PortId,
    pub(super) key: Key,
    pub(super) tags: Tags,
}

/// What a frame to the probe group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Not a probe.
    Other,
    /// A probe of another bridge, which is forwarded.
    Passes,
    /// A probe that is dropped.
    Ends,
    /// A probe of this bridge that came back in time.
    Proves(Proof),
}

/// The state of probing.
#[derive(Debug)]
pub(super) struct Prober {
    /// The bridge's number.
    id: u64,
    secret: u64,
    count: u64,
    sent: Vec<Sent>,
    passed: [u64; PASSED],
    next: usize,
    evidence: u32,
    /// Rounds without a reply.
    failures: u32,
    /// How often it has withdrawn its probes in favour of another bridge.
    yields: u32,
    last_round: Option<Timestamp>,
    last_suspicion: Timestamp,
    reflections: Vec<Reflection>,
    outbox: Vec<LoopProbe>,
}

impl Prober {
    /// Creates the state; its numbers are derived from `seed`.
    pub(super) fn new(seed: [u64; 2]) -> Self {
        Self {
            id: seed[0],
            secret: seed[1],
            count: 0,
            sent: Vec::new(),
            passed: [0; PASSED],
            next: 0,
            evidence: 0,
            failures: 0,
            yields: 0,
            last_round: None,
            last_suspicion: Timestamp::ZERO,
            reflections: Vec::new(),
            outbox: Vec::new(),
        }
    }

    /// Returns the next unpredictable number.
    pub(super) fn random(&mut self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for word in [self.secret, self.id, self.count] {
            hasher.write_u64(word);
        }
        self.count += 1;
        hasher.finish()
    }

    /// Returns the next probe to send.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<LoopProbe> {
        self.outbox.pop()
    }

    /// Records a suspicion; sends probes if there have been enough suspicions.
    pub(super) fn suspect(&mut self, now: Timestamp, suspicion: &Suspicion) {
        if now.since(self.last_suspicion) >= FORGET {
            self.failures = 0;
            self.yields = 0;
            self.evidence = 0;
        }
        self.last_suspicion = now;
        self.evidence = self.evidence.saturating_add(1);
        let is_early = self.last_round.is_some_and(|last| now.since(last) < GAP);
        if is_early || self.evidence < 1 << self.failures {
            return;
        }
        self.evidence = 0;
        self.failures = (self.failures + 1).min(MAX_DOUBLINGS);
        self.last_round = Some(now);
        let Suspicion { ports, key, tags } = *suspicion;
        for port in [ports.0, ports.1] {
            self.send(now, port, Purpose::Suspicion, (key, tags));
        }
    }

    /// Queues a probe out of `port`.
    pub(super) fn send(
        &mut self,
        now: Timestamp,
        port: PortId,
        purpose: Purpose,
        (key, tags): (Key, Tags),
    ) {
        self.sent.retain(|sent| now.since(sent.at) < PATIENCE);
        if self.sent.len() == MAX_SENT {
            self.sent.remove(0);
        }
        let nonce = self.random();
        self.sent.push(Sent {
            port,
            nonce,
            at: now,
            purpose,
            key,
            tags,
        });
        let probe = Probe {
            purpose,
            port,
            bridge: self.id,
            nonce,
        };
        if self.outbox.len() < MAX_SENT {
            self.outbox.push(probe.to_frame(&tags));
        }
    }

    /// Handles a frame to the probe group that arrived on a port.
    pub(super) fn hear(&mut self, now: Timestamp, came_by: PortId, frame: &[u8]) -> Heard {
        let heard = self.would_hear(now, came_by, frame);
        match (heard, Probe::parse(frame)) {
            (Heard::Proves(_), _) => {
                self.failures = 0;
                self.yields = 0;
                self.evidence = 0;
            }
            (_, Some(probe)) if probe.bridge != self.id && !self.has_passed(&probe) => {
                self.passed[self.next % PASSED] = probe.nonce;
                self.next += 1;
                if probe.purpose == Purpose::Suspicion && probe.bridge < self.id {
                    self.give_way();
                }
            }
            _ => {}
        }
        heard
    }

    /// Withdraws the probes in favour of a better bridge. The number of withdrawals is limited,
    /// since that bridge may get no reply, or may be a host that pretends to be a bridge.
    fn give_way(&mut self) {
        if self.yields < MAX_YIELDS {
            let before = self.sent.len();
            self.sent.retain(|sent| sent.purpose == Purpose::Watch);
            self.yields += u32::from(self.sent.len() < before);
        }
    }

    /// Predicts the result of [`Prober::hear`] without changing anything.
    pub(super) fn would_hear(&self, now: Timestamp, came_by: PortId, frame: &[u8]) -> Heard {
        let Some(probe) = Probe::parse(frame) else {
            return Heard::Other;
        };
        if probe.bridge != self.id {
            let asks =
                |sent: &Sent| sent.purpose == Purpose::Suspicion && now.since(sent.at) < PATIENCE;
            let is_worse = probe.purpose == Purpose::Suspicion
                && probe.bridge > self.id
                && self.sent.iter().any(asks);
            return if is_worse || self.has_passed(&probe) {
                Heard::Ends
            } else {
                Heard::Passes
            };
        }
        let mut sent = self.sent.iter();
        let sent = sent.find(|sent| sent.nonce == probe.nonce && now.since(sent.at) < PATIENCE);
        sent.map_or(Heard::Ends, |sent| {
            Heard::Proves(Proof {
                purpose: sent.purpose,
                sent_by: sent.port,
                came_by,
                key: sent.key,
                tags: sent.tags,
            })
        })
    }

    fn has_passed(&self, probe: &Probe) -> bool {
        self.passed.contains(&probe.nonce)
    }

    /// Records a probe that came back on the port out of which it was sent. Returns whether there
    /// have been enough of them; otherwise another one is sent later.
    pub(super) fn reflects(&mut self, now: Timestamp, proof: &Proof) -> bool {
        let port = proof.sent_by;
        self.reflections
            .retain(|reflection| now.since(reflection.last) < REFLECTION_END);
        let position = self
            .reflections
            .iter()
            .position(|reflection| reflection.port == port);
        let Some(position) = position else {
            self.reflections.push(Reflection {
                port,
                count: 1,
                last: now,
                again: Some(now + REFLECTION_GAP),
                key: proof.key,
                tags: proof.tags,
            });
            return false;
        };
        let reflection = &mut self.reflections[position];
        if now.since(reflection.last) < REFLECTION_GAP {
            return false;
        }
        reflection.count += 1;
        reflection.last = now;
        reflection.again = Some(now + REFLECTION_GAP);
        if reflection.count < REFLECTIONS {
            return false;
        }
        self.reflections.swap_remove(position);
        true
    }

    /// Returns when [`Prober::handle_timeout`] has a probe to send.
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        let again = self.reflections.iter().filter_map(|other| other.again);
        again.min()
    }

    /// Sends another probe where one has come back on the port out of which it was sent.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        let mut due = Vec::new(); // allocates only where a port reflects
        for reflection in &mut self.reflections {
            if reflection.again.is_some_and(|again| again <= now) {
                reflection.again = None;
                due.push((reflection.port, (reflection.key, reflection.tags)));
            }
        }
        for (port, about) in due {
            self.send(now, port, Purpose::Suspicion, about);
        }
    }

    /// Discards the state of a removed port.
    pub(super) fn forget(&mut self, port: PortId) {
        self.sent.retain(|sent| sent.port != port);
        self.outbox.retain(|probe| probe.port() != port);
        self.reflections
            .retain(|reflection| reflection.port != port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: PortId = PortId(1);
    const B: PortId = PortId(2);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_secs(100) + Duration::from_millis(millis)
    }

    fn suspicion() -> Suspicion {
        Suspicion {
            ports: (A, B),
            key: Key::NOBODY,
            tags: Tags::default(),
        }
    }

    fn asked(prober: &mut Prober) -> Vec<LoopProbe> {
        let mut probes: Vec<_> = std::iter::from_fn(|| prober.pop()).collect();
        probes.sort_by_key(LoopProbe::port);
        probes
    }

    #[test]
    fn each_round_without_a_reply_needs_twice_the_suspicions() {
        let mut prober = Prober::new([1, 2]);
        let mut rounds = Vec::new();
        for number in 0..1000 {
            prober.suspect(at(number * 50), &suspicion());
            if !asked(&mut prober).is_empty() {
                rounds.push(number);
            }
        }
        assert_eq!(rounds[..8], [0, 2, 6, 14, 30, 62, 126, 254]);
        assert_eq!(rounds[8] - rounds[7], 128, "it ends there");
        prober.suspect(at(1_000_000), &suspicion());
        assert_eq!(asked(&mut prober).len(), 2, "old rounds are reset");
    }

    #[test]
    fn only_a_probe_that_returns_in_time_is_proof() {
        let mut prober = Prober::new([1, 2]);
        prober.suspect(at(0), &suspicion());
        let [by_a, by_b] = &asked(&mut prober)[..] else {
            panic!("one out of each port");
        };
        let Heard::Proves(proof) = prober.hear(at(5), B, by_a.frame()) else {
            panic!("it came back");
        };
        assert_eq!((proof.sent_by, proof.came_by), (A, B));
        assert_eq!(
            prober.hear(at(1000), A, by_b.frame()),
            Heard::Ends,
            "too late"
        );
        // A sender that has not seen the probe cannot forge one.
        let mut forged = by_a.frame().to_vec();
        forged[40] ^= 1;
        assert_eq!(prober.hear(at(6), B, &forged), Heard::Ends);
        assert_eq!(prober.hear(at(6), B, &[0xff; 60]), Heard::Other);
    }

    #[test]
    fn of_two_probing_bridges_the_lower_gets_a_reply() {
        let (mut low, mut high) = (Prober::new([1, 2]), Prober::new([3, 4]));
        for prober in [&mut low, &mut high] {
            prober.suspect(at(0), &suspicion());
        }
        let (of_low, of_high) = (asked(&mut low), asked(&mut high));
        assert_eq!(low.hear(at(1), A, of_high[0].frame()), Heard::Ends);
        assert_eq!(high.hear(at(1), A, of_low[0].frame()), Heard::Passes);
        assert_eq!(high.hear(at(2), B, of_low[0].frame()), Heard::Ends, "once");
        // It has withdrawn its own probes.
        assert_eq!(high.hear(at(2), B, of_high[1].frame()), Heard::Ends);
        let back = low.hear(at(2), B, of_low[0].frame());
        assert!(matches!(back, Heard::Proves(_)));
        // A bridge that is not probing forwards all probes.
        assert_eq!(low.hear(at(1500), A, of_high[1].frame()), Heard::Passes);
    }

    #[test]
    fn a_host_that_pretends_to_be_a_better_bridge_does_not_stop_probing_for_ever() {
        let mut prober = Prober::new([10, 2]);
        let mut answered = 0;
        for number in 0..4000 {
            prober.suspect(at(number), &suspicion());
            for probe in asked(&mut prober) {
                let pretended = Probe {
                    purpose: Purpose::Suspicion,
                    port: A,
                    bridge: 1,
                    nonce: number + 1000,
                };
                let pretended = pretended.to_frame(&Tags::NONE);
                prober.hear(at(number), A, pretended.frame());
                let back = prober.hear(at(number), B, probe.frame());
                answered += u32::from(matches!(back, Heard::Proves(_)));
            }
        }
        assert!(answered > 0);
    }

    #[test]
    fn a_port_that_reflects_is_probed_again_before_it_counts_as_a_loop() {
        let mut prober = Prober::new([1, 2]);
        prober.send(at(0), A, Purpose::Suspicion, (Key::NOBODY, Tags::default()));
        let mut now = at(0);
        for round in 1..=3 {
            let probe = asked(&mut prober).remove(0);
            let Heard::Proves(proof) = prober.hear(now, A, probe.frame()) else {
                panic!("it came back");
            };
            assert_eq!(prober.reflects(now, &proof), round == 3);
            // A copy of the same probe proves nothing new.
            assert!(!prober.reflects(now, &proof) || round == 3);
            let Some(next) = prober.next_timeout() else {
                continue;
            };
            now = next;
            prober.handle_timeout(now);
        }
    }
}
