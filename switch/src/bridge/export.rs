//! Exports the stations of a bridge as bytes, and imports them into another bridge.
//!
//! Each station takes [`RECORD_LEN`] bytes in host byte order: VLAN and address in eight, as in a
//! [`Key`]; the time when it was last seen in eight, all ones for a static entry; and its port
//! number in two. Stations of a port are adjacent, the one silent longest first.

use std::collections::HashMap;

use super::fdb::ExportedStation;
use super::key::Key;
use super::{Bridge, PortId, VlanLearning};
use crate::frame::{MacAddr, Timestamp, VlanId};

const RECORD_LEN: usize = 18;
/// In place of the time.
const STATIC: u64 = u64::MAX;

/// The bytes are not exported stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the table of stations is malformed")]
pub struct Malformed;

impl Bridge {
    /// Exports all stations with the times when they were last seen, for [`Bridge::import`]. Costs
    /// a fraction of what receiving a frame from each of them would.
    #[must_use]
    pub fn export(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.station_count() * RECORD_LEN);
        self.fdb.for_each(&self.ports, |station| {
            let seen = station.seen.map_or(STATIC, Timestamp::as_nanos);
            bytes.extend_from_slice(&station.key.bits().to_ne_bytes());
            bytes.extend_from_slice(&seen.to_ne_bytes());
            bytes.extend_from_slice(&station.port.0.to_ne_bytes());
        });
        bytes
    }

    /// Imports the stations that [`Bridge::export`] of another bridge returned; the time of both
    /// bridges must have the same origin. Generates no events. Stations of ports that do not exist
    /// here, and stations for which there is no room, are skipped. If learning is shared here and a
    /// station was known in several VLANs, the static entry or the one seen last is used. Returns
    /// how many stations were imported.
    ///
    /// # Errors
    /// If the bytes are malformed; nothing is imported then.
    pub fn import(&mut self, stations: &[u8]) -> Result<usize, Malformed> {
        let records = stations.chunks_exact(RECORD_LEN);
        if !records.remainder().is_empty() {
            return Err(Malformed);
        }
        let parsed = || records.clone().map(parse);
        if parsed().any(|station| station.is_none()) {
            return Err(Malformed);
        }
        let Self { fdb, ports, .. } = self;
        let is_shared = self.config.vlan_learning == VlanLearning::Shared;
        let in_vlan = |station: ExportedStation| station.key.vlan() != VlanId::NONE;
        let entered = if is_shared && parsed().flatten().any(in_vlan) {
            let here = parsed()
                .flatten()
                .filter(|station| ports.exists(station.port));
            let all = joined(here.collect()).into_iter();
            all.filter(|station| fdb.enter(ports, *station)).count()
        } else {
            let entered = parsed()
                .flatten()
                .filter(|station| ports.exists(station.port) && fdb.enter(ports, *station));
            entered.count()
        };
        Ok(entered)
    }
}

/// Merges the entries of a station in several VLANs into one; keeps the order.
fn joined(mut stations: Vec<ExportedStation>) -> Vec<ExportedStation> {
    let last = |seen: Option<Timestamp>| seen.map_or(STATIC, Timestamp::as_nanos);
    let mut heard: HashMap<MacAddr, (u64, u64)> = HashMap::new();
    for station in &stations {
        let this = (last(station.seen), station.key.bits());
        let best = heard.entry(station.key.mac()).or_insert(this);
        // Of several static entries the lowest VLAN wins, as when the setting is changed.
        let is_better = this.0 > best.0 || this.0 == best.0 && this.1 < best.1;
        if is_better {
            *best = this;
        }
    }
    stations.retain(|station| {
        let best = heard.get(&station.key.mac());
        best.is_some_and(|best| best.1 == station.key.bits())
    });
    stations
        .into_iter()
        .map(ExportedStation::without_vlan)
        .collect()
}

