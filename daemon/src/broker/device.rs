//! Devices that a broker opens for ports.

use nix::errno::Errno;
use vswitch_switch::port::PortParts;

use super::message::{Answer, Request};
use super::{Broker, system, unexpected};
use crate::lab::LabError;

impl Broker {
    /// Opens a device for a port in the switch's namespace, or makes it.
    ///
    /// # Errors
    /// [`LabError::Device`]; that no helper answers.
    pub(crate) fn open_device(&self, kind: &str, name: &str) -> Result<PortParts, LabError> {
        let request = || Request::Device {
            kind: kind.to_owned(),
            name: name.to_owned(),
        };
        match self.ask(request, &[])? {
            (Answer::Device(_), descriptors) if descriptors.is_empty() => {
                Err(system("take a device over", Errno::EMFILE).into())
            }
            (Answer::Device(data), descriptors) => Ok(PortParts { data, descriptors }),
            (Answer::NoDevice(error), _) => Err(error.into()),
            _ => Err(unexpected().into()),
        }
    }
}
