//! Drop counters of interfaces.

use std::collections::BTreeMap;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkMessage;

use crate::answer::attributes_of;
use crate::link::{Link, LinkError};
use crate::netlink::Netlink;

// From linux/if_link.h: the attribute, and the offsets in its structure.
const IFLA_STATS64: u16 = 23;
const RX_DROPPED_AT: usize = 6 * size_of::<u64>();
const TX_DROPPED_AT: usize = 7 * size_of::<u64>();
/// The length of `ifinfomsg`.
const HEADER_BYTES: usize = 16;

/// Frames that an interface has dropped since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Losses {
    /// Received frames that were dropped (`rx_dropped`). On a veth end these are frames from its
    /// peer that found the CPU's backlog queue full (`net.core.netdev_max_backlog`) or were too
    /// long for this end. On other devices they include the driver's own drops.
    pub received: u64,
    /// Frames to send that the driver refused (`tx_dropped`), without those that a queueing
    /// discipline or a filter in front of the driver refused.
    pub sent: u64,
}

impl Losses {
    /// Creates a value from two counters.
    #[must_use]
    pub const fn of(received: u64, sent: u64) -> Self {
        Self { received, sent }
    }
}

impl Netlink {
    /// Lists all interfaces of the socket's namespace with their drop counters, by index.
    pub fn losses(&mut self) -> Result<BTreeMap<u32, (Link, Losses)>, LinkError> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let replies = self.dump(&request).map_err(LinkError::List)?;
        Ok(replies
            .iter()
            .filter(|reply| reply.message_type == libc::RTM_NEWLINK)
            .filter_map(|reply| {
                let link = Link::parse(&reply.payload)?;
                Some((link.index, (link, losses(&reply.payload)?)))
            })
            .collect())
    }
}

/// Decodes the drop counters of a link message.
fn losses(payload: &[u8]) -> Option<Losses> {
    let (_, statistics) =
        attributes_of(payload.get(HEADER_BYTES..)?).find(|(kind, _)| *kind == IFLA_STATS64)?;
    let number = |at: usize| {
        let bytes = statistics.get(at..)?.first_chunk()?;
        Some(u64::from_ne_bytes(*bytes))
    };
    Some(Losses {
        received: number(RX_DROPPED_AT)?,
        sent: number(TX_DROPPED_AT)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_statistics_are_none() {
        let mut message = vec![0; HEADER_BYTES];
        let statistics: Vec<u8> = (0..8_u64).flat_map(u64::to_ne_bytes).collect();
        let length = u16::try_from(4 + statistics.len()).unwrap();
        message.extend(length.to_ne_bytes());
        message.extend(IFLA_STATS64.to_ne_bytes());
        message.extend(&statistics);
        let expected = Losses {
            received: 6,
            sent: 7,
        };
        assert_eq!(losses(&message), Some(expected));
        assert_eq!(losses(&message[..message.len() - 20]), None);
        assert_eq!(losses(&message[..3]), None);
    }
}
