//! The pure core.
mod verdict;

pub use verdict::{DropReason, Verdict};

/// A port's number within its switch, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u16);
