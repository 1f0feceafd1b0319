//! What the kernel tells of this process (proc(5)), under the names that all exporters use.

use std::fs;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{SysconfVar, sysconf};

use super::exposition::{Exposition, Kind};

/// Writes what is known; where there is no `/proc`, that is little.
pub(super) fn write(text: &mut Exposition, started: f64) {
    text.family(
        "process_start_time_seconds",
        Kind::Gauge,
        "When the process started, in seconds since 1970.",
    )
    .sample(&[], started);
    if let Some(seconds) = cpu_seconds() {
        text.family(
            "process_cpu_seconds_total",
            Kind::Counter,
            "Processor time that the process has used, in seconds.",
        )
        .sample(&[], seconds);
    }
    if let Some(bytes) = resident_bytes() {
        text.family(
            "process_resident_memory_bytes",
            Kind::Gauge,
            "Memory of the process that is not swapped out.",
        )
        .sample(&[], bytes);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // One of them reads the directory.
        let open = entries.count().saturating_sub(1);
        text.family("process_open_fds", Kind::Gauge, "Open file descriptors.")
            .sample(&[], open);
    }
    if let Ok((limit, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
        text.family(
            "process_max_fds",
            Kind::Gauge,
            "The most file descriptors that may be open.",
        )
        .sample(&[], limit);
    }
}

/// Of user and system together.
#[expect(clippy::cast_precision_loss, reason = "ticks of a century are exact")]
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, in brackets: utime and stime are the 12th and 13th.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    let per_second = sysconf(SysconfVar::CLK_TCK).ok()??;
    Some(ticks as f64 / per_second as f64)
}

fn resident_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    let page_bytes = sysconf(SysconfVar::PAGE_SIZE).ok()??;
    pages.checked_mul(u64::try_from(page_bytes).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_descriptors() {
        let mut text = Exposition::default();
        write(&mut text, 1.5);
        let text = text.into_text();
        assert!(
            text.contains("\nprocess_start_time_seconds 1.5\n"),
            "{text}"
        );
        let value = |name: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(name));
            line.unwrap().split(' ').nth(1).unwrap().parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes ") > 100_000.0);
        assert!(value("process_open_fds ") >= 3.0);
        assert!(value("process_max_fds ") >= 3.0);
        assert!(value("process_cpu_seconds_total ") >= 0.0);
    }
}
