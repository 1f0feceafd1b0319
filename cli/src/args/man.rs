//! `vswitch man`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch man fdb add                         # one page, for 'man -l -' or a file
  vswitch man --dir /usr/local/share/man/man1 # all of them, where man looks for them")]
pub(crate) struct ManArgs {
    /// The command [default: vswitch itself].
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,

    /// Write the pages of all commands to this directory, which is created if it does not exist.
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) dir: Option<PathBuf>,
}
