//! Finds the namespace of a link's other end.

use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use nix::errno::Errno;

use crate::answer::{attributes_of, u32_of};
use crate::netlink::{Netlink, NetlinkError};

// Numbers of linux/rtnetlink.h and linux/net_namespace.h.
const RTM_NEWNSID: u16 = 88;
const NETNSA_NSID: u16 = 1;
/// Length of `rtgenmsg`, including padding.
const HEADER_BYTES: usize = 4;

impl Netlink {
    /// Returns the number by which the socket's namespace refers to another one, which is what
    /// [`crate::Link::peer_namespace_id`] contains. `None` if it has no number for that namespace:
    /// the kernel assigns one when a link first leads there.
    ///
    /// The kernel refuses a descriptor that is not a network namespace (EINVAL) without a request
    /// to the descriptor's file system. So this is also a check, which never blocks, of a
    /// descriptor that another process has sent.
    pub fn namespace_id(&mut self, other: impl AsFd) -> Result<Option<i32>, NetlinkError> {
        let mut message = NsidMessage::default();
        let fd = u32::try_from(other.as_fd().as_raw_fd())
            .map_err(|error| NetlinkError::malformed(&error))?;
        message.attributes.push(NsidAttribute::Fd(fd));
        match self.get(RouteNetlinkMessage::GetNsId(message)) {
            Ok(replies) => Ok(replies
                .iter()
                .filter(|reply| reply.message_type == RTM_NEWNSID)
                .find_map(|reply| id_of(&reply.payload))),
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Decodes the number in a reply; `None` if it is the value for "not assigned".
fn id_of(payload: &[u8]) -> Option<i32> {
    attributes_of(payload.get(HEADER_BYTES..)?)
        .find(|(kind, _)| *kind == NETNSA_NSID)
        .and_then(|(_, value)| u32_of(value))
        .map(u32::cast_signed)
        .filter(|id| *id >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_for_not_assigned_is_none() {
        let answer = |id: i32| {
            let mut bytes = vec![0; HEADER_BYTES];
            bytes.extend(8_u16.to_ne_bytes());
            bytes.extend(NETNSA_NSID.to_ne_bytes());
            bytes.extend(id.to_ne_bytes());
            bytes
        };
        assert_eq!(id_of(&answer(3)), Some(3));
        assert_eq!(id_of(&answer(-1)), None);
        assert_eq!(id_of(&answer(3)[..7]), None);
        assert_eq!(id_of(&[]), None);
    }
}
