//! The guard against loops, put together: suspicions, probes, blocks.

use std::time::Duration;

use arrayvec::ArrayVec;

use super::alarm::Alarm;
use super::blocks::{Blocked, Blocks, Due};
use super::key::Key;
use super::loops::{Suspects, Suspicion};
use super::probe::{LoopProbe, Purpose, Tags};
use super::prober::{Heard, Prober, Proof};
use super::{Bridge, DropReason, PortId};
use crate::frame::Timestamp;

/// So long after a loop was broken, frames of it may still come in by the port that goes on.
const ECHO: Duration = Duration::from_millis(200);
/// What comes back in one batch and is acted upon.
const PROOFS: usize = 8;

/// All that is remembered about loops.
#[derive(Debug)]
pub(super) struct Loops {
    pub(super) suspects: Suspects,
    prober: Prober,
    blocks: Blocks,
    /// Ports that may have frames left of a loop that was broken, until when.
    echoes: Vec<(PortId, Timestamp)>,
    /// What the batch at hand has brought, for after it.
    suspicion: Option<Suspicion>,
    proofs: ArrayVec<Proof, PROOFS>,
    has_news: bool,
}

impl Loops {
    /// None yet. What is left to chance follows from `seed`.
    pub(super) fn new(seed: [u64; 2]) -> Self {
        Self {
            suspects: Suspects::new(),
            prober: Prober::new(seed),
            blocks: Blocks::default(),
            echoes: Vec::new(),
            suspicion: None,
            proofs: ArrayVec::new(),
            has_news: false,
        }
    }

    /// Has a suspicion looked at after the batch.
    pub(super) fn note(&mut self, suspicion: Suspicion) {
        self.suspicion = Some(suspicion);
        self.has_news = true;
    }
}

impl Bridge {
    /// Takes note of a frame to the group of probes. Returns why it may not pass.
    pub(super) fn hear_probe_frame(
        &mut self,
        now: Timestamp,
        ingress: PortId,
        frame: &[u8],
    ) -> Option<DropReason> {
        if !self.config.loop_guard.enabled {
            return None;
        }
        let loops = &mut self.protection.loops;
        // Once there is proof, a port is about to be blocked: what would have ended there does.
        let has_proof = !loops.proofs.is_empty();
        match loops.prober.hear(now, ingress, frame) {
            Heard::Other => None,
            Heard::Passes if !has_proof => None,
            Heard::Passes | Heard::Ends => Some(DropReason::LoopProbe),
            Heard::Proves(proof) => {
                // What does not fit proves nothing new.
                let _ = loops.proofs.try_push(proof);
                loops.has_news = true;
                Some(DropReason::LoopProbe)
            }
        }
    }

    /// Whether a frame to the group of probes would go no further.
    pub(super) fn would_end_probe(&self, now: Timestamp, ingress: PortId, frame: &[u8]) -> bool {
        let ends = || match self.protection.loops.prober.would_hear(now, ingress, frame) {
            Heard::Other | Heard::Passes => false,
            Heard::Ends | Heard::Proves(_) => true,
        };
        self.config.loop_guard.enabled && ends()
    }

