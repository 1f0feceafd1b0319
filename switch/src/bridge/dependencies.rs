//! What a decision depends on, for callers that cache decisions.

use arrayvec::ArrayVec;

use super::key::Key;
use super::pipeline::{self, View};
use super::watch::{Destination, Part, Source, Watcher};
use super::{Bridge, PortId, Verdict};
use crate::frame::{HEADER_LEN, MacAddr, Timestamp, VlanId};

/// What the decision about a frame depends on.
///
/// Another frame that comes in by the same port gets the same verdict if it [`matches`], as long as
/// none of these changes:
///
/// - the bridge's configuration, a port's settings, which ports exist, and which of them forward;
/// - the entries of [`stations`]: whether they exist, their ports, whether they are static.
///   Refreshing an entry is not a change.
///
/// [`matches`]: Dependencies::matches
/// [`stations`]: Dependencies::stations
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependencies {
    parts: ArrayVec<Part, 3>,
    repeats: bool,
    stations: ArrayVec<(VlanId, MacAddr), 2>,
}

impl Dependencies {
    const fn new() -> Self {
        Self {
            parts: ArrayVec::new_const(),
            repeats: true,
            stations: ArrayVec::new_const(),
        }
    }

    /// Reports whether the decision is valid for further frames at all. It is not if it depends on
    /// the number of earlier frames, on the time, or on the payload: a rate-limited flood, a loop
    /// probe, a source that is learnt or moves.
    #[must_use]
    pub const fn repeats(&self) -> bool {
        self.repeats
    }

    /// The stations whose entries the decision depends on: the source, the destination.
    #[must_use]
    pub fn stations(&self) -> &[(VlanId, MacAddr)] {
        &self.stations
    }

    /// Reports whether `other` equals `frame`, for which the decision was made, in all the parts
    /// that were read.
    #[must_use]
    pub fn matches(&self, frame: &[u8], other: &[u8]) -> bool {
        let is_runt = |frame: &[u8]| frame.len() < HEADER_LEN;
        let mut ranges = self.parts.iter().filter_map(|part| part.range());
        is_runt(frame) == is_runt(other)
            && ranges.all(|range| frame.get(range.clone()) == other.get(range))
    }

    fn depends_on(&mut self, key: Key) {
        if key != Key::NOBODY {
            // At most two: the source and the destination.
            let _ = self.stations.try_push((key.vlan(), key.mac()));
        }
    }
}

impl Watcher for Dependencies {
    fn reads(&mut self, part: Part) {
        match part.range() {
            // Each part is read once.
            Some(_) => self.parts.extend([part]),
            None => self.repeats = false,
        }
    }

    fn source(&mut self, key: Key, find: impl FnOnce() -> Source) {
        self.depends_on(key);
        match find() {
            // It gets an entry, which may evict another one, or its entry changes.
            Source::New { .. }
            | Source::Moves { .. }
            | Source::Held { .. }
            | Source::NoRoom
            | Source::Probe => self.repeats = false,
            Source::Known { .. } | Source::Static { .. } | Source::NotLearnt => {}
        }
    }

    fn destination(&mut self, key: Key, _: impl FnOnce() -> Destination) {
        self.depends_on(key);
    }

    fn flood(&mut self, is_metered: impl FnOnce() -> bool) {
        self.repeats &= !is_metered();
    }
}

