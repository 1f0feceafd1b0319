//! Keeping on disk what was promised: before a command is acknowledged, and when a port changes by
//! itself.

use vswitch_switch::bridge::PortId;

use super::control::Control;
use super::lab::{Lab, LabError};
use super::state::{Options, Saved, SavedPort, StateError};
use crate::metrics::Endpoint;
use vswitch_control::protocol::{AttachParams, ErrorCode, ErrorObject};
use vswitch_control::values;

impl Control {
    /// Keeps all as it is now.
    ///
    /// # Errors
    /// [`StateError::Write`]: then whoever has changed something takes it back.
    pub(super) fn keep(&mut self) -> Result<(), StateError> {
        self.keep_ports(self.lab.saved(&[]))
    }

    /// Has everything back that was kept. A station whose port is no more is left out.
    ///
    /// # Errors
    /// Where the switch does not take it.
    pub(super) fn recall(&mut self, kept: Saved) -> Result<(), LabError> {
        self.lab.recall(kept.ports)?;
        // Where learning is shared, the lowest VLAN says at last where an address is.
        for station in kept.stations.into_iter().rev() {
            let Some((vlan, mac)) = station.address() else {
                log::warn!("a static station is none: {station:?}");
                continue;
            };
            match self.lab.handle().add_static(vlan, mac, &station.port) {
                Ok(()) => self.stations.bind(vlan, mac, &station.port),
                Err(error) => log::warn!("the static station {mac} is left out: {error}"),
            }
        }
        Ok(())
    }

    /// The same, with what takes the change back.
    pub(super) fn keep_or(&mut self, undo: impl FnOnce(&mut Self)) -> Result<(), StateError> {
        let kept = self.keep();
        if kept.is_err() {
            undo(self);
        }
        kept
    }

    /// Keeps all without the ports `going`, which `remove` takes out then.
    ///
    /// # Errors
    /// Where it cannot be kept, and nothing is changed; and those of `remove`.
    pub(super) fn without<T>(
        &mut self,
        going: &[PortId],
        remove: impl FnOnce(&mut Lab) -> Result<T, LabError>,
    ) -> Result<T, ErrorObject> {
        let stations = self.stations.clone();
        let staying = self.lab.saved(going);
        let is_staying = |name: &str| staying.iter().any(|port| port.name == name);
        self.stations.retain(is_staying);
        if let Err(error) = self.keep_ports(staying) {
            self.stations = stations;
            return Err(error.into());
        }
        let removed = remove(&mut self.lab);
        if removed.is_err() {
            // What could not be removed is still there.
            self.stations = stations;
            self.keep()?;
        }
        Ok(removed?)
    }

    /// Reads the news of links, and keeps what has changed by them.
    pub(super) fn read_news(&mut self) {
        self.lab.read_news();
        if self.lab.take_changed()
            && let Err(error) = self.keep()
        {
            log::warn!("{error}");
        }
    }

    fn keep_ports(&mut self, ports: Vec<SavedPort>) -> Result<(), StateError> {
        let saved = Saved {
            name: self.name.to_string(),
            options: self.present_options(),
            ports,
            stations: self.stations.saved(),
        };
        self.state.keep(&saved)
    }

    /// Refuses to attach a host whose MAC address is bound to another port: nothing that is sent to
    /// it would come.
    pub(super) fn refuse_bound(&self, params: &AttachParams) -> Result<(), ErrorObject> {
        let Some(Ok(mac)) = params.mac.as_deref().map(values::station) else {
            return Ok(());
        };
        let Some(bound) = self.stations.port_of(mac) else {
            return Ok(());
        };
        if self.lab.port_to_be(params)? == bound {
            return Ok(());
        }
        Err(ErrorObject::new(
            ErrorCode::Conflict,
            format!(
                "the MAC address {mac} is bound to the port '{bound}': remove that entry \
                 ('vswitch fdb del {mac}'), or choose another address"
            ),
        ))
    }

    /// The options as they are by now.
    pub(super) fn present_options(&self) -> Options {
        let mut options = self.options.clone();
        options.settings.metrics = self.metrics.as_ref().map(Endpoint::bound);
        options
    }
}
