//! `vswitch run`: start a switch.

use std::time::Duration;

use vswitch_switch::BridgeConfig;

use crate::args::RunArgs;
use crate::daemon::{self, Config};
use crate::runtime_dir::RuntimeDir;

pub(crate) fn run(runtime: &RuntimeDir, args: RunArgs) -> anyhow::Result<()> {
    if args.detach {
        daemon::start_detached(runtime, &args)?;
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
        detached: args.detached,
    };
    daemon::run(runtime, &config)?;
    Ok(())
}
