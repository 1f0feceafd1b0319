//! References to a port, by number or by name.

use std::fmt;

use crate::frame::PortId;

/// Identifies a port of a switch, by number or by name.
///
/// Methods that act on a port take `impl Into<PortRef>`: a [`PortId`], a `&str` or a `String`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PortRef {
    /// The port of this number.
    Id(PortId),
    /// The port of this name.
    Name(String),
}

impl fmt::Display for PortRef {
    /// `7`, or `'mario'`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Name(name) => write!(f, "'{name}'"),
        }
    }
}

impl From<PortId> for PortRef {
    fn from(id: PortId) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for PortRef {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for PortRef {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<&String> for PortRef {
    fn from(name: &String) -> Self {
        name.as_str().into()
    }
}
