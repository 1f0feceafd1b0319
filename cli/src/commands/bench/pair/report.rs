//! What was measured between two namespaces, for people and for machines.

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::args::PairArgs;
use crate::measure::frames::Flood;
use crate::measure::no_loss::NoLoss;
use crate::measure::response::Responses;
use crate::measure::tcp::Throughput;
use crate::measure::{Outcome, Path, Test, Unit, figures};
use crate::render::table::{Column, table};
use vswitch_control::protocol::SwitchView;
use vswitch_control::units;

/// What was measured. Fields are added, never renamed or removed; null is what was not measured.
#[derive(Serialize)]
pub(super) struct Report {
    switch: String,
    from: String,
    to: String,
    address: Option<IpAddr>,
    /// Whether it ended early.
    pub(super) interrupted: bool,
    /// Over as many streams as asked for.
    tcp: Option<TcpReport>,
    /// Over one.
    tcp_one: Option<TcpReport>,
    response: Option<ResponseReport>,
    response_one_cpu: Option<ResponseReport>,
    frames: Vec<FramesReport>,
    no_loss: Vec<NoLossReport>,
    #[serde(skip)]
    streams: usize,
    #[serde(skip)]
    rows: Vec<Vec<String>>,
}

#[derive(Clone, Serialize)]
struct TcpReport {
    streams: usize,
    bytes: u64,
    seconds: f64,
    bits_per_second: f64,
    retransmits: u64,
}

#[derive(Serialize)]
struct ResponseReport {
    exchanges: usize,
    p50_us: f64,
    p90_us: f64,
    p99_us: f64,
}

#[derive(Serialize)]
struct FramesReport {
    size: usize,
    /// From so many stations in turn.
    sources: usize,
    /// The window in which the rates and the CPU time were counted: after the warm-up.
    seconds: f64,
    /// Received in the window, per second of it.
    frames_per_second: f64,
    /// Sent in the window, per second of it.
    sent_per_second: f64,
    /// In the window. Null where the machine was busy with something else before.
    cpu_ns_per_frame: Option<f64>,
    /// Before the test: 1 is one CPU all the time.
    cpus_busy_before: f64,
    /// In the whole run, before and after the window too.
    sent: u64,
    /// What B's interface counted in the whole run: of others' frames too, so that it may be more
    /// than was sent.
    received: u64,
    /// By how much that is less than what was sent, or 0.
    lost: u64,
}

#[derive(Serialize)]
struct NoLossReport {
    size: usize,
    frames_per_second: f64,
    /// Whether a longer trial at this rate lost nothing either.
    confirmed: bool,
    limited_by_sender: bool,
    sender_frames_per_second: f64,
    trials: u32,
}

impl Report {
    pub(super) fn new(view: &SwitchView, args: &PairArgs, path: &Path) -> Self {
        Self {
            switch: view.name.clone(),
            from: args.from.to_string(),
            to: args.to.to_string(),
            address: path.to.address,
            interrupted: false,
            tcp: None,
            tcp_one: None,
            response: None,
            response_one_cpu: None,
            frames: Vec::new(),
            no_loss: Vec::new(),
            streams: args.streams.into(),
            rows: Vec::new(),
        }
    }

