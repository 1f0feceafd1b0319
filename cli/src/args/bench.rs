//! `vswitch demo` and `bench`.

use clap::Args;
use vswitch_netns::name::NamespaceName;

use crate::names::SwitchName;

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

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch bench mario luigi --time 5 --streams 4")]
pub(crate) struct BenchArgs {
    /// The namespace that sends.
    #[arg(value_name = "A")]
    pub(crate) from: NamespaceName,

    /// The namespace that receives.
    #[arg(value_name = "B")]
    pub(crate) to: NamespaceName,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// How long to send.
    #[arg(long = "time", value_name = "SECS", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) time_s: u32,

    /// How many TCP connections at once.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) streams: u16,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}
