//! `vswitch demo` and `bench`.

use clap::{Args, ValueEnum};
use vswitch_netns::name::NamespaceName;

use crate::measure::DEFINITIONS;
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
#[command(after_help = "Example:\n  vswitch bench mario luigi --time 5 --streams 4",
          after_long_help = long_help())]
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

    /// How long each test takes, about.
    #[arg(long = "time", value_name = "SECS", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) time_s: u32,

    /// How long raw frames are, check sequence included [default: 64,1518].
    #[arg(long = "size", value_name = "BYTES", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(64..=65_553))]
    pub(crate) sizes: Vec<u32>,

    /// How many TCP connections at once, besides one alone.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) streams: u16,

    /// What to measure.
    #[arg(long, value_name = "LIST", value_delimiter = ',',
          default_values = ["tcp", "response", "frames", "no-loss"])]
    pub(crate) tests: Vec<BenchTest>,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchTest {
    /// Throughput of TCP.
    Tcp,
    /// Response time of TCP.
    Response,
    /// Response time with everything bound to one CPU, the switch too.
    ResponseOneCpu,
    /// Raw frames as fast as they go.
    Frames,
    /// The highest rate without loss.
    NoLoss,
}

fn long_help() -> String {
    format!("Example:\n  vswitch bench mario luigi --time 5 --streams 4\n\n{DEFINITIONS}")
}
