//! Ingress checks (IEEE 802.1Q-2022, 8.6.1 to 8.6.3).

use super::key::{Address, Key};
use super::watch::{Part, Watcher};
use super::{BridgeConfig, DropReason, VlanLearning};
use crate::frame::{EtherType, HEADER_LEN, VlanId};

/// The keys of a frame that was admitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    /// The source; [`Key::NOBODY`] for a frame to the probe group, from which nothing is learnt.
    pub(super) src: Key,
    /// The destination; [`Key::NOBODY`] for a group, which is flooded.
    pub(super) dst: Key,
}

// Tag protocol identifiers in memory order.
const C_TAG: u16 = u16::from_ne_bytes(EtherType::C_TAG.0.to_be_bytes());
const S_TAG: u16 = u16::from_ne_bytes(EtherType::S_TAG.0.to_be_bytes());

/// Checks the length, the source and the destination of a frame.
#[inline]
pub(super) fn admit(
    bytes: &[u8],
    config: &BridgeConfig,
    watcher: &mut impl Watcher,
) -> Result<Admitted, DropReason> {
    let Some((header, behind)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Err(DropReason::Runt);
    };
    // This runs for every frame, so each address is read as one word, together with two octets
    // of the other.
    let [front @ .., _, _, _, _, _, _] = *header;
    let [_, _, _, _, back @ .., high, low] = *header;
    let (dst, src) = (Address::first_of(front), Address::last_of(back));
    watcher.reads(Part::Source);
    if src.is_multicast() {
        return Err(DropReason::SourceMulticast);
    }
    if src.is_zero() {
        return Err(DropReason::SourceZero);
    }
    watcher.reads(Part::Destination);
    let vlan = if config.vlan_learning == VlanLearning::Independent {
        watcher.reads(Part::OuterTag);
        classify(u16::from_ne_bytes([high, low]), behind)
    } else {
        VlanId::NONE
    };
    let dst = if !dst.is_multicast() {
        Key::of_address(vlan, dst)
    } else if dst.is_special_group() {
        if dst.is_probe_group() {
            // Nothing is learnt from such a frame, and its payload is examined.
            watcher.reads(Part::Payload);
            return Ok(Admitted {
                src: Key::NOBODY,
                dst: Key::NOBODY,
            });
        }
        if !config.forward_reserved {
            return Err(DropReason::ReservedDestination);
        }
        Key::NOBODY
    } else {
        Key::NOBODY
    };
    let src = Key::of_address(vlan, src);
    Ok(Admitted { src, dst })
}

/// The VLAN of the outer tag.
#[inline]
fn classify(outer: u16, behind: &[u8]) -> VlanId {
    if outer != C_TAG && outer != S_TAG {
        return VlanId::NONE;
    }
    behind.first_chunk().map_or(VlanId::NONE, |tci| {
        VlanId::from_tci(u16::from_be_bytes(*tci))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::MacAddr;

    const STATION: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];
    const RESERVED: [u8; 6] = [1, 0x80, 0xc2, 0, 0, 0xf];

    fn config(vlan_learning: VlanLearning) -> BridgeConfig {
        BridgeConfig {
            vlan_learning,
            ..BridgeConfig::default()
        }
    }

    fn check(dst: [u8; 6], src: [u8; 6], rest: &[u8]) -> Result<Admitted, DropReason> {
        admit(
            &[&dst, &src, rest].concat(),
            &config(VlanLearning::Independent),
            &mut (),
        )
    }

    #[test]
    fn bad_sources_are_refused() {
        let multicast = Err(DropReason::SourceMulticast);
        let zero = Err(DropReason::SourceZero);
        for (src, expected) in [
            (MacAddr::BROADCAST.0, multicast),
            ([3, 0, 0, 0, 0, 1], multicast),
            ([0; 6], zero),
        ] {
            assert_eq!(check(OTHER, src, &[8, 0]).map(|_| ()), expected);
        }
        assert!(check(OTHER, STATION, &[8, 0]).is_ok());
        assert_eq!(check(OTHER, STATION, &[8]).err(), Some(DropReason::Runt));
    }

    #[test]
    fn reserved_destinations_are_refused_tagged_or_not_unless_wanted() {
        for rest in [&[0x88, 0xcc][..], &[0x81, 0, 0, 5, 0x88, 0xcc]] {
            let refused = check(RESERVED, STATION, rest).err();
            assert_eq!(refused, Some(DropReason::ReservedDestination));
            let frame = [&RESERVED, &STATION, rest].concat();
            let config = BridgeConfig {
                forward_reserved: true,
                ..BridgeConfig::default()
            };
            let admitted = admit(&frame, &config, &mut ()).unwrap();
            assert_eq!(admitted.dst, Key::NOBODY, "flooded as any group");
        }
    }

    #[test]
    fn both_keys_carry_the_vlan_of_the_outer_tag() {
        let admitted = check(OTHER, STATION, &[0x88, 0xa8, 0xe0, 7, 0x81, 0, 0, 9]).unwrap();
        assert_eq!(admitted.src.vlan().get(), 7);
        assert_eq!(admitted.src.mac(), MacAddr(STATION));
        assert_eq!(admitted.dst.vlan().get(), 7);
        assert_eq!(admitted.dst.mac(), MacAddr(OTHER));
    }

    #[test]
    fn neither_key_carries_a_vlan_where_learning_is_shared() {
        let config = config(VlanLearning::Shared);
        for tag in [&[0x81, 0, 0, 7][..], &[0x88, 0xa8, 0xe0, 7], &[]] {
            let frame = [&OTHER, &STATION, tag, &[8, 0]].concat();
            let admitted = admit(&frame, &config, &mut ()).unwrap();
            let expected = [STATION, OTHER].map(|mac| Key::new(VlanId::NONE, MacAddr(mac)));
            assert_eq!([admitted.src, admitted.dst], expected);
        }
    }
}
