//! Parses the kernel's netlink replies. No input makes this code panic.

use std::iter;

use netlink_packet_core::{
    NLA_HEADER_SIZE, NLA_TYPE_MASK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP_INTR, NLMSG_DONE,
    NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN, NetlinkBuffer,
};
use nix::errno::Errno;

use crate::netlink::NetlinkError;

/// Attribute of an extended acknowledgement that holds the text (linux/netlink.h).
const NLMSGERR_ATTR_MSG: u16 = 1;

/// One message of a reply, without its netlink header.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) message_type: u16,
    pub(crate) payload: Vec<u8>,
}

/// The reply to a request, as far as it has been received.
#[derive(Default)]
pub(crate) struct Answer {
    replies: Vec<Reply>,
    pub(crate) complete: bool,
    /// The list changed while the kernel dumped it.
    interrupted: bool,
    refusal: Option<NetlinkError>,
}

impl Answer {
    /// Adds the messages of one datagram.
    pub(crate) fn take(&mut self, datagram: &[u8], sequence: u32) -> Result<(), NetlinkError> {
        for message in Messages(datagram) {
            let message = message?;
            // A reply to an earlier request that was abandoned before the reply was complete.
            if message.sequence_number() != sequence {
                continue;
            }
            self.interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
            match message.message_type() {
                NLMSG_NOOP => {}
                NLMSG_OVERRUN => return Err(NetlinkError::malformed(&"data was lost")),
                NLMSG_ERROR | NLMSG_DONE => {
                    self.complete = true;
                    self.refusal = refusal(&message);
                }
                message_type => {
                    let payload = message.payload().to_vec();
                    self.replies.push(Reply {
                        message_type,
                        payload,
                    });
                }
            }
        }
        Ok(())
    }

    pub(crate) fn outcome(self) -> Result<Vec<Reply>, NetlinkError> {
        match self.refusal {
            Some(refusal) => Err(refusal),
            None if self.interrupted => Err(NetlinkError::Unsteady),
            None => Ok(self.replies),
        }
    }
}

/// Iterates over the messages of a datagram; each is complete.
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Result<NetlinkBuffer<&'a [u8]>, NetlinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0;
        if bytes.is_empty() {
            return None;
        }
        match NetlinkBuffer::new_checked(bytes) {
            Ok(message) => {
                // Messages are aligned to four bytes (netlink(7)).
                let length = (message.length() as usize).next_multiple_of(4);
                self.0 = bytes.get(length..).unwrap_or_default();
                Some(Ok(message))
            }
            Err(error) => {
                self.0 = &[];
                Some(Err(NetlinkError::malformed(&error)))
            }
        }
    }
}

/// Returns the error of an acknowledgement or of a dump's end; `None` on success.
fn refusal(message: &NetlinkBuffer<&[u8]>) -> Option<NetlinkError> {
    let payload = message.payload();
    let code = payload
        .first_chunk()
        .map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    if code == 0 {
        return None;
    }
    let errno = Errno::from_raw(code.wrapping_neg());
    let message = extended_ack(message).unwrap_or_default();
    Some(NetlinkError::Refused { errno, message })
}

/// Returns the kernel's error text from an acknowledgement (`NLMSGERR_ATTR_MSG`).
fn extended_ack(message: &NetlinkBuffer<&[u8]>) -> Option<String> {
    if message.flags() & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let payload = message.payload();
    let attributes = if message.message_type() == NLMSG_DONE {
        payload.get(4..)?
    } else {
        // The error code is followed by the request's header and, unless capped, by the whole
        // request.
        let length: [u8; 4] = payload.get(4..8)?.try_into().ok()?;
        let capped = message.flags() & NLM_F_CAPPED != 0;
        let request = if capped {
            16
        } else {
            u32::from_ne_bytes(length) as usize
        };
        payload.get(4 + request.next_multiple_of(4)..)?
    };
    attributes_of(attributes)
        .find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG)
        .map(|(_, value)| text_of(value))
}

