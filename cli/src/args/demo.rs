//! `vswitch demo`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch demo")]
pub(crate) struct DemoArgs {
    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,

    /// Where the demonstration's own child is.
    #[arg(long, hide = true)]
    pub(crate) inside: bool,
}
