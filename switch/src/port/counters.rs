//! What a port has moved and what it has lost.

use crate::bridge::DropReason;

/// Frames and their bytes in one direction. A super-frame counts as one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Number of frames.
    pub frames: u64,
    /// Bytes of those frames, link header included.
    pub bytes: u64,
}

impl Traffic {
    /// Counts `frames` more with `bytes` in all.
    #[inline]
    pub fn add(&mut self, frames: u64, bytes: u64) {
        self.frames += frames;
        self.bytes += bytes;
    }
}

/// One counter for each [`DropReason`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops([u64; DropReason::ALL.len()]);

impl Drops {
    /// Counts `frames` more dropped for `reason`.
    #[inline]
    pub fn add(&mut self, reason: DropReason, frames: u64) {
        self.0[reason as usize] += frames;
    }

    /// Frames dropped for `reason`.
    #[must_use]
    pub const fn get(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// The reasons that occurred, each with its frames.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL
            .into_iter()
            .map(|reason| (reason, self.get(reason)))
            .filter(|(_, frames)| *frames > 0)
    }

    /// Frames dropped for any reason.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// All counters of a port, as seen from the switch: `rx` came in, `tx` went out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that the switch received on this port, dropped ones included.
    pub rx: Traffic,
    /// Frames that the port accepted for sending.
    pub tx: Traffic,
    /// Frames that this port lost, in either direction.
    pub drops: Drops,
}