    /// How many tests have given something.
    pub(super) const fn tests_done(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing was measured.
    pub(super) const fn is_empty(&self) -> bool {
        self.tests_done() == 0
    }

    pub(super) fn add(&mut self, test: Test, outcome: &Outcome) {
        let (result, details) = match outcome {
            Outcome::Tcp(throughput) => tcp_row(throughput),
            Outcome::Response(responses) => response_row(responses),
            Outcome::Frames(flood) => frames_row(flood),
            Outcome::NoLoss(no_loss) => no_loss_row(no_loss),
        };
        self.rows.push(vec![test.name(), result, details]);
        match (test, outcome) {
            (Test::Tcp { streams }, Outcome::Tcp(throughput)) => {
                let report = TcpReport::from(throughput);
                if streams == 1 {
                    self.tcp_one = Some(report.clone());
                }
                if streams == self.streams {
                    self.tcp = Some(report);
                }
            }
            (Test::Response { one_cpu }, Outcome::Response(responses)) => {
                let report = Some(ResponseReport::from(responses));
                if one_cpu {
                    self.response_one_cpu = report;
                } else {
                    self.response = report;
                }
            }
            (Test::Frames { size, sources }, Outcome::Frames(flood)) => {
                self.frames.push(FramesReport::new(size, sources, flood));
            }
            (Test::NoLoss { size }, Outcome::NoLoss(no_loss)) => {
                self.no_loss.push(NoLossReport::new(size, no_loss));
            }
            _ => {} // a test has an outcome of its own kind
        }
    }

    pub(super) fn text(&self) -> String {
        let address = self
            .address
            .map_or_else(String::new, |address| format!(" ({address})"));
        let columns = [
            Column::Left("test"),
            Column::Right("result"),
            Column::Left("details"),
        ];
        format!(
            "{} to {}{address} over {}\n{}",
            self.from,
            self.to,
            self.switch,
            table(&columns, self.rows.clone())
        )
    }
}

impl From<&Throughput> for TcpReport {
    fn from(throughput: &Throughput) -> Self {
        Self {
            streams: throughput.streams,
            bytes: throughput.bytes,
            seconds: throughput.elapsed.as_secs_f64(),
            bits_per_second: throughput.bits_per_second(),
            retransmits: throughput.retransmits,
        }
    }
}

impl From<&Responses> for ResponseReport {
    fn from(responses: &Responses) -> Self {
        let micros = |percent| percentile(responses, percent).as_secs_f64() * 1e6;
        Self {
            exchanges: responses.count(),
            p50_us: micros(50),
            p90_us: micros(90),
            p99_us: micros(99),
        }
    }
}

impl FramesReport {
    fn new(size: usize, sources: usize, flood: &Flood) -> Self {
        Self {
            size,
            sources,
            seconds: flood.time.as_secs_f64(),
            frames_per_second: flood.frames_per_second(),
            sent_per_second: flood.sent_per_second(),
            cpu_ns_per_frame: flood.cpu_per_frame().map(|seconds| seconds * 1e9),
            cpus_busy_before: flood.busy_before,
            sent: flood.all_sent,
            received: flood.all_received,
            lost: flood.lost(),
        }
    }
}

impl NoLossReport {
    fn new(size: usize, no_loss: &NoLoss) -> Self {
        Self {
            size,
            frames_per_second: no_loss.frames_per_second,
            confirmed: no_loss.confirmed,
            limited_by_sender: no_loss.limited_by_sender,
            sender_frames_per_second: no_loss.sender_limit,
            trials: no_loss.trials,
        }
    }
}

fn percentile(responses: &Responses, percent: usize) -> Duration {
    responses.percentile(percent).unwrap_or_default()
}

fn tcp_row(throughput: &Throughput) -> (String, String) {
    (
        Unit::BitsPerSecond.format(throughput.bits_per_second()),
        format!(
            "{} in {}; segments sent again: {}",
            units::bytes(throughput.bytes),
            figures::duration(throughput.elapsed),
            units::count(throughput.retransmits),
        ),
    )
}

fn response_row(responses: &Responses) -> (String, String) {
    let span = |percent| figures::duration(percentile(responses, percent));
    (
        span(50),
        format!(
            "median; 90 %: {}, 99 %: {}; one byte there and back, {} times",
            span(90),
            span(99),
            units::count(responses.count() as u64),
        ),
    )
}

fn frames_row(flood: &Flood) -> (String, String) {
    let cpu = flood.cpu_per_frame().map_or_else(
        || "unknown, since the machine was busy before".to_owned(),
        |seconds| format!("{} a frame", Unit::Seconds.format(seconds)),
    );
    (
        Unit::FramesPerSecond.format(flood.frames_per_second()),
        format!(
            "received, of {} sent; lost in all: {}; CPU: {cpu}",
            Unit::FramesPerSecond.format(flood.sent_per_second()),
            units::count(flood.lost()),
        ),
    )
}

fn no_loss_row(no_loss: &NoLoss) -> (String, String) {
    let limit = Unit::FramesPerSecond.format(no_loss.sender_limit);
    let trials = no_loss.trials;
    (
        Unit::FramesPerSecond.format(no_loss.frames_per_second),
        if !no_loss.confirmed {
            format!("not confirmed by a longer trial; the sender can {limit}; {trials} trials")
        } else if no_loss.limited_by_sender {
            format!("the sender can offer no more; {trials} trials")
        } else {
            format!("highest rate without loss, where the sender can {limit}; {trials} trials")
        },
    )
}
