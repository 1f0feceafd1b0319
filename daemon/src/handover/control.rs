//! The control loop's part in a restart.

use std::io;

use serde_json::Value;

use super::waiter::{Herald, Said};
use super::{HandedPlug, hand_over};
use crate::capture::Captures;
use crate::control::Control;
use crate::ending::Ending;
use crate::metrics::Endpoint;
use crate::state::SavedStation;
use vswitch_control::metrics::Listener;
use vswitch_control::protocol::{ErrorCode, ErrorObject, RestartView};
use vswitch_control::signals::Signals;

impl Control {
    /// The process that waits for this one passes a signal on, or is gone.
    pub(crate) fn hear_herald(&mut self) {
        while let Some(said) = self.herald.as_ref().and_then(Herald::listen) {
            match said {
                Said::Signal(signal) => self.end_by(signal.as_str()),
                Said::Gone => {
                    self.ending.get_or_insert(Ending::Orphaned);
                    return;
                }
            }
        }
    }

    /// Lets a new process go on with the switch.
    pub(crate) fn restart(&mut self) -> Result<Value, ErrorObject> {
        log::info!("restarting on request");
        let succession = hand_over(self)
            .map_err(|error| ErrorObject::new(ErrorCode::Internal, error.to_string()))?;
        let view = RestartView {
            name: self.name.to_string(),
            pid_before: std::process::id(),
            pid: succession.pid.as_raw().cast_unsigned(),
            pause_us: u64::try_from(succession.pause.as_micros()).unwrap_or(u64::MAX),
        };
        self.succession = Some(succession);
        self.ending = Some(Ending::HandedOver);
        serde_json::to_value(view)
            .map_err(|error| ErrorObject::new(ErrorCode::Internal, error.to_string()))
    }

    /// Takes over what another process has had: all but the switch itself.
    pub(crate) fn take_over(&mut self, plugs: Vec<HandedPlug>, stations: &[SavedStation]) {
        self.lab.take_over(plugs);
        for station in stations {
            if let Some((vlan, mac)) = station.address() {
                self.stations.bind(vlan, mac, &station.port);
            }
        }
    }

    /// Looks at all links, of which something may have been missed.
    pub(crate) fn look_around(&mut self) {
        self.lab.look_around();
        self.read_news();
    }

    /// Has metrics ready to be served, if they are to be. Before the control loop is made, which
    /// those wake who ask for them.
    pub(crate) fn prepare_metrics(&mut self, listener: Option<Listener>) -> io::Result<()> {
        self.metrics = listener.map(Endpoint::prepare).transpose()?;
        Ok(())
    }

    /// Has them served.
    pub(crate) fn serve_metrics(&mut self) -> io::Result<()> {
        self.metrics.as_mut().map_or(Ok(()), Endpoint::open)
    }

    /// Leaves scrapers of metrics that come from here on to the process that goes on.
    pub(crate) fn shut_metrics(&mut self) {
        let last = self.metrics.is_some().then(|| self.view().ok()).flatten();
        if let Some(metrics) = &self.metrics {
            metrics.shut(last);
        }
    }

    /// Serves them again, as this process goes on itself.
    pub(crate) fn reopen_metrics(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.reopen();
        }
    }

    /// What is left when another process goes on; all else is dropped.
    pub(crate) fn into_parts(self) -> (Captures, Signals) {
        (self.captures, self.signals)
    }
}
