//! Loop protection: combines suspicions, probes and blocks.

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

/// How long after a loop was broken its last frames may still arrive on the port that keeps
/// forwarding.
const ECHO: Duration = Duration::from_millis(200);
/// The most probes of one batch that are acted upon as proof.
const PROOFS: usize = 8;

/// The state of loop protection.
#[derive(Debug)]
pub(super) struct Loops {
    pub(super) suspects: Suspects,
    prober: Prober,
    blocks: Blocks,
    /// Ports on which frames of a broken loop may still arrive, and until when.
    echoes: Vec<(PortId, Timestamp)>,
    /// The suspicion that the current batch has raised, handled after the batch.
    suspicion: Option<Suspicion>,
    proofs: ArrayVec<Proof, PROOFS>,
    has_news: bool,
}

impl Loops {
    /// Creates the initial state. Random choices are derived from `seed`.
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

    /// Records a suspicion, to be handled after the batch.
    pub(super) fn note(&mut self, suspicion: Suspicion) {
        self.suspicion = Some(suspicion);
        self.has_news = true;
    }
}

impl Bridge {
    /// Handles a frame to the probe group. Returns why the frame is dropped, if it is.
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
        // With proof, a port is about to be blocked, so frames that would have ended at it end
        // here.
        let has_proof = !loops.proofs.is_empty();
        match loops.prober.hear(now, ingress, frame) {
            Heard::Other => None,
            Heard::Passes if !has_proof => None,
            Heard::Passes | Heard::Ends => Some(DropReason::LoopProbe),
            Heard::Proves(proof) => {
                // A proof that does not fit adds nothing new.
                let _ = loops.proofs.try_push(proof);
                loops.has_news = true;
                Some(DropReason::LoopProbe)
            }
        }
    }

    /// Reports whether a frame to the probe group would be dropped.
    pub(super) fn would_end_probe(&self, now: Timestamp, ingress: PortId, frame: &[u8]) -> bool {
        let ends = || match self.protection.loops.prober.would_hear(now, ingress, frame) {
            Heard::Other | Heard::Passes => false,
            Heard::Ends | Heard::Proves(_) => true,
        };
        self.config.loop_guard.enabled && ends()
    }

    /// Handles probes among frames that arrived on the blocked port out of which they were sent.
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

    /// Acts on the findings of the batch that has just been handled.
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
            // Either port may be blocked, since both lead to the same segment. Of several connected
            // ports the lowest number keeps forwarding.
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
        // Entries of stations that are not really behind the port.
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

    /// Returns the VLAN tags with which the loop of a blocked port was proven, as in a frame; for
    /// [`Bridge::block_as_before`].
    pub(crate) fn loop_tags(&self, port: PortId) -> Vec<u8> {
        let tags = self.protection.loops.blocks.tags(port).unwrap_or_default();
        tags.as_slice().to_vec()
    }

    /// Blocks a port that was blocked in another process until probes show that the loop is gone.
    /// The probes carry these tags, since the loop may exist in a single VLAN only.
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

    /// Returns when [`Bridge::watch_loops`] has work.
    pub(super) fn loops_timeout(&self) -> Option<Timestamp> {
        let loops = &self.protection.loops;
        let echoes = loops.echoes.iter().map(|(_, until)| *until);
        let others = [loops.blocks.next(), loops.prober.next_timeout()];
        echoes.chain(others.into_iter().flatten()).min()
    }

    /// Removes the entries that the last frames of a broken loop put behind its other port, sends
    /// probes of blocked ports, and unblocks ports whose loop is gone.
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

    /// Unblocks a port.
    fn open(&mut self, port: PortId, peer: PortId) {
        self.ports.set_blocked(port, false);
        // Stations that were reached through the other port may now be behind this one only.
        self.fdb.flush(&mut self.ports, peer);
        self.protection.alarms.push(Alarm::Unblocked { port });
    }

    /// Handles a port that was removed or lost its link: its block ends, and a port that was
    /// blocked because of it takes over.
    pub(super) fn forget_loops_of(&mut self, port: PortId) {
        self.unblock(port);
        self.protection.loops.prober.forget(port);
        if let Some(heir) = self.protection.loops.blocks.succeed(port) {
            self.unblock(heir);
        }
    }

    /// Unblocks a port at once. Returns whether it was blocked.
    pub fn unblock(&mut self, port: PortId) -> bool {
        let blocked = self.protection.loops.blocks.get(Timestamp::ZERO, port);
        let was_blocked = self.protection.loops.blocks.forget(port);
        if let Some(Blocked { peer, .. }) = blocked {
            self.open(port, peer);
        }
        was_blocked
    }

    /// Reports whether a port is blocked, without checking the time.
    #[must_use]
    pub fn is_blocked(&self, port: PortId) -> bool {
        self.ports.is_blocked(port)
    }

    /// Returns the block of a port that is part of a loop, if it is blocked.
    #[must_use]
    pub fn blocked(&self, now: Timestamp, port: PortId) -> Option<Blocked> {
        self.protection.loops.blocks.get(now, port)
    }

    /// Returns the next frame that the bridge itself must send, if any. Call it after each batch
    /// and each [`Bridge::handle_timeout`]. There is one only if frames seem to loop, or if a port
    /// is blocked because of a loop.
    #[inline]
    pub fn next_probe(&mut self) -> Option<LoopProbe> {
        self.protection.loops.prober.pop()
    }

    /// Reports whether this is the source of a frame to the probe group, which is not learnt.
    pub(super) fn is_of_probe(src: Key) -> bool {
        src == Key::NOBODY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::BridgeConfig;

    #[test]
    fn another_process_probes_the_vlan_of_the_loop() {
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
