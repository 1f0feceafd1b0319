//! `vswitch explain`: what the switch would do with a frame, or does with those that come.

mod given;

use std::fmt::Write;

use crate::args::ExplainArgs;
use crate::commands::capture::{Lines, Running};
use crate::render;
use given::Given;
use vswitch_control::client::Client;
use vswitch_control::protocol::{CaptureParams, DirectionView, ExplainParams, ExplainView, method};
use vswitch_control::runtime_dir::RuntimeDir;

pub(crate) fn run(runtime: &RuntimeDir, args: &ExplainArgs) -> anyhow::Result<()> {
    if args.live {
        return live(runtime, args);
    }
    let Given {
        port,
        bytes,
        super_frame,
        checksum_unfinished,
    } = Given::new(args)?;
    let params = ExplainParams {
        port,
        frame: hex(&bytes),
        super_frame,
        checksum_unfinished,
    };
    let mut client = Client::choose(runtime, args.switch.as_ref(), super::BY_OPTION)?;
    let view: ExplainView = client.call(method::EXPLAIN, &params)?;
    if args.json {
        render::print_json(&view)?;
    } else {
        render::print(&render::explanation(&view))?;
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Nothing fails that writes to a text.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The same for frames as they come in.
fn live(runtime: &RuntimeDir, args: &ExplainArgs) -> anyhow::Result<()> {
    let params = CaptureParams {
        ports: args.ports.clone(),
        direction: Some(DirectionView::In),
        // The headers are enough to tell which frame it is.
        snaplen: Some(128),
        reasons: true,
        ..CaptureParams::default()
    };
    let running = Running::start(runtime, args.switch.as_ref(), &params)?;
    let lines = if args.json {
        Lines::json()
    } else {
        Lines::reasons()
    };
    running.put_out(Box::new(lines), args.count, None)
}