/// Iterates over the attributes in `bytes`, up to the first truncated one (struct `nlattr`).
pub(crate) fn attributes_of(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    iter::from_fn(move || {
        let [l0, l1, k0, k1] = *bytes.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let kind = u16::from_ne_bytes([k0, k1]) & NLA_TYPE_MASK;
        let value = bytes.get(NLA_HEADER_SIZE..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Decodes a text attribute, which ends at its first zero byte.
pub(crate) fn text_of(value: &[u8]) -> String {
    let end = value
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

/// Decodes a number attribute; `None` if it is too short.
pub(crate) fn u32_of(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Link;

    /// `IFLA_LINKINFO` with the flag of nested attributes.
    const NESTED_LINKINFO: u16 = 0x8012;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(message_type: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + payload.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(message_type.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes
    }

    /// A reply that contains one link and ends with an error.
    fn datagram() -> Vec<u8> {
        let mut link = vec![0; 16];
        link.extend(attribute(3, b"mario-vsw\0"));
        link.extend(attribute(4, &1500_u32.to_ne_bytes()));
        link.extend(attribute(NESTED_LINKINFO, &attribute(1, b"veth\0")));
        let mut error = (-libc::EBUSY).to_ne_bytes().to_vec();
        error.extend([0; 16]);
        error.extend(attribute(NLMSGERR_ATTR_MSG, b"not now\0"));
        let flags = NLM_F_ACK_TLVS | NLM_F_CAPPED;
        [
            message(libc::RTM_NEWLINK, 0, 7, &link),
            message(NLMSG_ERROR, flags, 7, &error),
        ]
        .concat()
    }

    fn take(datagram: &[u8], sequence: u32) -> Result<Answer, NetlinkError> {
        let mut answer = Answer::default();
        answer.take(datagram, sequence).map(|()| answer)
    }

    #[test]
    fn an_error_carries_the_text_of_the_kernel() {
        let answer = take(&datagram(), 7).unwrap();
        assert!(answer.complete);
        let link = Link::parse(&answer.replies[0].payload).unwrap();
        assert_eq!((link.name.as_str(), link.mtu_bytes), ("mario-vsw", 1500));
        assert_eq!(link.kind.as_deref(), Some("veth"));
        let refusal = answer.outcome().unwrap_err();
        assert_eq!(refusal.errno(), Some(Errno::EBUSY));
        assert!(refusal.to_string().ends_with(": not now"), "{refusal}");
    }

    #[test]
    fn replies_to_earlier_requests_are_ignored() {
        let answer = take(&datagram(), 8).unwrap();
        assert!(!answer.complete && answer.replies.is_empty());
    }

    #[test]
    fn a_list_that_changed_is_read_again() {
        let dump = message(NLMSG_DONE, NLM_F_DUMP_INTR, 7, &[0; 4]);
        let outcome = take(&dump, 7).unwrap().outcome();
        assert!(matches!(outcome, Err(NetlinkError::Unsteady)));
    }

    #[test]
    fn a_missing_capability_is_named() {
        let error = NetlinkError::Refused {
            errno: Errno::EPERM,
            message: String::new(),
        };
        let text = error.to_string();
        assert!(
            text.contains("CAP_NET_ADMIN is missing") && text.contains("user namespace"),
            "{text}"
        );
    }

    /// No reply, whether complete, truncated or corrupt, may panic.
    #[test]
    fn corrupt_replies_do_not_panic() {
        let whole = datagram();
        let read = |bytes: &[u8]| {
            if let Ok(answer) = take(bytes, 7) {
                for reply in &answer.replies {
                    let _ = Link::parse(&reply.payload);
                }
                let _ = answer.outcome().map_err(|error| error.to_string());
            }
        };
        for length in 0..whole.len() {
            read(&whole[..length]);
        }
        for place in 0..whole.len() {
            for value in [0, 1, 3, 4, 5, 15, 16, 17, 0x7f, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[place] = value;
                read(&damaged);
            }
        }
    }
}
