//! What the table stores for a key, in one word.

use crate::bridge::PortId;

/// Port, tick of the last refresh, place in the slab, and whether the entry is static.
///
/// Bits 0 to 24 hold the slab index, 25 to 36 the port, 37 whether it is static, 40 to 55 the
/// tick; bits 56 to 63 are left to the table. All that the hot path asks of a source, whether
/// it is known on this port in this tick, is then one masked comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value(u64);

const PORT_SHIFT: u32 = 25;
const STATIC: u64 = 1 << 37;
const TICK_SHIFT: u32 = 40;
const SLOT_MASK: u64 = (1 << PORT_SHIFT) - 1;
const PORT_MASK: u64 = 0xfff << PORT_SHIFT;
const TICK_MASK: u64 = 0xffff << TICK_SHIFT;

impl Value {
    /// The bits that a value uses.
    const MASK: u64 = (1 << 56) - 1;

    /// The value of which `bits` are the lower 56.
    #[inline]
    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits & Self::MASK)
    }

    /// The value as a number; its upper 8 bits are zero.
    #[inline]
    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    /// A dynamic entry, last refreshed in `tick`.
    pub(super) const fn dynamic(port: PortId, tick: u16, slot: u32) -> Self {
        Self(Self::fresh(port, tick) | slot as u64)
    }

    /// A static entry.
    pub(super) const fn fixed(port: PortId, slot: u32) -> Self {
        Self(STATIC | (port.0 as u64) << PORT_SHIFT | slot as u64)
    }

    const fn fresh(port: PortId, tick: u16) -> u64 {
        (port.0 as u64) << PORT_SHIFT | (tick as u64) << TICK_SHIFT
    }

    /// Whether this is a dynamic entry of `port` that was refreshed in `tick` already.
    #[inline]
    pub(super) const fn is_fresh(self, port: PortId, tick: u16) -> bool {
        self.0 & (STATIC | PORT_MASK | TICK_MASK) == Self::fresh(port, tick)
    }

    #[inline]
    pub(super) const fn is_static(self) -> bool {
        self.0 & STATIC != 0
    }

    #[inline]
    pub(super) const fn port(self) -> PortId {
        PortId(((self.0 & PORT_MASK) >> PORT_SHIFT) as u16)
    }

    #[inline]
    pub(super) const fn slot(self) -> u32 {
        (self.0 & SLOT_MASK) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_do_not_touch_each_other() {
        let value = Value::dynamic(PortId(4095), 0xffff, 0);
        assert_eq!((value.port(), value.slot()), (PortId(4095), 0));
        assert!(!value.is_static());
        assert!(value.is_fresh(PortId(4095), 0xffff));
        assert!(!value.is_fresh(PortId(4095), 0xfffe));
        assert!(!value.is_fresh(PortId(4094), 0xffff));
        let value = Value::fixed(PortId(1), 1 << 24);
        assert_eq!((value.port(), value.slot()), (PortId(1), 1 << 24));
        assert!(value.is_static());
        assert!(
            !value.is_fresh(PortId(1), 0),
            "a static entry is never refreshed"
        );
        assert_eq!(value.0 >> 56, 0);
    }
}
