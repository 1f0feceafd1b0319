//! `vswitch run`: start a switch.

use std::time::Duration;

use vswitch_switch::BridgeConfig;

use super::Luggage;
use crate::args::RunArgs;
use crate::daemon::{self, Config};
use crate::metrics::{Listener, MetricsError};
use crate::runtime_dir::RuntimeDir;

pub(crate) fn run(runtime: &RuntimeDir, args: RunArgs, luggage: Luggage) -> anyhow::Result<()> {
    if args.detach {
        daemon::start_detached(runtime, &args, luggage.metrics)?;
        return Ok(());
    }
    let config = Config {
        name: args.name,
        bridge: BridgeConfig {
            ageing: Duration::from_secs(args.ageing.into()),
            max_stations: usize::try_from(args.max_macs)?,
            forward_reserved: args.forward_reserved,
        },
        subnet: args.subnet,
        receive: args.receive.into(),
        lab: args.lab,
        manager: luggage.manager,
        detached: args.detached,
    };
    daemon::run(runtime, &config, luggage.metrics)?;
    Ok(())
}

/// The socket for metrics, if there are to be any. It stays in the network namespace where this is
/// called: that of whoever asks for them, not that of a lab.
///
/// # Errors
/// Where it cannot be bound.
pub(crate) fn bind_metrics(args: &RunArgs) -> Result<Option<Listener>, MetricsError> {
    if args.metrics_from_stdin {
        return Listener::from_stdin().map(Some);
    }
    args.metrics.as_ref().map(Listener::bind).transpose()
}
