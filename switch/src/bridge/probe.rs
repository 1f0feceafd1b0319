//! Loop probes: frames that the switch itself sends.
//!
//! A probe is sent to a group address that bridges forward like any other group, so a loop that
//! floods broadcasts also floods the probe. Hosts do not subscribe to the group. The protocol is
//! not registered: its EtherType is the one that IEEE 802-2014, 9.2.4, reserves for local
//! experiments. A probe carries the tags of the frame that raised the suspicion, because a bridge
//! outside may connect two ports in one VLAN only.

use arrayvec::ArrayVec;

use super::PortId;
use crate::frame::{EtherType, HEADER_LEN, MacAddr};

/// The destination of probes: a locally administered group outside the block of reserved addresses.
pub(super) const GROUP: MacAddr = MacAddr([0x03, b'v', b's', b'w', b'l', b'p']);

const ADDRESSES_LEN: usize = 12;
const TAG_LEN: usize = 4;
const MAX_TAGS: usize = 2;
/// The shortest frame without its checksum (IEEE 802.3-2022, 4.4.2).
const MIN_FRAME: usize = 60;
const MAX_LEN: usize = MIN_FRAME + MAX_TAGS * TAG_LEN;
/// The first of the two values for local experiments.
const ETHER_TYPE: [u8; 2] = [0x88, 0xb5];
/// The beginning of a probe, version included.
const MAGIC: [u8; 8] = *b"vswloop\x01";
/// The length of the rest: purpose, port, bridge, nonce.
const BODY_LEN: usize = 20;

/// Why a probe was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Purpose {
    /// To check whether there is a loop.
    Suspicion = 1,
    /// Out of a blocked port, to check whether the loop still exists.
    Watch = 2,
}

/// The content of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) purpose: Purpose,
    /// The port out of which it was sent.
    pub(super) port: PortId,
    /// The bridge that sent it.
    pub(super) bridge: u64,
    /// An unpredictable number.
    pub(super) nonce: u64,
}

/// Up to two VLAN tags of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tags {
    bytes: [u8; MAX_TAGS * TAG_LEN],
    len: usize,
}

/// A frame that the bridge itself must send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopProbe {
    port: PortId,
    frame: ArrayVec<u8, MAX_LEN>,
}

impl LoopProbe {
    /// Returns the port out of which to send it, whether forwarding or blocked.
    #[must_use]
    pub const fn port(&self) -> PortId {
        self.port
    }

    /// The whole frame.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }
}

fn is_tag(tpid: [u8; 2]) -> bool {
    let tpid = EtherType(u16::from_be_bytes(tpid));
    tpid == EtherType::C_TAG || tpid == EtherType::S_TAG
}

impl Tags {
    /// No tags.
    #[cfg(test)]
    pub(super) const NONE: Self = Self {
        bytes: [0; MAX_TAGS * TAG_LEN],
        len: 0,
    };

    /// The outer tags of a frame.
    pub(super) fn of(frame: &[u8]) -> Self {
        Self::read(frame.get(ADDRESSES_LEN..).unwrap_or_default())
    }

    /// Reads the tags at the beginning of `bytes`, up to two.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let tags = bytes.chunks_exact(TAG_LEN).take(MAX_TAGS);
        let mut all = Self::default();
        for tag in tags.take_while(|tag| is_tag([tag[0], tag[1]])) {
            all.bytes[all.len..all.len + TAG_LEN].copy_from_slice(tag);
            all.len += TAG_LEN;
        }
        all
    }

    /// Returns the tags as in a frame.
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Probe {
    /// Builds the frame, with these tags.
    pub(super) fn to_frame(self, tags: &Tags) -> LoopProbe {
        let [_, _, _, id @ ..] = self.bridge.to_be_bytes();
        let mut frame = ArrayVec::new();
        for part in [
            &GROUP.0[..],
            // A locally administered source address, constant per bridge: other switches learn one
            // station.
            &[0x0a],
            &id,
            tags.as_slice(),
            &ETHER_TYPE,
            &MAGIC,
            &(self.purpose as u16).to_be_bytes(),
            &self.port.0.to_be_bytes(),
            &self.bridge.to_be_bytes(),
            &self.nonce.to_be_bytes(),
        ] {
            // There is room for all of it.
            let _ = frame.try_extend_from_slice(part);
        }
        let padding = (MIN_FRAME + tags.len).saturating_sub(frame.len());
        frame.extend(std::iter::repeat_n(0, padding));
        LoopProbe {
            port: self.port,
            frame,
        }
    }

    /// Parses a frame to [`GROUP`], whatever its tags; `None` if it is not a probe.
    pub(super) fn parse(frame: &[u8]) -> Option<Self> {
        let tags = Tags::of(frame);
        let behind = frame.get(HEADER_LEN + tags.len..)?;
        let start = ADDRESSES_LEN + tags.len;
        if frame.get(..6)? != GROUP.0 || frame.get(start..start + 2)? != ETHER_TYPE {
            return None;
        }
        let (magic, behind) = behind.split_first_chunk()?;
        let body: &[u8; BODY_LEN] = behind.first_chunk()?;
        let [p0, p1, n0, n1, rest @ ..] = *body;
        let (bridge, nonce) = rest.split_first_chunk()?;
        let purpose = match u16::from_be_bytes([p0, p1]) {
            1 => Purpose::Suspicion,
            2 => Purpose::Watch,
            _ => return None,
        };
        (*magic == MAGIC).then_some(Self {
            purpose,
            port: PortId(u16::from_be_bytes([n0, n1])),
            bridge: u64::from_be_bytes(*bridge),
            nonce: u64::from_be_bytes(*nonce.first_chunk()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBE: Probe = Probe {
        purpose: Purpose::Watch,
        port: PortId(4095),
        bridge: 0x0123_4567_89ab_cdef,
        nonce: u64::MAX,
    };

    #[test]
    fn a_probe_is_read_as_it_was_written_whatever_its_tags() {
        let tags: [&[u8]; 4] = [
            &[],
            &[0x81, 0, 0xe0, 5],
            &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6],
            &[0x81, 0, 0, 1, 0x81, 0, 0, 2],
        ];
        for tags in tags {
            let suspicious = [&[0xff; 6], &[2, 0, 0, 0, 0, 1][..], tags, &[8, 0], &[9; 46]];
            let tags = Tags::of(&suspicious.concat());
            let sent = PROBE.to_frame(&tags);
            assert_eq!(sent.port(), PROBE.port);
            assert_eq!(sent.frame().len(), 60 + tags.len);
            assert_eq!(Tags::of(sent.frame()), tags);
            assert_eq!(Probe::parse(sent.frame()), Some(PROBE));
            assert_eq!(sent.frame()[6], 0x0a, "a locally administered address");
        }
    }

    #[test]
    fn a_truncated_or_altered_frame_is_not_a_probe() {
        let sent = PROBE.to_frame(&Tags::default());
        let frame = sent.frame();
        let used = HEADER_LEN + MAGIC.len() + BODY_LEN;
        for len in 0..used {
            assert_eq!(Probe::parse(&frame[..len]), None, "{len}");
        }
        assert!(Probe::parse(&frame[..used]).is_some());
        for position in (0..6).chain(12..24) {
            let mut changed = frame.to_vec();
            changed[position] ^= 0x40;
            assert_eq!(Probe::parse(&changed), None, "{position}");
        }
    }
}
