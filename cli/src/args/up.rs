//! `vswitch up`, `down`, `status`, `diff` and `schema`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch up lab.toml            # builds the lab, or applies the changes
  vswitch up lab.toml --dry-run  # only prints what would be done
  vswitch status
  vswitch down lab.toml

A short lab file:
  [switch.my_switch]

  [host.mario]
  ip = \"10.0.0.1/24\"

  [host.luigi]
  ip = \"10.0.0.2/24\"")]
pub(crate) struct UpArgs {
    /// The lab file.
    #[arg(value_name = "FILE", default_value = "lab.toml")]
    pub(crate) file: PathBuf,

    /// Print what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch down lab.toml\n  vswitch down my_lab")]
pub(crate) struct DownArgs {
    /// The lab, by its name or its file; may be left out when exactly one is up.
    #[arg(value_name = "LAB")]
    pub(crate) lab: Option<PathBuf>,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch status\n  vswitch status my_lab --json")]
pub(crate) struct StatusArgs {
    /// The lab, by its name or its file; all that are up if left out.
    #[arg(value_name = "LAB")]
    pub(crate) lab: Option<PathBuf>,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch diff lab.toml

Exit status: 0 without a difference, 1 with one, 2 if that cannot be found out.")]
pub(crate) struct DiffArgs {
    /// The lab file.
    #[arg(value_name = "FILE", default_value = "lab.toml")]
    pub(crate) file: PathBuf,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch schema    # to be put into a file, such as lab.schema.json

With '#:schema ./lab.schema.json' as the first line of a lab file, editors check and complete it.")]
pub(crate) struct SchemaArgs {
    /// Print the reference of all settings instead, as Markdown.
    #[arg(long, hide = true)]
    pub(crate) reference: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch supervise /run/log -- sleep 1")]
pub(crate) struct SuperviseArgs {
    /// Where what the command prints goes.
    #[arg(value_name = "LOG")]
    pub(crate) log: PathBuf,

    /// The command.
    #[arg(value_name = "CMD", required = true, last = true)]
    pub(crate) words: Vec<String>,
}
