//! `vswitch shell`.

use clap::Args;
use vswitch_netns::name::NamespaceName;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vswitch shell mario
The shell is the one that SHELL names, or else sh, with your own settings; its prompt begins with
the namespace's name, which VSWITCH_NETNS holds too. It ends with the status of the shell.")]
pub(crate) struct ShellArgs {
    /// The namespace.
    #[arg(value_name = "NS")]
    pub(crate) namespace: NamespaceName,
}
