//! A ring through which nothing comes any more.
//!
//! A frame whose offload a virtio header has no words for, such as segmentation of SCTP, is
//! dropped by the kernel after it has taken a slot for it, and the slot stays taken
//! (`tpacket_rcv`, `rx_owner_map`): all frames that follow are dropped as well, for ever. Each of
//! them still wakes the switch. So frames that are lost although the ring is empty tell of it.

use std::os::fd::AsFd;

use super::source::Source;
use super::sys;
use crate::bridge::DropReason;
use crate::port::Counters;

/// What is known of a ring in which there was nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standstill {
    /// Frames have come since.
    No,
    /// Losses of before have been counted: whatever is lost from now on, without a frame that
    /// comes, is lost to a jam.
    Possible,
    /// It has jammed.
    Jammed,
}

impl Standstill {
    /// Asks for losses when the ring was found empty. Returns whether it has jammed.
    pub(super) fn ask(&mut self, source: &Source, counters: &mut Counters) -> bool {
        let lost = match sys::take_drops(source.socket().as_fd()) {
            Ok(lost) => lost,
            Err(error) => {
                log::debug!("cannot read the losses of a ring: {error}");
                return false;
            }
        };
        *self = match *self {
            Self::No => Self::Possible,
            Self::Possible if lost > 0 => Self::Jammed,
            state => state,
        };
        let is_jammed = *self == Self::Jammed;
        let reason = if is_jammed {
            DropReason::RxUnsupportedOffload
        } else {
            DropReason::RxOverflow
        };
        counters.drops.add(reason, lost.into());
        is_jammed
    }
}
