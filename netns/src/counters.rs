//! Frame and byte counters of interfaces, per direction.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkMessage;

use crate::answer::attributes_of;
use crate::link::{Link, LinkError};
use crate::name::shown;
use crate::netlink::Netlink;

// From linux/if_link.h: the attribute, and the first members of its structure, in order.
const IFLA_STATS64: u16 = 23;
const RX_PACKETS: usize = 0;
const TX_PACKETS: usize = 1;
const RX_BYTES: usize = 2;
const TX_BYTES: usize = 3;
/// Length of `ifinfomsg`; the attributes follow it.
const HEADER_BYTES: usize = 16;

/// Frames and bytes since an interface was created. A super-frame counts as one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Frames received.
    pub rx_frames: u64,
    /// Bytes received, from the destination address on, without the check sequence.
    pub rx_bytes: u64,
    /// Frames sent.
    pub tx_frames: u64,
    /// Bytes sent, counted in the same way.
    pub tx_bytes: u64,
}

impl Netlink {
    /// Reads the interface's own counters (`rtnl_link_stats64`), which include frames for other
    /// stations.
    ///
    /// A veth end counts a frame as received when a CPU's backlog queue accepts it.
    pub fn counters(&mut self, link: &Link) -> Result<Counters, LinkError> {
        let mut message = LinkMessage::default();
        message.header.index = link.index;
        let replies = self
            .get(RouteNetlinkMessage::GetLink(message))
            .map_err(|error| LinkError::refused("read the counters of", &link.name, error))?;
        replies
            .iter()
            .filter(|reply| reply.message_type == libc::RTM_NEWLINK)
            .find_map(|reply| counters(&reply.payload))
            .ok_or_else(|| LinkError::NotFound {
                name: shown(&link.name),
            })
    }
}

/// Decodes the statistics of a link message.
fn counters(payload: &[u8]) -> Option<Counters> {
    let (_, statistics) =
        attributes_of(payload.get(HEADER_BYTES..)?).find(|(kind, _)| *kind == IFLA_STATS64)?;
    let member = |number: usize| {
        let bytes = statistics.get(number * size_of::<u64>()..)?.first_chunk()?;
        Some(u64::from_ne_bytes(*bytes))
    };
    Some(Counters {
        rx_frames: member(RX_PACKETS)?,
        rx_bytes: member(RX_BYTES)?,
        tx_frames: member(TX_PACKETS)?,
        tx_bytes: member(TX_BYTES)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_decoded_and_truncated_ones_are_none() {
        let mut message = vec![0; HEADER_BYTES];
        let statistics: Vec<u8> = (5..9_u64).flat_map(u64::to_ne_bytes).collect();
        let length = u16::try_from(4 + statistics.len()).unwrap();
        message.extend(length.to_ne_bytes());
        message.extend(IFLA_STATS64.to_ne_bytes());
        message.extend(&statistics);
        let expected = Counters {
            rx_frames: 5,
            tx_frames: 6,
            rx_bytes: 7,
            tx_bytes: 8,
        };
        assert_eq!(counters(&message), Some(expected));
        assert_eq!(counters(&message[..message.len() - 4]), None);
        assert_eq!(counters(&message[..3]), None);
    }
}
