//! `vswitch run`: start a switch.

use super::Luggage;
use crate::args::RunArgs;
use crate::daemon::state::Options;
use crate::daemon::{self, Config};
use crate::metrics::{Listener, MetricsError};
use crate::runtime_dir::RuntimeDir;

pub(crate) fn run(runtime: &RuntimeDir, args: RunArgs, luggage: Luggage) -> anyhow::Result<()> {
    if args.successor {
        daemon::succeed(runtime, &args.name, args.guard_mode().unwrap_or_default())?;
        return Ok(());
    }
    if args.detach {
        daemon::start_detached(runtime, &args, luggage.metrics)?;
        return Ok(());
    }
    let remembered = || daemon::remembered_guard(runtime, &args.name).filter(|_| !args.fresh);
    let config = Config {
        guard: args.guard_mode().or_else(remembered).unwrap_or_default(),
        options: Options::given(&args),
        name: args.name,
        fresh: args.fresh,
        manager: luggage.manager,
        detached: args.detached,
    };
    daemon::run(runtime, &config, luggage.metrics)?;
    Ok(())
}

/// The socket for metrics, if there are to be any; also where a switch of this name was killed
/// that had one. It stays in the network namespace where this is called: that of whoever asks for
/// them, not that of a lab.
///
/// # Errors
/// Where it cannot be bound.
pub(crate) fn bind_metrics(
    args: &RunArgs,
    runtime: Option<&RuntimeDir>,
) -> Result<Option<Listener>, MetricsError> {
    if args.successor {
        return Ok(None);
    }
    if args.metrics_from_stdin {
        return Listener::from_stdin().map(Some);
    }
    let remembered = || runtime.and_then(|runtime| daemon::remembered_metrics(runtime, &args.name));
    let address = match &args.metrics {
        Some(address) => Some(address.clone()),
        // The parent has asked already.
        None if args.fresh || args.detached => None,
        None => remembered(),
    };
    let is_leaving = || runtime.is_some_and(|runtime| daemon::was_killed(runtime, &args.name));
    address
        .as_ref()
        .map(|address| Listener::bind_patiently(address, is_leaving))
        .transpose()
}
