//! Attaching and detaching very often: memory and descriptors must not grow.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use vswitch_netns::Namespace;

use crate::args::ChurnArgs;
use crate::faults::forwarder::{Client, Forwarder, Res};
use crate::faults::scene::Host;
use crate::faults::vswitch::Vswitch;
use crate::faults::{descriptors, descriptors_at_rest, memory};
use crate::harness::isolation::in_namespaces;

/// What memory may grow by: the allocator's own to and fro.
const DRIFT_BYTES: u64 = 1 << 20;
/// Cycles before what counts, in which pools and tables get their size.
const WARM_UP: u64 = 500;

pub(crate) fn run(options: &ChurnArgs) -> ExitCode {
    let cycles = options.cycles;
    match in_namespaces("churn", move || cycle(cycles)).and_then(|outcome| outcome) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn cycle(cycles: u64) -> Res<bool> {
    let mut switch = Vswitch::start(&[])?;
    let pid = switch.pid().unwrap_or_default();
    let host = Host(1);
    Namespace::create(&host.name()).map_err(|error| error.to_string())?;
    let mut again = |count| -> Res {
        for _ in 0..count {
            switch.attach(host)?;
            switch.detach(host)?;
        }
        Ok(())
    };
    again(WARM_UP)?;
    let (memory_before, open_before) = (memory(pid), descriptors_at_rest(pid));
    let start = Instant::now();
    let mut done = 0;
    while done < cycles {
        let next = (cycles - done).min(1_000);
        again(next)?;
        done += next;
        eprint!(
            "\r{done} cycles, {} KiB, {} descriptors ",
            memory(pid) / 1024,
            descriptors(pid)
        );
    }
    let took = start.elapsed();
    let (memory_after, open_after) = (memory(pid), descriptors_at_rest(pid));
    let each = took.div_f64(cycles.max(1) as f64);
    eprintln!();
    println!(
        "{cycles} cycles of {each:.1?} in {:.0?}: memory {} KiB before, {} KiB after; descriptors \
         {open_before} before, {open_after} after",
        Duration::from_secs(took.as_secs()),
        memory_before / 1024,
        memory_after / 1024
    );
    Ok(memory_after <= memory_before + DRIFT_BYTES && open_after <= open_before)
}
