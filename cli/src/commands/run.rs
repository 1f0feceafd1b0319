//! `vswitch run`: start a switch.

use super::Luggage;
use crate::args::RunArgs;
use crate::userlab;
use vswitch_control::metrics::{Listener, MetricsError};
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_daemon::{self as daemon, Config, Launch, Options};

pub(crate) fn run(runtime: &RuntimeDir, args: &RunArgs, luggage: Luggage) -> anyhow::Result<()> {
    let settings = args.settings();
    if args.successor {
        daemon::succeed(runtime, &args.name, settings.guard.unwrap_or_default())?;
        return Ok(());
    }
    let launch = luggage.launch.unwrap_or(Launch {
        options: Options {
            settings,
            lab: None,
        },
        fresh: args.fresh,
    });
    if args.detach {
        daemon::start_detached(runtime, &args.name, &launch, luggage.metrics)?;
        return Ok(());
    }
    let remembered = || daemon::remembered_guard(runtime, &args.name).filter(|_| !launch.fresh);
    let guard = launch.options.settings.guard.or_else(remembered);
    let config = Config {
        guard: guard.unwrap_or_default(),
        options: launch.options,
        name: args.name.clone(),
        fresh: launch.fresh,
        manager: luggage.manager,
        detached: args.detached,
        // Its lab can end without this process, which goes on as a switch.
        when_ready: userlab::settle,
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
    let remembered = || {
        let runtime = runtime.filter(|_| !args.fresh)?;
        daemon::remembered_metrics(runtime, &args.name)
    };
    let address = args.settings().metrics.or_else(remembered);
    let is_leaving = || runtime.is_some_and(|runtime| daemon::was_killed(runtime, &args.name));
    address
        .as_ref()
        .map(|address| Listener::bind_patiently(address, is_leaving))
        .transpose()
}
