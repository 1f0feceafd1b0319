//! Faults one after the other, and the table of what they did.

use std::process::ExitCode;
use std::time::Duration;

use crate::args::FaultsArgs;
use crate::faults::scene::{Fate, Pace};
use crate::faults::{self, CANNOT, Fault, Outcome, Promise, Rival};
use crate::harness::isolation::in_namespaces;

/// Prints the faults.
pub(crate) fn list() -> ExitCode {
    for fault in faults::all() {
        println!("{:16} {}", fault.name, fault.injected);
    }
    ExitCode::SUCCESS
}

/// Does faults, prints what became of the frames.
pub(crate) fn run(options: &FaultsArgs) -> ExitCode {
    let known = faults::all();
    let is_known = |name: &String| known.iter().any(|fault| fault.name == *name);
    if let Some(unknown) = options.names.iter().find(|name| !is_known(name)) {
        eprintln!("there is no fault '{unknown}': 'list' tells which there are");
        return ExitCode::from(2);
    }
    let pace = Pace {
        rate: options.rate,
        times: options.times,
        lead: Duration::from_millis(300),
        on_one_processor: false,
        in_flight: None,
    };
    if options.markdown {
        println!(
            "| fault | how it is done | promised | switch | lost | longest gap | back after | seen |\n\
             | --- | --- | --- | --- | ---: | ---: | ---: | --- |"
        );
    }
    let mut is_broken = false;
    for fault in &known {
        if !options.names.is_empty() && !options.names.iter().any(|name| name == fault.name) {
            continue;
        }
        if !fault.is_possible() {
            let needs = fault.needs.unwrap_or_default();
            eprintln!("{} is left out: {needs} is not installed", fault.name);
            continue;
        }
        for rival in options.rival.iter().map(|rival| Rival::from(*rival)) {
            let (promised, inject) = (fault.others, fault.clone());
            let outcome = in_namespaces(fault.name, move || inject.run(rival, pace));
            let outcome = outcome.and_then(|outcome| outcome);
            if options.markdown {
                print_row(fault, rival, &outcome);
            } else {
                print(fault, promised, rival, &outcome);
            }
            is_broken |= rival == Rival::Vswitch && breaks(&outcome, options.strict);
        }
    }
    if is_broken {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn breaks(outcome: &Result<Outcome, String>, strict: bool) -> bool {
    match outcome {
        Ok(outcome) => !outcome.broken.is_empty() || strict && !outcome.late.is_empty(),
        Err(_) => true,
    }
}

fn print(fault: &Fault, promised: Promise, rival: Rival, outcome: &Result<Outcome, String>) {
    println!("{} ({rival}): {}", fault.name, fault.injected);
    match outcome {
        Err(error) if error == CANNOT => println!("  has no such thing"),
        Err(error) => println!("  FAILED: {error}"),
        Ok(outcome) => {
            println!("  promised to others: {}", in_words(promised));
            println!("  others: {}", told(outcome.others));
            println!("  victim: {}", told(outcome.victim));
            for note in &outcome.notes {
                println!("  {note}");
            }
            for broken in &outcome.broken {
                println!("  BROKEN: {broken}");
            }
            if !outcome.broken.is_empty() {
                outcome.log.lines().for_each(|line| println!("  | {line}"));
            }
            for late in &outcome.late {
                println!("  late: {late}");
            }
        }
    }
}

fn print_row(fault: &Fault, rival: Rival, outcome: &Result<Outcome, String>) {
    let Fault { name, injected, .. } = fault;
    let promised = match (in_words(fault.others), in_words(fault.victim)) {
        (others, victim) if others == victim => others,
        (others, victim) => format!("others: {others}; the port itself: {victim}"),
    };
    let start = format!("| {name} | {injected} | {promised} | {rival} |");
    match outcome {
        Err(error) if error == CANNOT => println!("{start} – | – | – | has no such thing |"),
        Err(error) => println!("{start} – | – | – | {error} |"),
        Ok(outcome) => {
            let Outcome { others, victim, .. } = outcome;
            let both = |one: String, other: String| format!("{one} / {other}");
            let count = |fate: Fate| match (fate.duplicates, fate.reordered) {
                (0, 0) => format!("{}", fate.lost),
                (twice, late) => format!("{} (twice {twice}, late {late})", fate.lost),
            };
            let gap = |fate: Fate| ms(fate.longest_gap);
            let back = |fate: Fate| fate.recovery.map_or("never".to_owned(), ms);
            let seen: Vec<_> = outcome
                .notes
                .iter()
                .chain(&outcome.broken)
                .cloned()
                .collect();
            println!(
                "{start} {} | {} | {} | {} |",
                both(count(*others), count(*victim)),
                both(gap(*others), gap(*victim)),
                both(back(*others), back(*victim)),
                seen.join("; ")
            );
        }
    }
}

fn told(fate: Fate) -> String {
    let Fate {
        sent,
        lost,
        duplicates,
        reordered,
        overrun,
        ..
    } = fate;
    format!(
        "{sent} sent, {lost} lost, {duplicates} twice, {reordered} out of order, longest gap {}, \
         back after {}{}",
        ms(fate.longest_gap),
        fate.recovery.map_or("never".to_owned(), ms),
        if overrun > 0 {
            format!(" ({overrun} lost by the stations themselves)")
        } else {
            String::new()
        }
    )
}

fn in_words(promise: Promise) -> String {
    let mut words = Vec::new();
    if !promise.in_disorder {
        words.push("none twice or out of order".to_owned());
    }
    match promise.lost {
        Some(0) => words.insert(0, "none lost".to_owned()),
        Some(most) => words.insert(0, format!("at most {most} lost")),
        None => {}
    }
    words.extend(promise.gap.map(|most| format!("no gap over {}", ms(most))));
    let recovery = promise
        .recovery
        .map(|most| format!("back within {}", ms(most)));
    words.extend(recovery);
    if words.is_empty() {
        return "they come again".to_owned();
    }
    words.join(", ")
}

fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else {
        format!("{ms:.0} ms")
    }
}
