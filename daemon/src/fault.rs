//! What a fault of the program itself leads to.
//!
//! A thread that panics leaves the others with half of what they need: a switch that answers and
//! does not forward, or the other way round. So the process ends at once, whichever thread it was,
//! says why in its last line, and dismantles nothing: the next `vswitch run` of its name finds all
//! that there was.

use std::panic::{self, PanicHookInfo};
use std::process;
use std::thread;

use super::Notifier;
use vswitch_control::exit;
use vswitch_control::names::SwitchName;

/// Has a panic of any thread end the process.
pub(super) fn ends_the_process(switch: &SwitchName, manager: &Notifier) {
    let print = panic::take_hook();
    let (switch, manager) = (switch.clone(), manager.clone());
    panic::set_hook(Box::new(move |info| {
        // Where it was, and, if RUST_BACKTRACE is set, how it got there.
        print(info);
        let reason = reason(info);
        manager.failing(&reason);
        last_line(&format!(
            "the switch '{switch}' has ended: {reason}; this is a fault of vswitch, please report \
             it; 'vswitch run {switch}' restores it"
        ));
        process::exit(exit::FAULT.into());
    }));
}

fn reason(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let said = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let thread = thread::current();
    let name = thread.name().unwrap_or("without a name");
    let place = info.location().map(ToString::to_string);
    let place = place.unwrap_or_else(|| "somewhere".to_owned());
    format!("its thread '{name}' panicked at {place}: {said}")
}

/// Writes a line as the log has them, whoever holds the log's locks.
fn last_line(text: &str) {
    let time = jiff::Timestamp::now();
    let line = format!("{time:.0} error {}\n", vswitch_control::plain::text(text));
    // Fails where nobody can read it.
    let _ = nix::unistd::write(std::io::stderr(), line.as_bytes());
}

/// Faults on demand, in a program built for tests: which are named by `VSWITCH_FAULT`.
#[cfg(debug_assertions)]
pub(super) fn is_wanted(fault: &str) -> bool {
    std::env::var("VSWITCH_FAULT").is_ok_and(|wanted| wanted == fault)
}

/// None in a program that is installed.
#[cfg(not(debug_assertions))]
pub(super) const fn is_wanted(_fault: &str) -> bool {
    false
}
