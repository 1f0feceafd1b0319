//! `vswitch detach`: disconnect a namespace from a switch.

use crate::args::DetachArgs;
use vswitch_control::client::Client;
use vswitch_control::protocol::{DetachParams, Removed, method};
use vswitch_control::runtime_dir::RuntimeDir;

pub(crate) fn run(runtime: &RuntimeDir, args: &DetachArgs) -> anyhow::Result<()> {
    let mut client = Client::choose(runtime, args.switch.as_ref(), super::BY_OPTION)?;
    let params = DetachParams {
        namespace: args.namespace.to_string(),
        port: args.port.as_ref().map(ToString::to_string),
    };
    client.call::<Removed>(method::DETACH, &params)?;
    Ok(())
}
