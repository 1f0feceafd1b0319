//! `vswitch keeper`, which is started by other commands alone.

use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "Example: what holds a lab without root, as a process list shows it
  vswitch keeper --runtime-dir /run/user/1000/vswitch"
)]
pub(crate) struct KeeperArgs {
    /// Hold the namespaces that it is started in, instead of making some.
    #[arg(long)]
    pub(crate) adopt: bool,
}
