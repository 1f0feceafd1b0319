//! What may enter (IEEE 802.1Q-2022, 8.6.1 to 8.6.3).

use super::DropReason;
use super::key::Key;
use crate::wire::{EtherType, HEADER_LEN, MacAddr, VlanId};

/// The addresses of a frame that passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    /// From whom.
    pub(super) src: Key,
    /// To whom; `None` for a group, which is flooded.
    pub(super) dst: Option<Key>,
}

/// Checks a frame: its length, its source, its destination.
#[inline]
pub(super) fn admit(bytes: &[u8], forward_reserved: bool) -> Result<Admitted, DropReason> {
    let Some((header, behind)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Err(DropReason::Runt);
    };
    // This runs for every frame, so each address is read as one word, together with the two
    // octets behind it: with the destination the beginning of the source, with the source the
    // EtherType.
    let (Some(front), Some(back)) = (header.first_chunk(), header.last_chunk()) else {
        return Err(DropReason::Runt);
    };
    let dst = MacAddr::from_u64(u64::from_be_bytes(*front) >> 16);
    let src_and_type = u64::from_be_bytes(*back);
    let src = MacAddr::from_u64(src_and_type >> 16);
    let outer_type = EtherType((src_and_type & 0xffff) as u16);
    if src.is_multicast() {
        return Err(DropReason::SourceMulticast);
    }
    if src.is_zero() {
        return Err(DropReason::SourceZero);
    }
    if dst.is_reserved() && !forward_reserved {
        return Err(DropReason::ReservedDestination);
    }
    let vlan = match behind {
        [high, low, ..] if outer_type.is_tag() => {
            VlanId::from_tci(u16::from_be_bytes([*high, *low]))
        }
        _ => VlanId::NONE,
    };
    Ok(Admitted {
        src: Key::new(vlan, src),
        dst: (!dst.is_multicast()).then(|| Key::new(vlan, dst)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATION: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];
    const RESERVED: [u8; 6] = [1, 0x80, 0xc2, 0, 0, 0xf];

    fn check(dst: [u8; 6], src: [u8; 6], rest: &[u8]) -> Result<Admitted, DropReason> {
        admit(&[&dst, &src, rest].concat(), false)
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
            let admitted = admit(&frame, true).unwrap();
            assert_eq!(admitted.dst, None, "flooded as any group");
        }
    }

    #[test]
    fn both_keys_carry_the_vlan_of_the_outer_tag() {
        let admitted = check(OTHER, STATION, &[0x88, 0xa8, 0xe0, 7, 0x81, 0, 0, 9]).unwrap();
        assert_eq!(admitted.src.vlan().get(), 7);
        assert_eq!(admitted.src.mac(), MacAddr(STATION));
        assert_eq!(admitted.dst.map(|dst| dst.vlan().get()), Some(7));
        assert_eq!(admitted.dst.map(Key::mac), Some(MacAddr(OTHER)));
    }
}
