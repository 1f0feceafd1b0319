//! Devices that are opened by who has the right to: the broker, for a switch that has given it up.

use serde::{Deserialize, Serialize};
use vswitch_switch::port::PortParts;

/// How a kind's devices are opened.
#[derive(Clone, Copy)]
pub(super) struct Opener {
    /// What the kind is called.
    pub(super) kind: &'static str,
    /// What the kernel calls the driver of its interfaces.
    pub(super) driver: &'static str,
    /// Opens the device of this name, or makes it.
    pub(super) open: fn(&str) -> Result<PortParts, DeviceError>,
}

/// Why a device was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{sentence}")]
pub struct DeviceError {
    /// What kind of failure it is.
    pub reason: Reason,
    /// What failed, why, and what to do.
    pub sentence: String,
}

/// A kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Another process is attached to it.
    InUse,
    /// It is something else.
    Unfit,
    /// A right is missing.
    Permission,
    /// The system refused.
    System,
}

impl DeviceError {
    /// The system refused.
    pub(crate) const fn system(sentence: String) -> Self {
        Self {
            reason: Reason::System,
            sentence,
        }
    }
}

/// Opens a device of this kind in the network namespace of the calling thread.
///
/// # Errors
/// See [`DeviceError`]; nothing is left then.
pub(crate) fn open_device(kind: &str, name: &str) -> Result<PortParts, DeviceError> {
    let mut openers = super::OPENERS.iter().flatten();
    match openers.find(|opener| opener.kind == kind) {
        Some(opener) => (opener.open)(name),
        None => Err(DeviceError::system(format!(
            "there are no devices of the kind '{}'",
            vswitch_control::plain::text(kind)
        ))),
    }
}

/// The kind of device behind an interface with this driver, if a port holds the device itself.
pub(in crate::lab) fn kind_of(driver: Option<&str>) -> Option<&'static str> {
    let mut openers = super::OPENERS.iter().flatten();
    let opener = openers.find(|opener| Some(opener.driver) == driver)?;
    Some(opener.kind)
}
