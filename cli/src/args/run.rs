//! `vswitch run`.

use clap::Args;

use super::settings::SettingArgs;
use vswitch_control::names::SwitchName;
use vswitch_control::settings::{GuardMode, SwitchSettings};

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch run my_switch                         # in the foreground, until Ctrl-C
  vswitch run lab --detach --subnet 10.0.0.0/24 # in the background, addresses given out")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are flags of a command line"
)]
pub(crate) struct RunArgs {
    /// The switch's name.
    pub(crate) name: SwitchName,

    /// Run in the background: return once the switch is ready, log to a file that `show` names.
    #[arg(long)]
    pub(crate) detach: bool,

    #[command(flatten)]
    settings: SettingArgs<SwitchSettings>,

    /// Discard the saved state of a killed switch of this name instead of restoring it: its ports,
    /// static entries and settings.
    #[arg(long)]
    pub(crate) fresh: bool,

    /// The same as `--guard off`.
    #[arg(long, conflicts_with = "guard")]
    no_guard: bool,

    /// Go on in the place of a running switch, which speaks on standard input.
    #[arg(long, hide = true, conflicts_with_all = ["detach", "detached"])]
    pub(crate) successor: bool,

    /// Read all else from the parent on standard input, report to it on standard output when the switch
    /// is ready, and then log to a file.
    #[arg(long, hide = true, conflicts_with = "detach")]
    pub(crate) detached: bool,
}

impl RunArgs {
    /// What is set.
    pub(crate) fn settings(&self) -> SwitchSettings {
        let mut settings = self.settings.0.clone();
        if self.no_guard {
            settings.guard = Some(GuardMode::Off);
        }
        settings
    }
}
