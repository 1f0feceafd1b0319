//! `vswitch netns`.

use clap::{Args, Subcommand};
use vswitch_netns::name::NamespaceName;

#[derive(Debug, Subcommand)]
pub(crate) enum NetnsAction {
    /// Create network namespaces that `ip netns` sees too.
    Add(NetnsNames),
    /// Delete network namespaces, whichever program created them.
    Del(NetnsDelArgs),
    /// List the named network namespaces, whichever program created them.
    List(NetnsListArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch netns add mario luigi")]
pub(crate) struct NetnsNames {
    /// The names.
    #[arg(value_name = "NS", required = true)]
    pub(crate) names: Vec<NamespaceName>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch netns del mario luigi")]
pub(crate) struct NetnsDelArgs {
    /// The names.
    #[arg(value_name = "NS", required = true)]
    pub(crate) names: Vec<NamespaceName>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch netns list --json")]
pub(crate) struct NetnsListArgs {
    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}
