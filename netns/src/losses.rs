//! What interfaces have lost before anybody saw it.

use std::collections::BTreeMap;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkMessage;

use crate::answer::{attributes_of, u32_of};
use crate::link::LinkError;
use crate::netlink::Netlink;

// Numbers of linux/if_link.h: the attribute, and the place of `rx_dropped` in its structure.
const IFLA_STATS64: u16 = 23;
const RX_DROPPED_AT: usize = 6 * size_of::<u64>();
/// The index in `ifinfomsg`, and the length of that.
const INDEX_AT: usize = 4;
const HEADER_BYTES: usize = 16;

impl Netlink {
    /// How many frames each interface has lost on their way in since it was made (`rx_dropped`),
    /// by the interface's index.
    ///
    /// On a veth end these are the frames that its peer sent and that found the processor's
    /// backlog full (`net.core.netdev_max_backlog`); on other devices the driver's own losses too.
    pub fn receive_losses(&mut self) -> Result<BTreeMap<u32, u64>, LinkError> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let replies = self.dump(&request).map_err(LinkError::List)?;
        Ok(replies
            .iter()
            .filter(|reply| reply.message_type == libc::RTM_NEWLINK)
            .filter_map(|reply| losses(&reply.payload))
            .collect())
    }
}

/// The index of a link message, and what its statistics say was lost.
fn losses(payload: &[u8]) -> Option<(u32, u64)> {
    let index = u32_of(payload.get(INDEX_AT..)?)?;
    let (_, statistics) =
        attributes_of(payload.get(HEADER_BYTES..)?).find(|(kind, _)| *kind == IFLA_STATS64)?;
    let dropped = statistics.get(RX_DROPPED_AT..)?.first_chunk()?;
    Some((index, u64::from_ne_bytes(*dropped)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_that_are_cut_off_are_none() {
        let mut message = vec![0; HEADER_BYTES];
        message[INDEX_AT] = 7;
        let statistics: Vec<u8> = (0..8_u64).flat_map(u64::to_ne_bytes).collect();
        let length = u16::try_from(4 + statistics.len()).unwrap();
        message.extend(length.to_ne_bytes());
        message.extend(IFLA_STATS64.to_ne_bytes());
        message.extend(&statistics);
        assert_eq!(losses(&message), Some((7, 6)));
        assert_eq!(losses(&message[..message.len() - 20]), None);
        assert_eq!(losses(&message[..3]), None);
    }
}
