//! How much a switch insists on giving up.

use serde::{Deserialize, Serialize};

/// Whether a switch gives up what it does not need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GuardMode {
    /// As far as the kernel lets it.
    #[default]
    Auto,
    /// All of it, or the switch does not start.
    Required,
    /// It keeps everything.
    Off,
}

impl GuardMode {
    /// As on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Required => "required",
            Self::Off => "off",
        }
    }

    /// What a killed switch has kept of it, for the next of its name. `off` is said anew each time: whoever
    /// takes a switch over can write its state, and would have the next one run with all rights.
    pub(crate) fn recalled(self) -> Option<Self> {
        (self != Self::Off).then_some(self)
    }
}