    /// Takes note of probes among frames that came in by a blocked port, out of which they were
    /// sent.
    #[inline(never)]
    pub(super) fn hear_while_blocked<'a>(
        &mut self,
        now: Timestamp,
        ingress: PortId,
        frames: impl Iterator<Item = &'a [u8]>,
    ) {
        for frame in frames {
            let loops = &mut self.protection.loops;
            if let Heard::Proves(proof) = loops.prober.would_hear(now, ingress, frame)
                && proof.sent_by == ingress
            {
                let chance = loops.prober.random();
                loops.blocks.confirm(now, ingress, ingress, chance);
            }
        }
    }

    /// Does what the batch that has just been handled gives reason for.
    #[inline]
    pub(super) fn settle_loops(&mut self, now: Timestamp) {
        if self.protection.loops.has_news {
            self.act_on_loops(now);
        }
    }

    #[inline(never)]
    fn act_on_loops(&mut self, now: Timestamp) {
        self.protection.loops.has_news = false;
        for proof in std::mem::take(&mut self.protection.loops.proofs) {
            self.act_on_proof(now, &proof);
        }
        let Some(mut suspicion) = self.protection.loops.suspicion.take() else {
            return;
        };
        let (one, other) = suspicion.ports;
        let may_ask = [one, other].map(|port| self.ports.is_forwarding(port));
        suspicion.ports = match may_ask {
            [true, true] => (one, other),
            [true, false] => (one, one),
            [false, true] => (other, other),
            [false, false] => return,
        };
        self.protection.loops.prober.suspect(now, &suspicion);
    }

    fn act_on_proof(&mut self, now: Timestamp, proof: &Proof) {
        let (from, to) = (proof.sent_by, proof.came_by);
        let loops = &mut self.protection.loops;
        if proof.purpose == Purpose::Watch {
            let chance = loops.prober.random();
            loops.blocks.confirm(now, from, to, chance);
        } else if from != to {
            // Whichever is blocked, the other leads to the same place. Of several that are joined,
            // the lowest number is left.
            self.block(now, (from.max(to), from.min(to)), proof);
        } else if loops.prober.reflects(now, proof) {
            self.block(now, (from, from), proof);
        }
    }

    fn block(&mut self, now: Timestamp, (port, peer): (PortId, PortId), proof: &Proof) {
        if !self.ports.is_forwarding(port) || !self.ports.is_forwarding(peer) {
            return;
        }
        let guard = self.config.loop_guard;
        let loops = &mut self.protection.loops;
        let (about, chance) = ((proof.key, proof.tags), loops.prober.random());
        let hold = loops.blocks.add(now, (port, peer), &guard, about, chance);
        loops.echoes.retain(|(echo, _)| *echo != peer);
        loops.echoes.push((peer, now + ECHO));
        self.ports.set_blocked(port, true);
        // Stations seem to be behind either that are not.
        self.fdb.flush(&mut self.ports, port);
        self.fdb.flush(&mut self.ports, peer);
        let (vlan, mac) = (proof.key.vlan(), proof.key.mac());
        self.protection.alarms.push(Alarm::Loop {
            port,
            peer,
            hold,
            vlan,
            mac,
        });
    }

    /// The VLAN tags with which the loop was proven of which a blocked port is a part, as they stand in a
    /// frame; for [`Bridge::block_as_before`].
    pub(crate) fn loop_tags(&self, port: PortId) -> Vec<u8> {
        let tags = self.protection.loops.blocks.tags(port).unwrap_or_default();
        tags.as_slice().to_vec()
    }

    /// Blocks a port that was blocked in another process, until it is known that the loop is gone: by
    /// probes with these tags, since the loop may be one in a single VLAN.
    pub(crate) fn block_as_before(
        &mut self,
        now: Timestamp,
        (port, peer): (PortId, PortId),
        tags: &[u8],
    ) {
        let guard = self.config.loop_guard;
        if !guard.enabled || !self.ports.is_forwarding(port) {
            return;
        }
        let loops = &mut self.protection.loops;
        let (about, chance) = ((Key::NOBODY, Tags::read(tags)), loops.prober.random());
        loops.blocks.add(now, (port, peer), &guard, about, chance);
        self.ports.set_blocked(port, true);
    }

    /// When [`Bridge::watch_loops`] has something to do.
    pub(super) fn loops_timeout(&self) -> Option<Timestamp> {
        let loops = &self.protection.loops;
        let echoes = loops.echoes.iter().map(|(_, until)| *until);
        let others = [loops.blocks.next(), loops.prober.next_timeout()];
        echoes.chain(others.into_iter().flatten()).min()
    }

    /// Forgets the stations that the last frames of a loop seemed to have put behind its other
    /// port, asks whether loops are still there, and lets ports forward where they are not.
    pub(super) fn watch_loops(&mut self, now: Timestamp) {
        while let Some(at) = self
            .protection
            .loops
            .echoes
            .iter()
            .position(|(_, until)| *until <= now)
        {
            let (port, _) = self.protection.loops.echoes.swap_remove(at);
            self.fdb.flush(&mut self.ports, port);
        }
        self.protection.loops.prober.handle_timeout(now);
        loop {
            let loops = &mut self.protection.loops;
            let chance = loops.prober.random();
            match loops.blocks.pop_due(now, chance) {
                None => break,
                Some(Due::Ask(port, about)) => {
                    loops.prober.send(now, port, Purpose::Watch, about);
                }
                Some(Due::Over(port, peer)) => self.open(port, peer),
            }
        }
    }

    /// Lets a port that was blocked forward.
    fn open(&mut self, port: PortId, peer: PortId) {
        self.ports.set_blocked(port, false);
        // What was reached by the other port may be behind this one alone by now.
        self.fdb.flush(&mut self.ports, peer);
        self.protection.alarms.push(Alarm::Unblocked { port });
    }

    /// A port is gone, or its link is down: it is blocked no more, and one that was blocked on its
    /// account forwards in its place.
    pub(super) fn forget_loops_of(&mut self, port: PortId) {
        self.unblock(port);
        self.protection.loops.prober.forget(port);
        if let Some(heir) = self.protection.loops.blocks.succeed(port) {
            self.unblock(heir);
        }
    }

    /// Lets a port that is blocked forward again at once. Returns whether it was.
    pub fn unblock(&mut self, port: PortId) -> bool {
        let blocked = self.protection.loops.blocks.get(Timestamp::ZERO, port);
        let was_blocked = self.protection.loops.blocks.forget(port);
        if let Some(Blocked { peer, .. }) = blocked {
            self.open(port, peer);
        }
        was_blocked
    }

    /// Whether a port is blocked, whatever the time.
    #[must_use]
    pub fn is_blocked(&self, port: PortId) -> bool {
        self.ports.is_blocked(port)
    }

    /// Whether a port is blocked, being part of a loop, and how.
    #[must_use]
    pub fn blocked(&self, now: Timestamp, port: PortId) -> Option<Blocked> {
        self.protection.loops.blocks.get(now, port)
    }

    /// The next frame that the bridge itself has to send, if there is one: after each batch and each
    /// [`Bridge::handle_timeout`]. There is none unless frames look as if they were in a loop, or a
    /// port is blocked because of one.
    #[inline]
    pub fn next_probe(&mut self) -> Option<LoopProbe> {
        self.protection.loops.prober.pop()
    }

    /// Whether this is the source of frames to the group of probes, which is not learnt.
    pub(super) fn is_of_probe(src: Key) -> bool {
        src == Key::NOBODY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::BridgeConfig;

    #[test]
    fn another_process_asks_in_the_vlan_in_which_the_loop_is() {
        const PAIR: (PortId, PortId) = (PortId(2), PortId(1));
        let tags: [&[u8]; 3] = [&[], &[0x81, 0, 0, 5], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6]];
        for tags in tags {
            let mut bridge = Bridge::with_seed(BridgeConfig::default(), 1);
            for port in [PAIR.0, PAIR.1] {
                bridge.add_port_at(port).unwrap();
            }
            bridge.block_as_before(Timestamp::from_secs(100), PAIR, tags);
            assert_eq!(bridge.loop_tags(PAIR.0), tags);
            assert!(bridge.loop_tags(PAIR.1).is_empty());
            bridge.handle_timeout(bridge.next_timeout().unwrap());
            let probe = bridge.next_probe().unwrap();
            assert_eq!(probe.port(), PAIR.0);
            assert_eq!(&probe.frame()[12..12 + tags.len()], tags);
            assert_eq!(&probe.frame()[12 + tags.len()..][..2], [0x88, 0xb5]);
            bridge.unblock(PAIR.0);
            assert!(bridge.loop_tags(PAIR.0).is_empty());
        }
    }
}
