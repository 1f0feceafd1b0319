//! Finds the far end of a veth pair from the near one.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use nix::errno::Errno;

use crate::link::Link;
use crate::netlink::{Netlink, NetlinkError};

impl Netlink {
    /// Looks up the other end of a link of the socket's namespace, in whichever namespace that end
    /// is. Returns `None` if the link has no other end, if it is gone, or if it is in a namespace
    /// for which this process has no `CAP_NET_ADMIN`.
    pub fn far_end(&mut self, link: &Link) -> Result<Option<Link>, NetlinkError> {
        let Some(index) = link.peer_index else {
            return Ok(None);
        };
        let mut message = LinkMessage::default();
        message.header.index = index;
        if let Some(id) = link.peer_namespace_id {
            message.attributes.push(LinkAttribute::IfNetnsId(id));
        }
        match self.get(RouteNetlinkMessage::GetLink(message)) {
            Ok(replies) => Ok(replies
                .iter()
                .filter(|reply| reply.message_type == libc::RTM_NEWLINK)
                .find_map(|reply| Link::parse(&reply.payload))),
            Err(error) => match error.errno() {
                Some(Errno::ENODEV | Errno::EINVAL | Errno::EACCES | Errno::EPERM) => Ok(None),
                _ => Err(error),
            },
        }
    }
}