fn parse(record: &[u8]) -> Option<ExportedStation> {
    let (key, rest) = record.split_first_chunk()?;
    let (seen, rest) = rest.split_first_chunk()?;
    let port = rest.first_chunk()?;
    let key = Key::from_bits(u64::from_ne_bytes(*key));
    let mac: MacAddr = key.mac();
    if key != Key::new(key.vlan(), mac) || mac.is_multicast() || mac.is_zero() {
        return None;
    }
    let seen = u64::from_ne_bytes(*seen);
    Some(ExportedStation {
        key,
        port: PortId(u16::from_ne_bytes(*port)),
        seen: (seen != STATIC).then(|| Timestamp::from_nanos(seen)),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bridge::{BridgeConfig, Cursor, Station};

    fn frame(src: u64, vlan: Option<u16>) -> Vec<u8> {
        let mut frame = MacAddr::BROADCAST.0.to_vec();
        frame.extend(MacAddr::from_u64(src).0);
        if let Some(id) = vlan {
            frame.extend([0x81, 0]);
            frame.extend(id.to_be_bytes());
        }
        frame.extend([0x88, 0xb5]);
        frame
    }

    fn bridge(max_stations: usize) -> Bridge {
        bridge_that_learns(max_stations, VlanLearning::Independent)
    }

    fn bridge_that_learns(max_stations: usize, vlan_learning: VlanLearning) -> Bridge {
        let config = BridgeConfig {
            max_stations,
            vlan_learning,
            ..BridgeConfig::default()
        };
        let mut bridge = Bridge::with_seed(config, 1);
        for port in [1, 2, 7] {
            bridge.add_port_at(PortId(port)).unwrap();
        }
        bridge
    }

    fn listed(bridge: &Bridge, now: Timestamp) -> Vec<Station> {
        let mut stations = Vec::new();
        assert_eq!(
            bridge.stations(now, Cursor::default(), &mut stations, 10_000),
            None
        );
        stations.sort_by_key(|station| (station.vlan.get(), station.mac.0));
        stations
    }

    /// Three hundred stations seen one after the other on three ports; some have static entries or
    /// have moved.
    fn inhabited() -> (Bridge, Timestamp) {
        let mut bridge = bridge(1000);
        let mut now = Timestamp::ZERO;
        for number in 0..300_u64 {
            now = now + Duration::from_millis(700);
            let port = PortId(if number % 3 == 0 { 1 } else { 7 });
            let vlan = (number % 5 == 0).then_some(9);
            bridge.handle(now, port, &frame(0x0200_0000_0000 + number, vlan));
            bridge.handle(now, PortId(2), &frame(0x0200_0000_0000 + number / 2, None));
        }
        let fixed = MacAddr::from_u64(0x0200_0000_0003);
        bridge.add_static(VlanId::NONE, fixed, PortId(7)).unwrap();
        (bridge, now)
    }

    #[test]
    fn another_bridge_has_the_same_entries_which_age_out_at_the_same_times() {
        let (mut before, mut now) = inhabited();
        let mut after = bridge(1000);
        let entered = after.import(&before.export());
        assert_eq!(entered, Ok(before.station_count()));
        assert_eq!(listed(&after, now), listed(&before, now));
        while before.station_count() > 1 {
            now = now + Duration::from_secs(1);
            before.handle_timeout(now);
            after.handle_timeout(now);
            assert_eq!(listed(&after, now), listed(&before, now));
        }
        assert_eq!(after.next_timeout(), None, "the static entry stays");
        assert!(now > Timestamp::from_secs(300));
    }

    #[test]
    fn the_station_silent_longest_is_evicted_from_the_other_bridge_too() {
        let (before, now) = inhabited();
        let mut after = bridge(before.station_count());
        after.import(&before.export()).unwrap();
        let oldest = listed(&before, now);
        let oldest = oldest.iter().filter(|station| station.port == PortId(2));
        let oldest = oldest.max_by_key(|station| station.age).unwrap();
        after.handle(now, PortId(1), &frame(0x0400_0000_0000, None));
        let left = listed(&after, now);
        assert!(
            !left
                .iter()
                .any(|station| station.mac == oldest.mac && station.vlan == oldest.vlan)
        );
        assert_eq!(left.len(), before.station_count());
    }

    #[test]
    fn stations_without_room_or_port_are_skipped_and_malformed_bytes_refused() {
        let (before, now) = inhabited();
        let bytes = before.export();
        let mut small = bridge(10);
        small.import(&bytes).unwrap();
        let left = listed(&small, now);
        assert_eq!(left.len(), 10);
        assert!(left.iter().any(|station| station.age.is_none()));
        let mut other = Bridge::with_seed(BridgeConfig::default(), 2);
        other.add_port_at(PortId(7)).unwrap();
        let of_seven = listed(&before, now);
        let of_seven = of_seven.iter().filter(|station| station.port == PortId(7));
        assert_eq!(other.import(&bytes), Ok(of_seven.count()));
        assert_eq!(
            other.import(&bytes),
            Ok(0),
            "known stations keep their entries"
        );

        let mut shared = bridge_that_learns(1000, VlanLearning::Shared);
        shared.import(&bytes).unwrap();
        let left = listed(&shared, now);
        assert!(left.iter().all(|station| station.vlan == VlanId::NONE));
        for station in listed(&before, now) {
            let here = left.iter().find(|other| other.mac == station.mac).unwrap();
            assert!(here.age <= station.age, "the one seen last, or static");
        }

        for wrong in [&bytes[..17], &[0; 18], &[0xff; 18]] {
            assert_eq!(bridge(10).import(wrong), Err(Malformed));
        }
    }
}
