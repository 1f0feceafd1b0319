//! `vswitch man`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch man fdb add                         # one page, for 'man -l -' or a file
  vswitch man --dir /usr/local/share/man/man1 # all of them, where man looks for them")]
pub(crate) struct ManArgs {
    /// The command whose page to print; that of vswitch itself if left out.
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,

    /// Write the pages of all commands into this directory instead, which is made if there is none.
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) dir: Option<PathBuf>,
}
