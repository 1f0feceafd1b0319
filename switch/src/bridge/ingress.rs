//! What may enter (IEEE 802.1Q-2022, 8.6.1 to 8.6.3).

use super::DropReason;
use super::key::Key;
use crate::wire::EthernetFrame;

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
    let Ok(frame) = EthernetFrame::new_checked(bytes) else {
        return Err(DropReason::Runt);
    };
    let (src, dst) = (frame.src(), frame.dst());
    if src.is_multicast() {
        return Err(DropReason::SourceMulticast);
    }
    if src.is_zero() {
        return Err(DropReason::SourceZero);
    }
    if dst.is_reserved() && !forward_reserved {
        return Err(DropReason::ReservedDestination);
    }
    let vlan = frame.vlan();
    Ok(Admitted {
        src: Key::new(vlan, src),
        dst: (!dst.is_multicast()).then(|| Key::new(vlan, dst)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MacAddr;

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
