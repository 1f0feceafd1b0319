//! `vswitch restart`: let a new process of the program go on with a switch.

use std::time::Duration;

use crate::args::RestartArgs;
use crate::render::{self, Patience};
use vswitch_control::client::Client;
use vswitch_control::protocol::{NoParams, RestartView, method};
use vswitch_control::runtime_dir::RuntimeDir;

/// How long the new process may take to get ready: longer than the daemon itself waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(runtime: &RuntimeDir, args: &RestartArgs) -> anyhow::Result<()> {
    let how = "as in 'vswitch restart NAME'";
    let mut client = Client::choose(runtime, args.name.as_ref(), how)?;
    client.set_patience(PATIENCE)?;
    let _patience = Patience::with(format!(
        "waiting for the new process, for {} seconds at most; the switch goes on meanwhile",
        PATIENCE.as_secs()
    ));
    let view: RestartView = client.call(method::RESTART, &NoParams {})?;
    if args.json {
        render::print_json(&view)?;
    } else {
        render::print_sentence(&sentence(&view))?;
    }
    Ok(())
}

fn sentence(view: &RestartView) -> String {
    let pause = Duration::from_micros(view.pause_us).as_secs_f64() * 1000.0;
    format!(
        "process {} has taken over the switch '{}'; frames waited {pause:.1} ms\n",
        view.pid, view.name
    )
}
