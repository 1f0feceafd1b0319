//! What the table stores for a key, in one word.

use crate::bridge::PortId;

/// Port, tick of the last refresh, place in the slab, and whether the entry is static.
///
/// Bits 0 to 15 hold the port, 16 to 31 the tick, 32 to 54 the slab index, 63 whether it is static;
/// bits 55 to 62 belong to the table. So the hot path checks a source (seen on this port in this
/// tick) by one comparison of the lower half, and reads a destination from the lowest bits and the
/// sign.
///
/// Port numbers begin at 1, so no value is zero.
#[derive(Clone, Copy, Debug)]
pub(in crate::bridge) struct Value(u64);

const TICK_SHIFT: u32 = 16;
const SLOT_SHIFT: u32 = 32;
const SLOT_MASK: u64 = (1 << 23) - 1;
const STATIC: u64 = 1 << 63;

/// The lower half of the value of a station that was seen on a port in a tick.
#[derive(Clone, Copy, Debug)]
pub(in crate::bridge) struct Heard(u32);

impl Heard {
    /// On `port` in `tick`.
    #[inline]
    pub(super) const fn new(port: PortId, tick: u16) -> Self {
        Self((tick as u32) << TICK_SHIFT | port.0 as u32)
    }

    /// The port.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    pub(in crate::bridge) const fn port(self) -> PortId {
        PortId(self.0 as u16)
    }
}

impl Value {
    /// The bits that the table may use.
    pub(super) const SPARE: u64 = 0xff << 55;

    /// The value in `bits`, of which the spare ones are ignored; `None` if there is none.
    #[inline]
    pub(super) const fn from_bits(bits: u64) -> Option<Self> {
        let value = Self(bits);
        if value.port().0 == 0 {
            None
        } else {
            Some(value)
        }
    }

    /// The value as a number; its spare bits are zero.
    #[inline]
    pub(super) const fn bits(self) -> u64 {
        self.0 & !Self::SPARE
    }

    /// A dynamic entry.
    pub(in crate::bridge) const fn dynamic(heard: Heard, slot: u32) -> Self {
        Self((slot as u64) << SLOT_SHIFT | heard.0 as u64)
    }

    /// A static entry.
    pub(super) const fn fixed(port: PortId, slot: u32) -> Self {
        Self(STATIC | (slot as u64) << SLOT_SHIFT | port.0 as u64)
    }

    /// Reports that there is nothing to learn from a frame of this station seen now as `heard`.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    pub(super) const fn is_fresh(self, heard: Heard) -> bool {
        self.0 as u32 == heard.0
    }

    #[inline]
    pub(in crate::bridge) const fn is_static(self) -> bool {
        self.0 & STATIC != 0
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are meant")]
    pub(in crate::bridge) const fn port(self) -> PortId {
        PortId(self.0 as u16)
    }

    #[inline]
    pub(super) const fn slot(self) -> u32 {
        (self.0 >> SLOT_SHIFT & SLOT_MASK) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::BridgeConfig;

    #[test]
    fn the_fields_do_not_overlap() {
        let heard = Heard::new(PortId::MAX, 0xffff);
        assert_eq!(heard.port(), PortId::MAX);
        let value = Value::dynamic(heard, 0);
        assert_eq!((value.port(), value.slot()), (PortId::MAX, 0));
        assert!(!value.is_static());
        assert!(value.is_fresh(heard));
        assert!(!value.is_fresh(Heard::new(PortId::MAX, 0xfffe)));
        assert!(!value.is_fresh(Heard::new(PortId(4094), 0xffff)));
        let slot = u32::try_from(BridgeConfig::MAX_STATIONS_LIMIT).unwrap();
        let value = Value::fixed(PortId(1), slot);
        assert_eq!((value.port(), value.slot()), (PortId(1), slot));
        assert!(value.is_static());
        assert_eq!(value.bits() & Value::SPARE, 0);
        let with_spare = Value::from_bits(value.bits() | Value::SPARE).unwrap();
        assert_eq!((with_spare.port(), with_spare.slot()), (PortId(1), slot));
        assert_eq!(with_spare.bits(), value.bits());
        assert!(Value::from_bits(Value::SPARE).is_none());
    }
}
