//! One look at the rates, for scripts and for terminals that can't be drawn on.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use super::model::state_word;
use super::rates::{Moving, Rate, between, short, total};
use crate::render::table::{BAD, Column, FAINT, GOOD, HEADING, WARNING, paint, table};
use crate::render::{print, print_json};
use vswitch_control::client::Client;
use vswitch_control::protocol::{PortState, SwitchView, TrafficView};
use vswitch_control::units::{span, things};

pub(super) fn run(client: &mut Client, interval: Duration, json: bool) -> anyhow::Result<()> {
    let old = client.show()?;
    let begin = Instant::now();
    thread::sleep(interval);
    let new = client.show()?;
    let took = begin.elapsed();
    let ports = between(&old, &new, took);
    if json {
        print_json(&Snapshot::new(&new, &ports, took))?;
    } else {
        print(&text(&new, &ports))?;
    }
    Ok(())
}

fn text(view: &SwitchView, ports: &[Moving]) -> String {
    let (rx, tx, dropped) = total(ports);
    let mut text = format!(
        "{}  up {}, {}, in {} f/s and {} bit/s, out {} f/s and {} bit/s, {} drops/s\n\n",
        paint(HEADING, &view.name),
        span(view.uptime_s),
        things(view.macs, "station"),
        short(rx.frames),
        short(rx.bits),
        short(tx.frames),
        short(tx.bits),
        short(dropped),
    );
    let columns = [
        Column::Right("#"),
        Column::Left("port"),
        Column::Left("state"),
        Column::Left("namespace"),
        Column::Right("in f/s"),
        Column::Right("in bit/s"),
        Column::Right("out f/s"),
        Column::Right("out bit/s"),
        Column::Right("drops/s"),
    ];
    let rows = ports.iter().map(row).collect();
    text.push_str(&table(&columns, rows));
    text
}

fn row(moving: &Moving) -> Vec<String> {
    let port = &moving.port;
    let state = match port.state {
        PortState::Up => GOOD,
        PortState::Down => WARNING,
        PortState::Absent => BAD,
    };
    let dropped = moving.dropped();
    vec![
        port.id.to_string(),
        port.name.clone(),
        paint(state, state_word(moving)),
        port.namespace.clone().unwrap_or_else(|| paint(FAINT, "-")),
        short(moving.rx.frames),
        short(moving.rx.bits),
        short(moving.tx.frames),
        short(moving.tx.bits),
        if dropped > 0.0 {
            paint(WARNING, short(dropped))
        } else {
            short(dropped)
        },
    ]
}

/// A look as `--json` has it.
#[derive(Serialize)]
struct Snapshot<'a> {
    switch: &'a str,
    time: String,
    interval_s: f64,
    uptime_s: u64,
    macs: u64,
    max_macs: u64,
    rx: PerSecond,
    tx: PerSecond,
    drops_per_s: f64,
    ports: Vec<Port<'a>>,
}

#[derive(Serialize)]
struct PerSecond {
    frames_per_s: f64,
    bits_per_s: f64,
}

#[derive(Serialize)]
struct Port<'a> {
    id: u16,
    name: &'a str,
    namespace: Option<&'a str>,
    state: PortState,
    rx: Direction,
    tx: Direction,
    drops_per_s: f64,
    drops: BTreeMap<&'a str, Drops>,
}

#[derive(Serialize)]
struct Direction {
    #[serde(flatten)]
    total: TrafficView,
    #[serde(flatten)]
    rate: PerSecond,
}

#[derive(Serialize)]
struct Drops {
    frames: u64,
    frames_per_s: f64,
}

impl From<Rate> for PerSecond {
    fn from(rate: Rate) -> Self {
        Self {
            frames_per_s: rate.frames,
            bits_per_s: rate.bits,
        }
    }
}

impl<'a> Snapshot<'a> {
    fn new(view: &'a SwitchView, ports: &'a [Moving], took: Duration) -> Self {
        let (rx, tx, drops_per_s) = total(ports);
        Self {
            switch: &view.name,
            time: format!("{:.3}", Timestamp::now()),
            interval_s: took.as_secs_f64(),
            uptime_s: view.uptime_s,
            macs: view.macs,
            max_macs: view.settings.table_len(),
            rx: rx.into(),
            tx: tx.into(),
            drops_per_s,
            ports: ports.iter().map(Port::new).collect(),
        }
    }
}

impl<'a> Port<'a> {
    fn new(moving: &'a Moving) -> Self {
        let port = &moving.port;
        let direction = |total, rate: Rate| Direction {
            total,
            rate: rate.into(),
        };
        let drops = port.drops.iter().map(|(reason, frames)| {
            let frames_per_s = moving.drops.get(reason).copied().unwrap_or(0.0);
            let drops = Drops {
                frames: *frames,
                frames_per_s,
            };
            (reason.as_str(), drops)
        });
        Self {
            id: port.id,
            name: &port.name,
            namespace: port.namespace.as_deref(),
            state: port.state,
            rx: direction(port.rx, moving.rx),
            tx: direction(port.tx, moving.tx),
            drops_per_s: moving.dropped(),
            drops: drops.collect(),
        }
    }
}
