//! `vswitch top`: a switch at work, live.

mod feed;
mod keys;
mod live;
mod model;
mod rates;
mod screen;
mod signals;
mod snapshot;
mod view;

use super::WrongUsage;
use crate::args::TopArgs;
use crate::render;
use live::End;
use vswitch_control::client::Client;
use vswitch_control::runtime_dir::RuntimeDir;

pub(crate) fn run(runtime: &RuntimeDir, args: &TopArgs) -> anyhow::Result<()> {
    let is_snapshot = args.once || args.json;
    if !is_snapshot && let Some(obstacle) = live::obstacle() {
        let sentence =
            format!("'vswitch top' needs a terminal, and {obstacle}: use --once or --json");
        return Err(WrongUsage(sentence).into());
    }
    let mut client = Client::choose(runtime, args.switch.as_ref(), super::BY_OPTION)?;
    if is_snapshot {
        return snapshot::run(&mut client, args.interval, args.json);
    }
    let name = client.switch().clone();
    match live::run(runtime, client, args)? {
        End::Asked => Ok(()),
        End::Stopped => Ok(render::print(&format!(
            "the switch '{name}' was stopped\n"
        ))?),
        End::Gone(error) => Err(error),
    }
}
