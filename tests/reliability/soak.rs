//! Traffic for hours, with a fault every few seconds.
//!
//! Theory of operation. In the first part every fault is done once, those that start the switch
//! anew before all others. Then memory and descriptors are noted, and faults are drawn by lot until
//! the time is over. In the last part those that leave the process alone are done once more, in the
//! order of the first, so that like is compared with like: by then neither may have grown. Before each
//! fault and after it traffic rests for a moment, so that every frame can be accounted for.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rand::prelude::*;

use crate::args::SoakArgs;
use crate::faults::forwarder::Res;
use crate::faults::scene::{Pace, Scene};
use crate::faults::{self, Fault, Outcome, Rival, descriptors_at_rest, memory};
use crate::harness::isolation::in_namespaces;
use crate::rate;

/// What memory may grow by.
const DRIFT_BYTES: u64 = 1 << 20;
/// After so long, nothing is open that nobody wants.
const REST: Duration = Duration::from_secs(2);
/// The table of the switch: as the fault with the most demanding one wants it.
const OPTIONS: [&str; 2] = ["--max-macs", "4096"];
/// Faults after which another process forwards.
const OF_PROCESS: [&str; 4] = ["killed", "killed-at-once", "torn-state", "restart"];

/// Runs it; the exit status is 1 where a promise was broken.
pub(crate) fn run(options: &SoakArgs) -> ExitCode {
    let options = options.clone();
    match in_namespaces("soak", move || Soak::run(options)).and_then(|outcome| outcome) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What was seen of the process.
#[derive(Clone, Copy, Debug)]
struct Sample {
    memory: u64,
    descriptors: usize,
}

struct Soak {
    options: SoakArgs,
    scene: Scene,
    start: Instant,
    rounds: u64,
    sent: u64,
    /// Lost where that is not promised otherwise.
    lost: u64,
    baseline: Option<Sample>,
    most: u64,
    broken: Vec<String>,
    late: u64,
}

impl Soak {
    fn run(options: SoakArgs) -> Res<bool> {
        let pace = Pace {
            rate: 0.0,
            times: 20,
            lead: Duration::from_millis(200),
            on_one_processor: false,
            in_flight: None,
        };
        let mut scene = Scene::set(Rival::Vswitch, pace, &OPTIONS)?;
        scene.pace.rate = match options.rate {
            Some(rate) => rate,
            None => rate::no_loss(&mut scene)? / 2.0,
        };
        println!(
            "four hosts send {:.0} frames/s each, for {} s, with a fault every {} s (seed {})",
            scene.pace.rate, options.time, options.every, options.seed
        );
        let mut soak = Self {
            options,
            scene,
            start: Instant::now(),
            rounds: 0,
            sent: 0,
            lost: 0,
            baseline: None,
            most: 0,
            broken: Vec::new(),
            late: 0,
        };
        soak.every_fault_once()?;
        soak.baseline = Some(soak.sample_at_rest());
        soak.by_lot()?;
        soak.every_other_once()?;
        Ok(soak.report())
    }

    fn every_fault_once(&mut self) -> Res {
        for fault in possible().iter().filter(|fault| is_of_process(fault)) {
            self.round(fault)?;
        }
        self.every_other_once()
    }

    /// Every fault after which the same process forwards.
    fn every_other_once(&mut self) -> Res {
        let faults = possible();
        let mut others = faults.iter().filter(|fault| !is_of_process(fault));
        others.try_for_each(|fault| self.round(fault))
    }

    fn by_lot(&mut self) -> Res {
        let mut faults = possible();
        faults.retain(|fault| !is_of_process(fault));
        let mut random = StdRng::seed_from_u64(self.options.seed);
        let end = self.start + Duration::from_secs(self.options.time);
        while Instant::now() < end {
            if let Some(fault) = faults.choose(&mut random) {
                self.round(fault)?;
            }
        }
        Ok(())
    }

    /// One fault, with traffic before and after.
    fn round(&mut self, fault: &Fault) -> Res {
        let start = Instant::now();
        let outcome = fault
            .happen(&mut self.scene)
            .map_err(|error| format!("{}: {error}", fault.name));
        let outcome = outcome.inspect_err(|_| eprintln!("{}", self.scene.log()))?;
        self.rounds += 1;
        self.account(fault, &outcome);
        let rest = Duration::from_secs(self.options.every).saturating_sub(start.elapsed());
        if rest > Duration::from_millis(500) {
            self.quietly(rest)?;
        }
        let sample = self.sample();
        self.most = self.most.max(sample.memory);
        self.progress(fault, sample)
    }

    /// Traffic without a fault.
    fn quietly(&mut self, time: Duration) -> Res {
        let nothing = Fault {
            inject: |_| Ok(()),
            ..possible().swap_remove(0)
        };
        let lead = std::mem::replace(&mut self.scene.pace.lead, time / 2);
        let outcome = nothing.happen(&mut self.scene);
        self.scene.pace.lead = lead;
        self.account(&nothing, &outcome?);
        Ok(())
    }

    fn account(&mut self, fault: &Fault, outcome: &Outcome) {
        self.sent += outcome.others.sent + outcome.victim.sent;
        for (promise, fate) in [
            (fault.others, outcome.others),
            (fault.victim, outcome.victim),
        ] {
            if promise.lost.is_some() {
                self.lost += fate.lost.saturating_sub(fate.overrun);
            }
        }
        self.late += outcome.late.len() as u64;
        let notes = outcome.notes.join("; ");
        for broken in &outcome.broken {
            let broken = format!(
                "{} s, {}: {broken} ({notes})",
                self.start.elapsed().as_secs(),
                fault.name
            );
            eprintln!("\n{broken}");
            self.broken.push(broken);
        }
    }

    fn sample(&self) -> Sample {
        let pid = self.scene.switch.pid().unwrap_or_default();
        Sample {
            memory: memory(pid),
            descriptors: descriptors_at_rest(pid),
        }
    }

    /// The same once all is closed that was prepared and is not wanted.
    fn sample_at_rest(&self) -> Sample {
        std::thread::sleep(REST);
        self.sample()
    }

    fn progress(&self, fault: &Fault, sample: Sample) -> Res {
        let line = format!(
            "{:5} s  {:16} {:12} sent  {} lost  {} KiB  {} descriptors  {} broken",
            self.start.elapsed().as_secs(),
            fault.name,
            self.sent,
            self.lost,
            sample.memory / 1024,
            sample.descriptors,
            self.broken.len()
        );
        eprintln!("{line}");
        let Some(path) = &self.options.samples else {
            return Ok(());
        };
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|mut file| writeln!(file, "{line}"))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Prints what came of it; whether all was as promised.
    fn report(mut self) -> bool {
        let after = self.sample_at_rest();
        let before = self.baseline.unwrap_or(after);
        if after.memory > before.memory + DRIFT_BYTES {
            self.broken.push(format!(
                "memory grew by {} KiB",
                (after.memory - before.memory) / 1024
            ));
        }
        if after.descriptors > before.descriptors {
            self.broken.push(format!(
                "{} descriptors more",
                after.descriptors - before.descriptors
            ));
        }
        println!(
            "{} s, {} faults, {} frames sent, {} lost where none may be\nmemory {} KiB at first, {} \
             KiB at last, {} KiB at most; descriptors {} at first, {} at last\n{} gaps or recoveries \
             longer than promised",
            self.start.elapsed().as_secs(),
            self.rounds,
            self.sent,
            self.lost,
            before.memory / 1024,
            after.memory / 1024,
            self.most / 1024,
            before.descriptors,
            after.descriptors,
            self.late
        );
        for broken in &self.broken {
            println!("BROKEN: {broken}");
        }
        println!(
            "{}",
            if self.broken.is_empty() {
                "all as promised"
            } else {
                "not as promised"
            }
        );
        self.broken.is_empty()
    }
}

fn is_of_process(fault: &Fault) -> bool {
    OF_PROCESS.contains(&fault.name)
}

/// Those whose programs are there. The first is no fault at all.
fn possible() -> Vec<Fault> {
    faults::all()
        .into_iter()
        .filter(Fault::is_possible)
        .collect()
}
