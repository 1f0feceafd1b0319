//! Detects whether IPv6 is disabled on an interface.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkMessage;

use crate::answer::attributes_of;
use crate::link::Link;
use crate::netlink::{Netlink, NetlinkError};

// Numbers of linux/if_link.h and linux/ipv6.h.
const IFLA_AF_SPEC: u16 = 26;
const IFLA_INET6_CONF: u16 = 2;
const DEVCONF_DISABLE_IPV6: usize = 26;
const AF_INET6: u16 = 10;
/// Length of `ifinfomsg`; the attributes follow it.
const HEADER_BYTES: usize = 16;

impl Netlink {
    /// Reports whether IPv6 is disabled on an interface of the socket's namespace
    /// (`net.ipv6.conf.NAME.disable_ipv6`), so that it cannot have an IPv6 address. Returns false
    /// where the kernel has no IPv6 at all.
    pub fn is_ipv6_off(&mut self, link: &Link) -> Result<bool, NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = link.index;
        let replies = self.get(RouteNetlinkMessage::GetLink(message))?;
        Ok(replies
            .iter()
            .filter(|reply| reply.message_type == libc::RTM_NEWLINK)
            .any(|reply| is_off(&reply.payload)))
    }
}

fn is_off(payload: &[u8]) -> bool {
    let find = |bytes, wanted| attributes_of(bytes).find(|(kind, _)| *kind == wanted);
    let settings = payload
        .get(HEADER_BYTES..)
        .and_then(|attributes| find(attributes, IFLA_AF_SPEC))
        .and_then(|(_, families)| find(families, AF_INET6))
        .and_then(|(_, inet6)| find(inet6, IFLA_INET6_CONF));
    let (values, _) = settings.map_or_else(|| (&[][..], &[][..]), |(_, s)| s.as_chunks::<4>());
    let value = values.get(DEVCONF_DISABLE_IPV6);
    value.is_some_and(|value| i32::from_ne_bytes(*value) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn the_setting_is_decoded_and_a_missing_one_is_none() {
        let answer = |settings: &[i32]| {
            let settings: Vec<u8> = settings.iter().flat_map(|s| s.to_ne_bytes()).collect();
            let inet6 = attribute(AF_INET6, &attribute(IFLA_INET6_CONF, &settings));
            [vec![0; HEADER_BYTES], attribute(IFLA_AF_SPEC, &inet6)].concat()
        };
        let mut settings = [0; 40];
        assert!(!is_off(&answer(&settings)));
        settings[DEVCONF_DISABLE_IPV6] = 1;
        assert!(is_off(&answer(&settings)));
        assert!(!is_off(&answer(&settings[..DEVCONF_DISABLE_IPV6])));
        assert!(!is_off(&[0; HEADER_BYTES]));
        assert!(!is_off(&[]));
    }
}
