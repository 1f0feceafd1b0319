//! The daemon's log: standard error, which is the terminal or the log's file.

mod limit;

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use env_logger::{Builder, Env, Logger};
use log::{Level, Log, Metadata, Record};

use limit::{Limiter, Site};
use vswitch_control::plain;

/// Begins to log. `VSWITCH_LOG` says how much, in the notation of `env_logger`; by default all
/// that changes the switch, and all that goes wrong.
pub(super) fn start() {
    let env = Env::default().filter_or("VSWITCH_LOG", "info");
    let logger = Builder::from_env(env)
        .format(|buffer, record| {
            let time = buffer.timestamp_seconds();
            let style = buffer.default_level_style(record.level());
            let level = record.level().as_str().to_lowercase();
            // One event is one line, whatever somebody has named an interface.
            let text = record.args().to_string();
            let text = plain::text(&text);
            writeln!(buffer, "{time} {style}{level:<5}{style:#} {text}")
        })
        .build();
    let most = logger.filter();
    let limited = Limited {
        logger,
        begin: Instant::now(),
        limiter: Mutex::default(),
    };
    // Fails only where a logger exists, as in a program that runs two daemons.
    if log::set_boxed_logger(Box::new(limited)).is_ok() {
        log::set_max_level(most);
    }
}

/// A log that nothing floods: each place in the program says its thing so often, and then how
/// often it would have.
struct Limited {
    logger: Logger,
    begin: Instant,
    limiter: Mutex<Limiter>,
}

impl Log for Limited {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.logger.matches(record) {
            return;
        }
        // Who wants to see that much sees all.
        if record.level() > Level::Info {
            return self.logger.log(record);
        }
        let site = Site {
            file: record.file_static().unwrap_or_default(),
            line: record.line().unwrap_or_default(),
            level: record.level(),
        };
        let now = self.begin.elapsed();
        let text = record.args().to_string();
        // The lock is not held while a slow terminal is written to.
        let (may, due) = {
            let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
            (limiter.may(site, now, &text), limiter.take_due(now))
        };
        for (site, left_out) in due {
            self.write(site.level, &left_out.to_string());
        }
        if may {
            self.write(record.level(), &text);
        }
    }

    /// Tells of all that was left out, since nothing may come after.
    fn flush(&self) {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let all = limiter.take_all();
        drop(limiter);
        for (site, left_out) in all {
            self.write(site.level, &left_out.to_string());
        }
        self.logger.flush();
    }
}

impl Limited {
    fn write(&self, level: Level, text: &str) {
        let mut record = Record::builder();
        record.level(level).target("vswitch");
        self.logger
            .log(&record.args(format_args!("{text}")).build());
    }
}
