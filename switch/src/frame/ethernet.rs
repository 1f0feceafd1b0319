//! Ethernet frames (IEEE 802.3-2022, 3.2), without preamble and frame check sequence.

use super::{MacAddr, VlanId};

/// Length of the untagged header: destination, source, EtherType or length.
pub const HEADER_LEN: usize = 14;

/// The two octets behind the addresses, or behind the last tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EtherType(pub u16);

impl EtherType {
    /// Internet Protocol version 4.
    pub const IPV4: Self = Self(0x0800);
    /// Internet Protocol version 6.
    pub const IPV6: Self = Self(0x86dd);
    /// A customer VLAN tag (C-TAG).
    pub const C_TAG: Self = Self(0x8100);
    /// A service VLAN tag (S-TAG).
    pub const S_TAG: Self = Self(0x88a8);

    /// Whether these octets begin a VLAN tag.
    #[must_use]
    #[inline]
    pub const fn is_tag(self) -> bool {
        matches!(self, Self::C_TAG | Self::S_TAG)
    }
}

/// A frame that is shorter than its own header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes is shorter than an Ethernet header of 14")]
pub struct Runt(pub usize);

/// A view of an Ethernet frame whose length was checked once.
#[derive(Clone, Copy, Debug)]
pub struct EthernetFrame<'a> {
    header: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> EthernetFrame<'a> {
    /// Views `bytes` as a frame, which has at least 14.
    #[inline]
    pub const fn new_checked(bytes: &'a [u8]) -> Result<Self, Runt> {
        match bytes.split_first_chunk() {
            Some((header, payload)) => Ok(Self { header, payload }),
            None => Err(Runt(bytes.len())),
        }
    }

    /// Where the frame goes.
    #[must_use]
    #[inline]
    pub const fn dst(&self) -> MacAddr {
        let [a, b, c, d, e, f, ..] = *self.header;
        MacAddr([a, b, c, d, e, f])
    }

    /// Where the frame comes from.
    #[must_use]
    #[inline]
    pub const fn src(&self) -> MacAddr {
        let [_, _, _, _, _, _, a, b, c, d, e, f, ..] = *self.header;
        MacAddr([a, b, c, d, e, f])
    }

    /// The two octets behind the addresses: a tag's TPID if there is one.
    #[must_use]
    #[inline]
    pub const fn outer_type(&self) -> EtherType {
        EtherType(u16::from_be_bytes([self.header[12], self.header[13]]))
    }

    /// The VLAN of the outermost tag of either kind; [`VlanId::NONE`] where there is none,
    /// where it is a priority tag, and where the tag is cut off.
    #[must_use]
    #[inline]
    pub const fn vlan(&self) -> VlanId {
        if !self.outer_type().is_tag() {
            return VlanId::NONE;
        }
        match self.payload {
            [high, low, ..] => VlanId::from_tci(u16::from_be_bytes([*high, *low])),
            _ => VlanId::NONE,
        }
    }

    /// All that follows the first 14 bytes.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The innermost EtherType (or length) behind any stack of tags, and the offset in the
    /// frame of what follows it; `None` where the frame ends inside the tags.
    #[must_use]
    pub fn network(&self) -> Option<(EtherType, usize)> {
        let mut ethertype = self.outer_type();
        let mut rest = self.payload;
        while ethertype.is_tag() {
            let ([_, _, high, low], behind) = rest.split_first_chunk()?;
            ethertype = EtherType(u16::from_be_bytes([*high, *low]));
            rest = behind;
        }
        Some((ethertype, HEADER_LEN + self.payload.len() - rest.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(behind_addresses: &[u8]) -> Vec<u8> {
        [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], behind_addresses].concat()
    }

    #[test]
    fn a_runt_is_refused_and_a_bare_header_is_not() {
        assert_eq!(
            EthernetFrame::new_checked(&[0; 13]).map(|_| ()),
            Err(Runt(13))
        );
        let bytes = frame(&[8, 0]);
        let view = EthernetFrame::new_checked(&bytes).unwrap();
        assert_eq!(view.dst().to_string(), "02:00:00:00:00:01");
        assert_eq!(view.src().to_string(), "02:00:00:00:00:02");
        assert_eq!(view.outer_type(), EtherType::IPV4);
        assert_eq!(view.vlan(), VlanId::NONE);
    }

    #[test]
    fn the_vlan_is_that_of_the_outermost_tag() {
        let bytes = frame(&[0x88, 0xa8, 0x20, 100, 0x81, 0, 0, 7, 0x86, 0xdd, 0x60]);
        let view = EthernetFrame::new_checked(&bytes).unwrap();
        assert_eq!(view.vlan().get(), 100);
        assert_eq!(view.network(), Some((EtherType::IPV6, 22)));
    }

    #[test]
    fn a_tag_that_is_cut_off_has_no_vlan_and_no_network_header() {
        for cut in [&[0x81, 0][..], &[0x81, 0, 1], &[0x81, 0, 0, 1, 8]] {
            let bytes = frame(cut);
            let view = EthernetFrame::new_checked(&bytes).unwrap();
            assert_eq!(view.network(), None, "{cut:?}");
        }
    }
}
