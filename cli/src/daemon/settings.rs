//! Settings that can be changed while the switch runs.

use std::time::Duration;

use ipnet::IpNet;
use vswitch_switch::BridgeConfig;
use vswitch_switch::port::PacketOptions;

use super::lab::LabError;
use crate::protocol::SetParams;
use crate::values;

/// The longest ageing, in seconds, as `run` takes it.
const MAX_AGEING_S: u32 = 1_000_000;

/// `config` with what `params` changes of it.
///
/// # Errors
/// [`LabError::Value`] where a setting is out of its range.
pub(super) fn changed(
    mut config: BridgeConfig,
    params: &SetParams,
) -> Result<BridgeConfig, LabError> {
    if let Some(ageing) = params.ageing_s {
        if !(1..=MAX_AGEING_S).contains(&ageing) {
            return Err(LabError::Value(format!(
                "{ageing} seconds cannot be the ageing: choose 1 to {MAX_AGEING_S}"
            )));
        }
        config.ageing = Duration::from_secs(ageing.into());
    }
    if let Some(max_macs) = params.max_macs {
        let most = BridgeConfig::MAX_STATIONS_LIMIT;
        config.max_stations = usize::try_from(max_macs)
            .ok()
            .filter(|wanted| (1..=most).contains(wanted))
            .ok_or_else(|| {
                LabError::Value(format!(
                    "a table of {max_macs} stations cannot be had: choose 1 to {most}"
                ))
            })?;
    }
    if let Some(forward) = params.forward_reserved {
        config.forward_reserved = forward;
    }
    if let Some(learning) = params.vlan_learning {
        config.vlan_learning = learning;
    }
    if let Some(protection) = params.protection {
        protection.apply(&mut config);
    }
    Ok(config)
}

/// Slots in the rings of ports to come: `wanted`, of which 0 is a number by that of the ports, or as
/// it is.
///
/// # Errors
/// [`LabError::Value`] where no ring has so many.
pub(super) fn ring_slots(wanted: Option<u32>, now: Option<u32>) -> Result<Option<u32>, LabError> {
    match wanted {
        None => Ok(now),
        Some(0) => Ok(None),
        Some(slots) if PacketOptions::RING_SLOTS.contains(&slots) => Ok(Some(slots)),
        Some(slots) => Err(LabError::Value(format!(
            "a receive ring of {slots} slots cannot be had: choose {} to {}",
            PacketOptions::RING_SLOTS.start(),
            PacketOptions::RING_SLOTS.end()
        ))),
    }
}

/// The subnet of this text; none if it is empty.
///
/// # Errors
/// [`LabError::Value`] where it is none that hosts can share.
pub(super) fn subnet(text: &str) -> Result<Option<IpNet>, LabError> {
    if text.is_empty() {
        return Ok(None);
    }
    values::subnet(text).map(Some).map_err(LabError::Value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_changes_and_only_within_its_range() {
        let before = BridgeConfig::default();
        assert_eq!(changed(before, &SetParams::default()).unwrap(), before);
        let params = SetParams {
            ageing_s: Some(10),
            forward_reserved: Some(true),
            ..SetParams::default()
        };
        let after = changed(before, &params).unwrap();
        assert_eq!(after.ageing, Duration::from_secs(10));
        assert!(after.forward_reserved);
        assert_eq!(after.max_stations, before.max_stations);
        for wrong in [
            SetParams {
                ageing_s: Some(0),
                ..SetParams::default()
            },
            SetParams {
                max_macs: Some(0),
                ..SetParams::default()
            },
            SetParams {
                max_macs: Some(u32::MAX),
                ..SetParams::default()
            },
        ] {
            assert!(changed(before, &wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(ring_slots(None, Some(256)).unwrap(), Some(256));
        assert_eq!(ring_slots(Some(0), Some(256)).unwrap(), None);
        assert_eq!(ring_slots(Some(4096), None).unwrap(), Some(4096));
        assert!(ring_slots(Some(127), None).is_err());
        assert!(ring_slots(Some(65_537), None).is_err());
        assert_eq!(subnet("").unwrap(), None);
        assert!(subnet("10.0.0.1/24").is_err());
    }
}
