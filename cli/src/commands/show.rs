//! `vswitch show`: everything about one switch.

use crate::args::ShowArgs;
use crate::render;
use vswitch_control::client::Client;
use vswitch_control::runtime_dir::RuntimeDir;

pub(crate) fn run(runtime: &RuntimeDir, args: &ShowArgs) -> anyhow::Result<()> {
    let mut client = Client::choose(runtime, args.name.as_ref(), "as in 'vswitch show NAME'")?;
    let view = client.show()?;
    if args.json {
        render::print_json(&view)?;
    } else {
        render::print(&render::switch(&view))?;
    }
    Ok(())
}
