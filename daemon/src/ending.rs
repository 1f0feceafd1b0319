//! How a daemon ends.

use std::fmt;

/// Why the daemon ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A client wants it to.
    Asked,
    /// Somebody has sent this signal.
    Signal(&'static str),
    /// Another process goes on.
    HandedOver,
    /// The process that waited for this one is gone.
    Orphaned,
    /// The switch's thread is gone.
    SwitchFailed,
}

impl Ending {
    /// Whether somebody wants the switch to end.
    pub(crate) const fn is_wanted(self) -> bool {
        matches!(self, Self::Asked | Self::Signal(_))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("it was asked to"),
            Self::Signal(signal) => write!(f, "by {signal}"),
            Self::HandedOver => f.write_str("another process goes on"),
            Self::Orphaned => f.write_str("the process that waited for it is gone"),
            Self::SwitchFailed => f.write_str("its forwarding thread is gone"),
        }
    }
}
