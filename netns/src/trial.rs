//! Entry points for fuzzers and tests, which pass arbitrary bytes; not part of the public
//! interface.

use crate::answer::{Answer, Messages};
use crate::link::Link;
use crate::monitor::event_of;
use crate::{Address, RouteEntry};

/// Parses bytes as messages of a netlink socket, both as events and as a reply.
///
/// # Panics
/// If an invariant does not hold.
pub fn netlink(bytes: &[u8]) {
    let mut sequence = 0;
    for message in Messages(bytes) {
        let Ok(message) = message else { break };
        let payload = message.payload();
        assert!(payload.len() < bytes.len(), "a message without its header");
        sequence = message.sequence_number();
        let _ = event_of(message.message_type(), payload);
        let _ = Link::parse(payload);
        let _ = Address::parse(payload);
        let _ = RouteEntry::parse(payload);
    }
    let mut answer = Answer::default();
    let taken = answer.take(bytes, sequence);
    if taken.is_ok()
        && let Err(error) = answer.outcome()
    {
        assert!(!error.to_string().is_empty());
    }
}
