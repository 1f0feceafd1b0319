//! `vswitch list`: the switches that run.

use std::time::Duration;

use serde::Serialize;

use crate::args::ListArgs;
use crate::render;
use vswitch_control::client::{Client, ClientError};
use vswitch_control::protocol::SwitchView;
use vswitch_control::runtime_dir::RuntimeDir;

/// How long one switch may hold up the list of the others.
const PATIENCE: Duration = Duration::from_secs(2);

/// A switch as `--json` has it.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    pid: u32,
    ports: usize,
    macs: u64,
}

impl<'a> From<&'a SwitchView> for Entry<'a> {
    fn from(view: &'a SwitchView) -> Self {
        Self {
            name: &view.name,
            pid: view.pid,
            ports: view.ports.len(),
            macs: view.macs,
        }
    }
}

pub(crate) fn run(runtime: &RuntimeDir, args: &ListArgs) -> anyhow::Result<()> {
    let mut views = Vec::new();
    let mut notes = Vec::new();
    for name in runtime.switches()? {
        let asked = Client::connect(runtime, &name).and_then(|mut client| {
            // Fails only for a span of zero.
            let _ = client.set_patience(PATIENCE);
            client.show()
        });
        match asked {
            Ok(view) => views.push(view),
            // A directory without a socket is no switch, or one that is just starting.
            Err(ClientError::NotRunning(_)) => {}
            // One switch in trouble does not hide the others.
            Err(error) => notes.push(error.to_string()),
        }
    }
    if args.json {
        let entries: Vec<Entry<'_>> = views.iter().map(Entry::from).collect();
        render::print_json(&entries)?;
    } else if views.is_empty() && notes.is_empty() {
        render::print("no switch is running: start one with 'vswitch run NAME --detach'\n")?;
    } else if !views.is_empty() {
        render::print(&render::switches(&views))?;
    }
    for note in notes {
        crate::complain(&note);
    }
    Ok(())
}
