//! The outcome for a frame at one place.

use super::DropReason;

/// The outcome for a frame at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was passed on.
    Passed,
    /// It was dropped.
    Dropped(DropReason),
}
