//! The parts of packet(7) that no safe wrapper covers.

mod geometry;
mod messages;
mod options;
mod ring;

pub(super) use messages::{Message, Outgoing, receive, send, send_aside};
pub(super) use options::{Protocol, bind, bound_to, enable, join_promiscuous, take_drops};
pub(super) use ring::{Position, Ring, Slots, Whereabouts, remove_ring, ring_len};

/// Converts a small number to the kernel's type.
fn count(number: usize) -> libc::c_uint {
    libc::c_uint::try_from(number).unwrap_or(0)
}
