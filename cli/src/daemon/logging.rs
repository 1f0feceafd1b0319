//! The daemon's log: standard error, which is the terminal or the log's file.

use std::io::Write;

use env_logger::{Builder, Env};

/// Begins to log. `VSWITCH_LOG` says how much, in the notation of `env_logger`; by default all
/// that changes the switch, and all that goes wrong.
pub(crate) fn start() {
    let env = Env::default().filter_or("VSWITCH_LOG", "info");
    let started = Builder::from_env(env)
        .format(|buffer, record| {
            let time = buffer.timestamp_seconds();
            let style = buffer.default_level_style(record.level());
            let level = record.level().as_str().to_lowercase();
            // One event is one line, whatever somebody has named an interface.
            let text = record.args().to_string().replace('\n', " ");
            writeln!(buffer, "{time} {style}{level:<5}{style:#} {text}")
        })
        .try_init();
    // Fails only where a logger exists, as in a program that runs two daemons.
    drop(started);
}
