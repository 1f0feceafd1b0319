//! The frames that hosts send: of every kind, each with its own number.

use rand::prelude::*;
use vswitch_switch::frame::MacAddr;

/// The number's distance from the end of a frame.
const NUMBER_LEN: usize = 8;

/// A station's address: unicast, locally administered.
pub(crate) fn station(number: usize) -> MacAddr {
    MacAddr::from_u64(0x0200_0000_0000 | number as u64)
}

/// The kind of destination or source of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To the host of that number.
    Unicast(usize),
    /// To a station that does not exist.
    Nobody,
    /// To all hosts.
    Group,
    /// To an address that bridges do not forward.
    Reserved,
    /// From an address that no station can have.
    BadSource,
}

impl Kind {
    /// Any kind, towards one of `hosts` hosts.
    pub(crate) fn any(random: &mut StdRng, hosts: usize) -> Self {
        match random.random_range(0..20) {
            0..12 => Self::Unicast(random.random_range(0..hosts)),
            12 => Self::Nobody,
            13..17 => Self::Group,
            17..19 => Self::Reserved,
            _ => Self::BadSource,
        }
    }
}

/// A frame of that kind from host `sender`, with the given number, of random length and tags.
pub(crate) fn frame(random: &mut StdRng, kind: Kind, sender: usize, number: u64) -> Vec<u8> {
    let dst = match kind {
        Kind::Unicast(host) => station(host),
        Kind::Nobody | Kind::BadSource => station(999_999),
        Kind::Group if random.random() => MacAddr::BROADCAST,
        Kind::Group => MacAddr([0x33, 0x33, 0, 0, 0, random.random()]),
        Kind::Reserved => MacAddr([1, 0x80, 0xc2, 0, 0, random.random_range(0..16)]),
    };
    let src = match kind {
        Kind::BadSource if random.random() => MacAddr::ZERO,
        Kind::BadSource => MacAddr([0x01, 0, 0, 0, 0, random.random()]),
        _ => station(sender),
    };
    let mut bytes = [dst.0, src.0].concat();
    for _ in 0..random.random_range(0..3_u8) {
        let tpid: u16 = if random.random() { 0x8100 } else { 0x88a8 };
        bytes.extend(tpid.to_be_bytes());
        // Few VLANs, so that stations are known in some and not in others.
        bytes.extend([random.random_range(0..2) << 5, random.random_range(0..3)]);
    }
    bytes.extend([0x88, 0xb5]);
    let padding = random.random_range(0..64);
    bytes.extend((0..padding).map(|_| random.random::<u8>()));
    bytes.extend(number.to_be_bytes());
    bytes
}

/// The number of a frame made by [`frame`].
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    let (_, number) = bytes.split_last_chunk::<NUMBER_LEN>()?;
    Some(u64::from_be_bytes(*number))
}
