//! Switches, and interfaces that are their ports.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::Worker;
use crate::thing::Spec;
use vswitch_control::client::{Client, ClientError};
use vswitch_control::names::SwitchName;
use vswitch_control::protocol::{
    ErrorCode, PortAddParams, PortDelParams, PortView, SwitchView, method,
};
use vswitch_control::settings::{Change, SwitchSettings};

/// How long a switch may take to answer: others may have much for it to do before.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

impl Worker<'_> {
    /// Starts a switch in the background, which knows that it belongs to this lab.
    pub(super) fn make_switch(&self, switch: &str, wanted: &SwitchSettings) -> anyhow::Result<()> {
        let name = switch.parse()?;
        let metrics = self.doer.metrics.take(switch, wanted.metrics.as_ref())?;
        let (runtime, lab) = (self.doer.runtime, self.doer.lab);
        let switches = self.doer.switches;
        switches.start(runtime, &name, wanted, lab, metrics)
    }

    /// Changes a switch while it runs.
    pub(super) fn change_switch(
        &mut self,
        switch: &str,
        from: &SwitchSettings,
        to: &SwitchSettings,
    ) -> anyhow::Result<()> {
        let change = Change::between(from, to);
        let client = self.client(switch)?;
        let told: Result<SwitchView, _> = client.call(method::SET, &change);
        told.with_context(|| format!("cannot change the switch '{switch}'"))?;
        Ok(())
    }

    /// Stops a switch, if it is this lab's; one that was killed leaves a directory.
    pub(super) fn remove_switch(&mut self, switch: &str) -> anyhow::Result<()> {
        self.clients.remove(switch);
        self.doer.refuse_silent(switch)?;
        let name: SwitchName = switch.parse()?;
        let runtime = self.doer.runtime;
        match Client::connect(runtime, &name).and_then(|mut client| client.show()) {
            Ok(view) if view.lab.as_deref() == Some(self.doer.lab.as_str()) => {
                self.doer.switches.stop(runtime, &name)
            }
            // Somebody else's, by now.
            Ok(_) | Err(ClientError::NotRunning(_)) => Ok(()),
            Err(ClientError::Killed(_)) => self.doer.switches.clear_away(runtime, &name),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn make_port(
        &mut self,
        switch: &str,
        interface: &str,
        spec: &Spec,
    ) -> anyhow::Result<()> {
        let params = PortAddParams {
            interface: interface.to_owned(),
            // Whether the machine can do without it was asked before anything was changed.
            kind: match spec {
                Spec::Device { device } => Some(device.clone()),
                _ => None,
            },
            force: true,
            settings: Change::default(),
        };
        let client = self.client(switch)?;
        let _: PortView = client.call(method::PORT_ADD, &params)?;
        Ok(())
    }

    /// Gives an interface back.
    pub(super) fn remove_port(&mut self, switch: &str, interface: &str) -> anyhow::Result<()> {
        let params = PortDelParams {
            name: interface.to_owned(),
        };
        let Some(client) = self.find_switch(switch)? else {
            // It was killed and had no time to give it back.
            return self.doer.switches.give_back(interface);
        };
        match client.call::<Value>(method::PORT_DEL, &params) {
            Ok(_) => Ok(()),
            Err(ClientError::Refused(error)) if error.code == ErrorCode::NotFound as i32 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
