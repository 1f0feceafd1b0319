//! Traffic and drop counters of a port.

use std::fmt;

use super::DropReason;

/// Frames and their bytes in one direction. A super-frame counts as one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Traffic {
    /// Number of frames.
    pub frames: u64,
    /// Bytes of those frames, link header included.
    pub bytes: u64,
}

impl Traffic {
    /// Adds `frames` frames with `bytes` bytes in total.
    #[inline]
    pub fn add(&mut self, frames: u64, bytes: u64) {
        self.frames += frames;
        self.bytes += bytes;
    }
}

/// One counter for each [`DropReason`].
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Drops([u64; DropReason::ALL.len()]);

impl Drops {
    /// Adds `frames` frames dropped for `reason`.
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

impl fmt::Debug for Drops {
    /// The reasons that occurred, by name: `{egress_full: 3}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = self.iter();
        let named = counted.map(|(reason, frames)| (Name(reason.as_str()), frames));
        f.debug_map().entries(named).finish()
    }
}

/// A name that is printed without quotes.
struct Name(&'static str);

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// All counters of a port, as seen from the switch: `rx` is received, `tx` is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counters {
    /// Frames that the switch received on this port, dropped ones included.
    pub rx: Traffic,
    /// Frames that the port accepted for sending.
    pub tx: Traffic,
    /// Frames that this port dropped, in either direction.
    pub drops: Drops,
}

/// Serialises as a map of names, so that other versions with other reasons can read it; reasons
/// that they do not know are ignored.
#[cfg(feature = "serde")]
mod by_name {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{DropReason, Drops};

    impl Serialize for Drops {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(
                self.iter()
                    .map(|(reason, frames)| (reason.as_str(), frames)),
            )
        }
    }

    impl<'de> Deserialize<'de> for Drops {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let mut counted = BTreeMap::<String, u64>::deserialize(deserializer)?;
            let mut drops = Self::default();
            for reason in DropReason::ALL {
                drops.add(reason, counted.remove(reason.as_str()).unwrap_or_default());
            }
            Ok(drops)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_of_counters_names_the_drop_reasons() {
        let mut counters = Counters::default();
        counters.drops.add(DropReason::EgressFull, 3);
        counters.tx.add(2, 128);
        let text = format!("{counters:?}");
        assert!(
            text.contains("tx: Traffic { frames: 2, bytes: 128 }"),
            "{text}"
        );
        assert!(text.contains("drops: {egress_full: 3}"), "{text}");
        assert_eq!(format!("{:?}", Drops::default()), "{}");
    }
}
