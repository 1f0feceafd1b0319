//! What a lab needs of the processes of switches.

use vswitch_control::metrics::Listener;
use vswitch_control::names::{LabName, SwitchName};
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_control::settings::SwitchSettings;

/// Starts and stops the processes of a lab's switches. The program implements it.
pub trait Switches: Sync {
    /// Starts a switch in the background, without what a killed one of its name has kept; returns when it
    /// takes commands.
    ///
    /// # Errors
    /// Where it does not start.
    fn start(
        &self,
        runtime: &RuntimeDir,
        name: &SwitchName,
        settings: &SwitchSettings,
        lab: &LabName,
        metrics: Option<Listener>,
    ) -> anyhow::Result<()>;

    /// Stops a switch; returns when it has ended.
    ///
    /// # Errors
    /// Where it does not run, or does not end.
    fn stop(&self, runtime: &RuntimeDir, name: &SwitchName) -> anyhow::Result<()>;

    /// Removes the directory that a killed switch has left.
    ///
    /// # Errors
    /// Where it cannot be taken.
    fn clear_away(&self, runtime: &RuntimeDir, name: &SwitchName) -> anyhow::Result<()>;

    /// Gives an interface back to the host's stack that was a port of a killed switch.
    ///
    /// # Errors
    /// Where the kernel refuses.
    fn give_back(&self, interface: &str) -> anyhow::Result<()>;
}
