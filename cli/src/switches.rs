//! The processes of a lab's switches: what labs ask the program for.

use vswitch_control::metrics::Listener;
use vswitch_control::names::{LabName, SwitchName};
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_control::settings::SwitchSettings;
use vswitch_daemon::{self as daemon, Launch, Options};
use vswitch_lab::Switches;

use crate::commands::stop;

/// Switches as processes in the background, as `vswitch run --detach` starts them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processes;

impl Switches for Processes {
    fn start(
        &self,
        runtime: &RuntimeDir,
        name: &SwitchName,
        settings: &SwitchSettings,
        lab: &LabName,
        metrics: Option<Listener>,
    ) -> anyhow::Result<()> {
        let launch = Launch {
            options: Options {
                settings: settings.clone(),
                lab: Some(lab.to_string()),
            },
            // A lab's file says all of a switch: what a killed one has kept is not restored.
            fresh: true,
        };
        Ok(daemon::start_detached(runtime, name, &launch, metrics)?)
    }

    fn stop(&self, runtime: &RuntimeDir, name: &SwitchName) -> anyhow::Result<()> {
        stop::stop(runtime, name)
    }

    fn clear_away(&self, runtime: &RuntimeDir, name: &SwitchName) -> anyhow::Result<()> {
        Ok(daemon::clear_away(runtime, name)?)
    }

    fn give_back(&self, interface: &str) -> anyhow::Result<()> {
        Ok(daemon::give_back(interface)?)
    }
}
