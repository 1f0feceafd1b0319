//! The Internet checksum (RFC 1071) and SCTP's CRC-32C (RFC 9260, appendix A), and how they are
//! completed in frames whose sender left them unfinished.

use super::layout::{self, IpVersion, PROTOCOL_SCTP};
use crate::frame::Offload;

/// Offset of SCTP's checksum in its header.
const SCTP_CHECKSUM_AT: usize = 8;

/// A one's complement sum in progress. It is kept in host byte order, which does not affect the sum
/// (RFC 1071, 2 (B)): only the result is converted to bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum(u64);

impl Sum {
    /// Adds `bytes`, which begin at an even offset of the summed data. If their number is odd, they
    /// must be the end of the data, and a zero is appended.
    ///
    /// Each step adds two 32-bit words, so that no carry is lost before 16 GiB.
    #[inline]
    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        let mut sum = self.0;
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            let word = u64::from_ne_bytes(*word);
            sum += (word & 0xffff_ffff) + (word >> 32);
        }
        let (pairs, odd) = rest.as_chunks::<2>();
        for pair in pairs {
            sum += u64::from(u16::from_ne_bytes(*pair));
        }
        if let [last] = odd {
            sum += u64::from(u16::from_ne_bytes([*last, 0]));
        }
        Self(sum)
    }

    /// Adds a 32-bit number in wire order.
    #[inline]
    pub(super) fn number(self, number: u32) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// Adds the pseudo-header of a packet of `version` whose IP header begins `ip`, with
    /// `len` bytes of `protocol` (RFC 9293, 3.1; RFC 8200, 8.1). Addresses that are cut off
    /// are left out.
    pub(super) fn pseudo_header(
        self,
        version: IpVersion,
        ip: &[u8],
        protocol: u8,
        len: u32,
    ) -> Self {
        let addresses = match version {
            IpVersion::V4 => ip.get(12..20),
            IpVersion::V6 => ip.get(8..40),
        };
        self.bytes(addresses.unwrap_or_default())
            .number(u32::from(protocol))
            .number(len)
    }

    /// Returns the checksum to store: the sum's complement.
    #[inline]
    pub(super) const fn finish(self) -> [u8; 2] {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        // The loop left sixteen bits.
        #[expect(clippy::cast_possible_truncation)]
        (!(sum as u16)).to_ne_bytes()
    }

    /// As [`Sum::finish`], but never zero, which means "no checksum" in UDP; the other one's
    /// complement zero is used instead (RFC 768).
    #[inline]
    pub(super) const fn finish_nonzero(self) -> [u8; 2] {
        match self.finish() {
            [0, 0] => [0xff, 0xff],
            bytes => bytes,
        }
    }
}

/// The checksum field lies outside the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfRange;

/// Fills in the checksum that `offload` describes. Its field holds the sum of the
/// pseudo-header; SCTP's has none.
pub(super) fn complete(frame: &mut [u8], offload: &Offload) -> Result<(), OutOfRange> {
    if is_sctp(frame, offload) {
        return complete_crc32c(frame, usize::from(offload.csum_start));
    }
    let start = usize::from(offload.csum_start);
    let at = start + usize::from(offload.csum_offset);
    let covered = frame.get(start..).ok_or(OutOfRange)?;
    if at + 2 > frame.len() {
        return Err(OutOfRange);
    }
    // Only UDP distinguishes the two zeros.
    let checksum = Sum::default().bytes(covered).finish_nonzero();
    frame[at..at + 2].copy_from_slice(&checksum);
    Ok(())
}

/// Completes SCTP's CRC-32C in place and clears the note of it in `offload`; leaves every other
/// frame unchanged.
///
/// The virtio header cannot express which kind of checksum is unfinished (the kernel's
/// `csum_not_inet`): without this, the next physical network card would write an Internet checksum
/// into the frame, and the SCTP receiver would drop it.
#[inline]
pub(crate) fn complete_sctp(frame: &mut [u8], offload: &mut Offload) {
    if offload.needs_checksum()
        && usize::from(offload.csum_offset) == SCTP_CHECKSUM_AT
        && is_sctp(frame, offload)
        && complete_crc32c(frame, usize::from(offload.csum_start)).is_ok()
    {
        offload.flags &= !Offload::NEEDS_CSUM;
        offload.csum_start = 0;
        offload.csum_offset = 0;
    }
}