impl Bridge {
    /// Returns what [`Bridge::handle`] would decide about this frame, and what the decision depends
    /// on. Changes nothing.
    #[must_use]
    pub fn dependencies(
        &self,
        now: Timestamp,
        port: PortId,
        frame: &[u8],
    ) -> (Verdict, Dependencies) {
        let mut dependencies = Dependencies::new();
        let tables = &mut View::new(self);
        let verdict = pipeline::decide(tables, &mut dependencies, now, port, frame);
        (verdict, dependencies)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::bridge::{BridgeConfig, Cursor, PortLimits, Station, VlanLearning};

    /// A change to a bridge.
    #[derive(Clone, Debug)]
    enum Step {
        Frame(u16, Vec<u8>),
        Static(u16, u8, u16),
        Remove(u8),
        Flush(u16),
        Forwarding(u16, bool),
        Time(u64),
    }

    fn address() -> impl Strategy<Value = [u8; 6]> {
        let station = (1..6u8).prop_map(|last| [2, 0, 0, 0, 0, last]);
        prop_oneof![
            8 => station,
            1 => Just([0xff; 6]),
            1 => Just([0x01, 0x00, 0x5e, 0, 0, 1]),
            1 => Just([0x01, 0x80, 0xc2, 0, 0, 2]),
            1 => Just([0; 6]),
        ]
    }

    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let behind = prop_oneof![
            Just(vec![8, 0]),
            (0..3u8).prop_map(|vlan| vec![0x81, 0, 0, vlan, 8, 0]),
            (0..3u8).prop_map(|vlan| vec![0x88, 0xa8, 0xe0, vlan, 8, 0]),
        ];
        let payload = prop::collection::vec(any::<u8>(), 0..40);
        let whole = (address(), address(), behind, payload);
        let whole = whole.prop_map(|(dst, src, behind, payload)| {
            [&dst[..], &src[..], &behind[..], &payload[..]].concat()
        });
        prop_oneof![20 => whole, 1 => prop::collection::vec(any::<u8>(), 0..14)]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            10 => (1..5u16, frame()).prop_map(|(port, frame)| Step::Frame(port, frame)),
            1 => (0..3u16, 1..6u8, 1..5u16).prop_map(|(vlan, last, port)| Step::Static(vlan, last, port)),
            1 => (1..6u8).prop_map(Step::Remove),
            1 => (1..5u16).prop_map(Step::Flush),
            1 => (1..5u16, any::<bool>()).prop_map(|(port, up)| Step::Forwarding(port, up)),
            2 => (1..400_000u64).prop_map(Step::Time),
        ]
    }

    fn config() -> impl Strategy<Value = BridgeConfig> {
        let limit = prop_oneof![3 => Just(0), 1 => Just(2)];
        let values = (
            any::<bool>(),
            any::<bool>(),
            limit,
            2..8usize,
            any::<bool>(),
        );
        values.prop_map(
            |(independent, forward_reserved, limit, max_stations, learns)| BridgeConfig {
                vlan_learning: if independent {
                    VlanLearning::Independent
                } else {
                    VlanLearning::Shared
                },
                forward_reserved,
                max_stations,
                ageing: Duration::from_secs(if learns { 300 } else { 0 }),
                port_limits: PortLimits {
                    broadcast: limit,
                    unknown_unicast: limit,
                    ..PortLimits::NONE
                },
                ..BridgeConfig::default()
            },
        )
    }

    fn apply(bridge: &mut Bridge, now: &mut Timestamp, step: &Step) {
        match step {
            Step::Frame(port, frame) => {
                bridge.handle(*now, PortId(*port), frame);
            }
            Step::Static(vlan, last, port) => {
                let vlan = VlanId::new(*vlan).unwrap();
                let mac = MacAddr([2, 0, 0, 0, 0, *last]);
                let _ = bridge.add_static(vlan, mac, PortId(*port));
            }
            Step::Remove(last) => {
                bridge.remove_station(MacAddr([2, 0, 0, 0, 0, *last]), None);
            }
            Step::Flush(port) => {
                bridge.flush(Some(PortId(*port)));
            }
            Step::Forwarding(port, up) => bridge.set_forwarding(PortId(*port), *up),
            Step::Time(millis) => {
                *now = *now + Duration::from_millis(*millis);
                bridge.handle_timeout(*now);
            }
        }
    }

    /// By VLAN and address: the port of an entry, and whether it is static.
    type Entries = BTreeMap<(VlanId, MacAddr), (PortId, bool)>;

    /// All that a decision may depend on: the entries of these stations, and the forwarding ports.
    fn state(bridge: &Bridge, on: &Dependencies) -> (Entries, Vec<PortId>) {
        let mut stations = Vec::new();
        let mut from = Some(Cursor::default());
        while let Some(cursor) = from {
            from = bridge.stations(Timestamp::ZERO, cursor, &mut stations, 100);
        }
        let entries = stations.into_iter().map(|station| {
            let Station {
                vlan,
                mac,
                port,
                age,
            } = station;
            ((vlan, mac), (port, age.is_none()))
        });
        let entries = entries.filter(|(station, _)| on.stations().contains(station));
        (entries.collect(), bridge.forwarding_ports().to_vec())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn equal_frames_share_their_fate_until_what_it_depends_on_changes(
            config in config(),
            before in prop::collection::vec(step(), 0..40),
            port in 1..5u16,
            asked in frame(),
            others in prop::collection::vec(frame(), 0..20),
            after in prop::collection::vec(step(), 0..10),
        ) {
            let mut bridge = Bridge::with_seed(config, 1);
            let mut now = Timestamp::from_secs(1000);
            for _ in 0..4 {
                bridge.add_port().unwrap();
            }
            for step in &before {
                apply(&mut bridge, &mut now, step);
            }
            let port = PortId(port);
            let (verdict, on) = bridge.dependencies(now, port, &asked);
            prop_assert_eq!(verdict, bridge.explain(now, port, &asked).verdict);
            if !on.repeats() {
                return Ok(());
            }
            // Every frame, with what was read of the first.
            let others: Vec<_> = others
                .iter()
                .map(|other| {
                    let mut other = other.clone();
                    for range in on.parts.iter().filter_map(|part| part.range()) {
                        if other.len().min(asked.len()) >= range.end {
                            other[range.clone()].copy_from_slice(&asked[range]);
                        }
                    }
                    other
                })
                .filter(|other| on.matches(&asked, other))
                .collect();
            let first = state(&bridge, &on);
            for step in std::iter::once(None).chain(after.iter().map(Some)) {
                if let Some(step) = step {
                    apply(&mut bridge, &mut now, step);
                }
                if state(&bridge, &on) != first {
                    break;
                }
                prop_assert_eq!(bridge.explain(now, port, &asked).verdict, verdict);
                for other in &others {
                    prop_assert_eq!(bridge.explain(now, port, other).verdict, verdict);
                }
            }
        }
    }
}
