//! Who reaches whom.

use std::io::{IsTerminal, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Serialize;

use super::hosts;
use crate::args::PingArgs;
use crate::measure::Stop;
use crate::measure::reach::{self, Finding, Outcome, Plan, Station};
use crate::render::{self, Matrix};
use vswitch_control::exit::signalled;
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_control::units;

/// How often the progress is told.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// What `--json` has. Fields are added, never renamed or removed.
#[derive(Serialize)]
struct Report<'a> {
    hosts: Vec<HostReport<'a>>,
    pairs: Vec<PairReport<'a>>,
    reached: usize,
    failed: usize,
    interrupted: bool,
    seconds: f64,
}

#[derive(Serialize)]
struct HostReport<'a> {
    name: &'a str,
    addresses: Vec<IpAddr>,
}

#[derive(Serialize)]
struct PairReport<'a> {
    from: &'a str,
    to: &'a str,
    address: IpAddr,
    family: u8,
    reached: bool,
    rtt_us: Option<f64>,
    error: Option<&'static str>,
}

pub(super) fn run(runtime: &RuntimeDir, args: &PingArgs) -> anyhow::Result<ExitCode> {
    let hosts = hosts::plugged(runtime, args.switch.as_ref())?;
    let stop = Stop::on_signals()?;
    // Three descriptors for each namespace.
    vswitch_control::limits::raise();
    let mut stations = Vec::new();
    for (name, interfaces) in &hosts {
        stations.push(Station::open(name, Some(interfaces))?);
    }
    let families = [!args.family.v4, !args.family.v6];
    let has_any =
        |v4: usize| families[v4] && stations.iter().filter(|s| s.has(v4 == 1)).count() > 1;
    if !has_any(0) && !has_any(1) {
        bail!(
            "no two of the {} namespaces have addresses that the other could reach: give them some with 'vswitch addr add', or attach them with --ip",
            stations.len()
        );
    }
    let plan = Plan {
        families,
        patience: args.timeout,
        size: args.size.into(),
    };
    let start = Instant::now();
    let mut progress = Progress::new(&stations, plan);
    let found = reach::run(&mut stations, plan, &stop, |done| progress.tell(done));
    progress.end();
    let mut found = found?;
    found.sort_unstable_by_key(|finding| (finding.from, finding.to, finding.address));
    report(&stations, &found, start.elapsed(), &stop, args)?;
    Ok(match stop.signal() {
        Some(signal) => {
            crate::complain(&format!(
                "interrupted; {} answers are missing",
                progress.left(found.len())
            ));
            ExitCode::from(signalled(signal.into()))
        }
        None if found.iter().all(Finding::reached) => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    })
}

fn report(
    stations: &[Station],
    found: &[Finding],
    time: Duration,
    stop: &Stop,
    args: &PingArgs,
) -> anyhow::Result<()> {
    let reached = found.iter().filter(|finding| finding.reached()).count();
    if args.json {
        let pair = |finding: &Finding| PairReport {
            from: &stations[finding.from].name,
            to: &stations[finding.to].name,
            address: finding.address,
            family: if finding.address.is_ipv4() { 4 } else { 6 },
            reached: finding.reached(),
            rtt_us: match finding.outcome {
                Outcome::Reached(time) => Some(time.as_secs_f64() * 1e6),
                _ => None,
            },
            error: match finding.outcome {
                Outcome::Reached(_) => None,
                Outcome::Silent => Some("no answer"),
                Outcome::NotSent(errno) => Some(errno.desc()),
            },
        };
        let host = |station: &'_ Station| (station.name.clone(), station.addresses().collect());
        let hosts: Vec<(String, Vec<IpAddr>)> = stations.iter().map(host).collect();
        render::print_json(&Report {
            hosts: hosts
                .iter()
                .map(|(name, addresses)| HostReport {
                    name,
                    addresses: addresses.clone(),
                })
                .collect(),
            pairs: found.iter().map(pair).collect(),
            reached,
            failed: found.len() - reached,
            interrupted: stop.is_set(),
            seconds: time.as_secs_f64(),
        })?;
        return Ok(());
    }
    let names: Vec<&str> = stations
        .iter()
        .map(|station| station.name.as_str())
        .collect();
    let text = render::matrix(&Matrix {
        names: &names,
        found,
        time,
        columns: render::terminal_columns(),
    });
    render::print(&text)?;
    Ok(())
}

/// Tells on a terminal how far it is, where it takes long.
struct Progress {
    total: usize,
    told: Option<Instant>,
    shown: bool,
}

impl Progress {
    fn new(stations: &[Station], plan: Plan) -> Self {
        let mut total = 0;
        for v4 in [false, true] {
            if plan.families[usize::from(v4)] {
                let askers = stations.iter().filter(|station| station.has(v4)).count();
                let of_family =
                    |station: &Station| station.addresses().filter(|a| a.is_ipv4() == v4).count();
                total += stations.iter().map(of_family).sum::<usize>() * askers.saturating_sub(1);
            }
        }
        Self {
            total,
            told: std::io::stderr().is_terminal().then(Instant::now),
            shown: false,
        }
    }

    /// What is missing of all that was to be found.
    fn left(&self, found: usize) -> usize {
        self.total.saturating_sub(found)
    }

    fn tell(&mut self, done: usize) {
        let Some(told) = self.told.filter(|told| told.elapsed() >= TELL_EVERY) else {
            return;
        };
        let _ = told;
        self.told = Some(Instant::now());
        self.shown = true;
        let count = |number: usize| units::count(number.try_into().unwrap_or(u64::MAX));
        let _ = write!(
            std::io::stderr(),
            "\r{} of {} ",
            count(done),
            count(self.total)
        );
    }

    /// Wipes it off.
    fn end(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
