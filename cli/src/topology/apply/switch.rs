//! Switches, and interfaces that are their ports.

use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use serde_json::Value;

use super::Worker;
use crate::args::{ProtectionArgs, ReceiveArg, RunArgs};
use crate::client::{Client, ClientError};
use crate::commands::stop;
use crate::daemon;
use crate::names::SwitchName;
use crate::protocol::{
    ErrorCode, PortAddParams, PortDelParams, PortView, SetParams, SwitchView, method,
};
use crate::topology::thing::SwitchSpec;

/// How long a switch may take to answer: others may have much for it to do before.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

impl Worker<'_> {
    /// Starts a switch in the background, which knows that it belongs to this lab.
    pub(super) fn make_switch(&self, switch: &str, wanted: &SwitchSpec) -> anyhow::Result<()> {
        let args = RunArgs {
            protection: ProtectionArgs::default(),
            name: switch.parse()?,
            detach: true,
            ageing: Some(wanted.ageing_s),
            max_macs: Some(wanted.max_macs),
            forward_reserved: Some(wanted.forward_reserved),
            vlan_learning: Some(wanted.vlan_learning),
            guard: None,
            no_guard: false,
            group: None,
            subnet: wanted.subnet,
            receive: Some(
                ReceiveArg::from_str(&wanted.receive, false).map_err(anyhow::Error::msg)?,
            ),
            ring_slots: wanted.ring_slots,
            // What is left of a killed one is made anew, as the file has it.
            fresh: true,
            metrics: None,
            metrics_from_stdin: false,
            successor: false,
            lab: Some(self.doer.lab.clone()),
            detached: false,
        };
        daemon::start_detached(self.doer.runtime, &args, None)?;
        Ok(())
    }

    /// Changes a switch while it runs.
    pub(super) fn change_switch(
        &mut self,
        switch: &str,
        from: &SwitchSpec,
        to: &SwitchSpec,
    ) -> anyhow::Result<()> {
        let subnet = to
            .subnet
            .map_or_else(String::new, |subnet| subnet.to_string());
        let params = SetParams {
            ageing_s: (from.ageing_s != to.ageing_s).then_some(to.ageing_s),
            max_macs: (from.max_macs != to.max_macs).then_some(to.max_macs),
            forward_reserved: (from.forward_reserved != to.forward_reserved)
                .then_some(to.forward_reserved),
            vlan_learning: (from.vlan_learning != to.vlan_learning).then_some(to.vlan_learning),
            subnet: (from.subnet != to.subnet).then_some(subnet),
            protection: None,
            ring_slots: (from.ring_slots != to.ring_slots).then_some(to.ring_slots.unwrap_or(0)),
        };
        let client = self.client(switch)?;
        let told: Result<SwitchView, _> = client.call(method::SET, &params);
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
                stop::stop(runtime, &name)
            }
            // Somebody else's, by now.
            Ok(_) | Err(ClientError::NotRunning(_)) => Ok(()),
            Err(ClientError::Killed(_)) => Ok(daemon::clear_away(runtime, &name)?),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn make_port(&mut self, switch: &str, interface: &str) -> anyhow::Result<()> {
        let params = PortAddParams {
            interface: interface.to_owned(),
            // Whether the machine can do without it was asked before anything was changed.
            force: true,
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
            return Ok(daemon::give_back(interface)?);
        };
        match client.call::<Value>(method::PORT_DEL, &params) {
            Ok(_) => Ok(()),
            Err(ClientError::Refused(error)) if error.code == ErrorCode::NotFound as i32 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
