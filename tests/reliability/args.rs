//! The command line.

use clap::{Parser, Subcommand, ValueEnum};

use crate::faults::Rival;

/// Faults done to a switch under traffic, and what became of the frames.
#[derive(Debug, Parser)]
#[command(name = "reliability")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the faults.
    List,
    /// Does faults to switches; exit status 1 where this one breaks a promise.
    Faults(FaultsArgs),
    /// Attaches and detaches very often; exit status 1 where memory or descriptors grow.
    Churn(ChurnArgs),
    /// Runs traffic with a fault every few seconds; exit status 1 where a promise is broken.
    Soak(SoakArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct FaultsArgs {
    /// Only these.
    pub(crate) names: Vec<String>,
    /// To whom.
    #[arg(long, value_delimiter = ',', default_value = "vswitch")]
    pub(crate) rival: Vec<RivalArg>,
    /// As a table for a document.
    #[arg(long)]
    pub(crate) markdown: bool,
    /// Frames in a second that each of four hosts sends.
    #[arg(long, default_value_t = 10_000.0)]
    pub(crate) rate: f64,
    /// How often what can be repeated is repeated.
    #[arg(long, default_value_t = 100)]
    pub(crate) times: usize,
    /// A gap or a recovery that takes longer than promised is a failure too. Only on a machine
    /// with nothing else to do.
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ChurnArgs {
    /// How often.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) cycles: u64,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SoakArgs {
    /// For so many seconds.
    #[arg(long)]
    pub(crate) time: u64,
    /// Frames in a second that each of four hosts sends; by default half of the highest rate at which
    /// none is lost.
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// A fault every so many seconds.
    #[arg(long, default_value_t = 5)]
    pub(crate) every: u64,
    /// Which faults come when.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the samples are written, one line each.
    #[arg(long)]
    pub(crate) samples: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RivalArg {
    Vswitch,
    Ovs,
    Bridge,
}

impl From<RivalArg> for Rival {
    fn from(rival: RivalArg) -> Self {
        match rival {
            RivalArg::Vswitch => Self::Vswitch,
            RivalArg::Ovs => Self::Ovs,
            RivalArg::Bridge => Self::Bridge,
        }
    }
}
