//! What is set for one port alone.

use super::{Lab, LabError};
use vswitch_control::settings::PortSettings;

impl Lab {
    /// What was set for the port of that name, if there is one.
    pub(crate) fn port_settings(&self, name: &str) -> Option<PortSettings> {
        let mut plugs = self.plugs.values();
        plugs
            .find(|plug| plug.name == name)
            .map(|plug| plug.settings.clone())
    }

    /// Notes what is set for the port of that name, to be kept on disk.
    pub(crate) fn note_port_settings(&mut self, name: &str, settings: &PortSettings) {
        for plug in self.plugs.values_mut().filter(|plug| plug.name == name) {
            plug.settings = settings.clone();
        }
    }

    /// Has the switch keep to what was noted.
    ///
    /// # Errors
    /// Where it has no such port.
    pub(crate) fn enforce_port_settings(&self, name: &str) -> Result<(), LabError> {
        let settings = self.port_settings(name).unwrap_or_default();
        Ok(self.handle.set_port(name, settings.bounds())?)
    }
}
