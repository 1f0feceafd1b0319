//! Eviction from a full table.

use proptest::prelude::*;
use vswitch_switch::Timestamp;
use vswitch_switch::bridge::{BridgeConfig, Cursor, PortId, PortLimits};

use crate::{BROADCAST, Lab, frame, mac};

/// Returns how many stations are known on each port.
fn held(lab: &Lab, ports: u16) -> Vec<usize> {
    let mut stations = Vec::new();
    let end = lab
        .bridge
        .stations(Timestamp::ZERO, Cursor::default(), &mut stations, 10_000);
    assert_eq!(end, None);
    let behind = |port| {
        stations
            .iter()
            .filter(|station| station.port == PortId(port))
            .count()
    };
    (1..=ports).map(behind).collect()
}

proptest! {
    /// A port that floods the table with addresses takes no entries from a port that holds at most
    /// an equal share, and from a port that holds more only those that exceed the flooding port's
    /// own.
    #[test]
    fn a_flooding_port_takes_only_what_is_more_than_a_share(
        max_stations in 1..64_usize,
        before in prop::collection::vec((1..=5_u16, 0..40_u32), 0..80),
        flooding in 1..=5_u16,
        flood in 1..200_u32,
    ) {
        let config = BridgeConfig {
            max_stations,
            port_limits: PortLimits::NONE,
            ..BridgeConfig::default()
        };
        let mut lab = Lab::new(config, 5);
        for (port, station) in before {
            lab.send(port, &frame(BROADCAST, mac(u32::from(port) << 8 | station), 0));
        }
        let first = held(&lab, 5);
        for station in 0..flood {
            lab.send(flooding, &frame(BROADCAST, mac(0x10_0000 + station), 0));
        }
        let after = held(&lab, 5);
        let floods = after[usize::from(flooding) - 1];
        for port in 1..=5_u16 {
            let (had, has) = (first[usize::from(port) - 1], after[usize::from(port) - 1]);
            if port == flooding {
                prop_assert!(has >= had);
            } else {
                prop_assert!(has == had || has + 1 >= floods, "{first:?} -> {after:?}");
                prop_assert!(has >= had.min(max_stations / 5), "{first:?} -> {after:?}");
            }
        }
    }
}
