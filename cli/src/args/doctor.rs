//! `vswitch doctor`.

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch doctor
  vswitch doctor --json

Nothing is changed: what the kernel allows is tried in throw-away namespaces.
Exit status: 1 if there is a problem, else 0.")]
pub(crate) struct DoctorArgs {
    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,

    /// Where the trials themselves are.
    #[arg(long, hide = true, value_name = "RIGHTS")]
    pub(crate) inside: Option<TrialRights>,
}

/// With which rights the kernel is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TrialRights {
    /// Those of the process
    Own,
    /// Those of root in a new user namespace
    User,
}

impl TrialRights {
    /// As on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::User => "user",
        }
    }
}