/// Reports whether the unfinished checksum is that of an SCTP packet.
fn is_sctp(frame: &[u8], offload: &Offload) -> bool {
    usize::from(offload.csum_offset) == SCTP_CHECKSUM_AT
        && layout::locate(frame).is_some_and(|headers| {
            headers.protocol == PROTOCOL_SCTP
                && headers.transport == usize::from(offload.csum_start)
        })
}

fn complete_crc32c(frame: &mut [u8], start: usize) -> Result<(), OutOfRange> {
    let packet = frame.get_mut(start..).ok_or(OutOfRange)?;
    let (before, rest) = packet
        .split_first_chunk_mut::<SCTP_CHECKSUM_AT>()
        .ok_or(OutOfRange)?;
    let (field, behind) = rest.split_first_chunk_mut::<4>().ok_or(OutOfRange)?;
    let crc = crc32c::crc32c(before);
    let crc = crc32c::crc32c_append(crc, &[0; 4]);
    *field = crc32c::crc32c_append(crc, behind).to_le_bytes();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1071 literally: 16 bits at a time, in network byte order.
    fn naive(bytes: &[u8]) -> [u8; 2] {
        let mut sum = 0_u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        (!u16::try_from(sum).unwrap()).to_be_bytes()
    }

    #[test]
    fn the_example_of_rfc_1071() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::default().bytes(&bytes).finish(), [!0xdd, !0xf2]);
    }

    #[test]
    fn a_zero_checksum_is_stored_as_its_complement() {
        assert_eq!(Sum::default().bytes(&[0xff, 0xff]).finish(), [0, 0]);
        assert_eq!(
            Sum::default().bytes(&[0xff, 0xff]).finish_nonzero(),
            [0xff, 0xff]
        );
    }

    #[test]
    fn a_checksum_beyond_the_frame_is_refused() {
        for (csum_start, csum_offset) in [(60, 0), (59, 0), (0, 59), (u16::MAX, u16::MAX), (61, 0)]
        {
            let offload = Offload {
                flags: Offload::NEEDS_CSUM,
                csum_start,
                csum_offset,
                ..Offload::NONE
            };
            assert_eq!(complete(&mut [0; 60], &offload), Err(OutOfRange));
        }
    }

    #[test]
    fn an_sctp_packet_gets_its_crc_and_no_other_does() {
        // IPv4 with protocol 132, then a common header and one chunk of "abc".
        let mut frame = vec![2; 12];
        frame.extend([8, 0, 0x45, 0, 0, 35, 0, 0, 0, 0, 64, 132, 0, 0]);
        frame.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend([
            0, 7, 0, 7, 1, 2, 3, 4, 0xde, 0xad, 0xbe, 0xef, b'a', b'b', b'c',
        ]);
        let offload = Offload {
            flags: Offload::NEEDS_CSUM,
            csum_start: 34,
            csum_offset: 8,
            ..Offload::NONE
        };
        let mut udp = frame.clone();
        udp[23] = 17;
        let (mut before, mut left) = (udp.clone(), offload);
        complete_sctp(&mut before, &mut left);
        assert_eq!((before, left), (udp, offload), "not SCTP: left alone");

        let mut done = offload;
        complete_sctp(&mut frame, &mut done);
        assert_eq!(done, Offload::NONE);
        let crc = crc32c::crc32c(&[0, 7, 0, 7, 1, 2, 3, 4, 0, 0, 0, 0, b'a', b'b', b'c']);
        assert_eq!(frame[42..46], crc.to_le_bytes());
    }

    proptest! {
        #[test]
        fn the_fast_sum_is_the_naive_one(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(Sum::default().bytes(&bytes).finish(), naive(&bytes));
        }

        #[test]
        fn no_offload_header_makes_it_panic(
            mut frame in prop::collection::vec(any::<u8>(), 0..100),
            header in any::<[u8; Offload::LEN]>(),
        ) {
            let mut offload = Offload::from_bytes(header);
            let _ = complete(&mut frame, &offload);
            complete_sctp(&mut frame, &mut offload);
        }
    }
}
