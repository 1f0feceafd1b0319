//! What became of a frame.

use super::DropReason;

/// What became of a frame at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went on.
    Passed,
    /// It went no further.
    Dropped(DropReason),
}
