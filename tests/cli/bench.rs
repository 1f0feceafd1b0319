//! `vswitch bench A B`.

use std::fs;
use std::process::Output;

use libtest_mimic::Trial;
use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{Surroundings, Switch, complaint, fails, json, ok, words};
use crate::harness::program::{Background, vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_bench_measures_between_attached_namespaces", tcp),
        isolated(
            "cli_bench_counts_the_frames_that_the_switch_forwards",
            frames,
        ),
        isolated("cli_bench_finds_a_rate_without_loss", no_loss),
        isolated("cli_bench_takes_frames_that_fit", sizes),
        isolated("cli_bench_refuses_what_it_cannot_measure", refused),
        isolated("cli_bench_tells_what_it_has_when_interrupted", interrupted),
        isolated("cli_bench_gives_the_switch_its_cpus_back", one_cpu),
        isolated("cli_bench_ends_with_the_switch", switch_stopped),
        isolated("cli_bench_says_what_it_measures", definitions),
    ]
}

/// A switch with mario and luigi on it.
fn lab() -> Switch {
    let switch = Switch::start("s");
    ok("attach mario --ip 10.0.0.1/24");
    ok("attach luigi --ip 10.0.0.2/24");
    switch
}

fn background(line: &str) -> Background {
    Background::start(vswitch(words(line))).unwrap()
}

/// The threads of a process, as long as it is there (proc(5)).
fn threads(pid: u32) -> Vec<Pid> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"));
    let names = entries.into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let numbers = names.filter_map(|name| name.parse().ok());
    numbers.map(Pid::from_raw).collect()
}

fn tcp() {
    let _switch = Switch::start("s");
    ok("attach mario --ip fd00::1/64");
    ok("attach luigi --ip fd00::2/64 --ip 10.0.0.2/24");
    assert!(fails("bench mario luigi --time 1", 1).contains("10.0.0.2"));
    ok("detach mario");
    ok("attach mario --ip 10.0.0.1/24");
    let report = json("bench mario luigi --time 1 --streams 2 --tests tcp,response");
    assert_eq!(report["switch"], "s");
    assert_eq!(report["address"], "10.0.0.2");
    assert_eq!(report["interrupted"], false);
    assert_eq!(report["tcp"]["streams"], 2);
    assert_eq!(report["tcp_one"]["streams"], 1);
    for tcp in [&report["tcp"], &report["tcp_one"]] {
        assert!(tcp["bits_per_second"].as_f64().unwrap() > 0.0);
        assert!(tcp["bytes"].as_u64().unwrap() > 0);
    }
    let response = &report["response"];
    assert!(response["exchanges"].as_u64().unwrap() > 0);
    assert!(response["p50_us"].as_f64() <= response["p99_us"].as_f64());
    assert_eq!(report["frames"], json!([]), "not asked for");
}

fn frames() {
    let switch = Switch::start("s");
    ok("attach mario"); // without addresses: raw frames need none
    ok("attach luigi");
    let before = Surroundings::now();
    let report = json("bench mario luigi --time 1 --tests frames --size 64");
    assert_eq!(Surroundings::now(), before);
    assert_eq!(report["address"], Value::Null);
    assert_eq!(report["tcp"], Value::Null);
    let frames = &report["frames"][0];
    assert_eq!(frames["size"], 64);
    assert!(frames["frames_per_second"].as_f64().unwrap() > 0.0);
    // Unknown where other tests kept the machine busy.
    let cpu = &frames["cpu_ns_per_frame"];
    assert!(cpu.is_null() || cpu.as_f64().unwrap() >= 0.0, "{cpu}");
    let [sent, received, lost] =
        ["sent", "received", "lost"].map(|field| frames[field].as_u64().unwrap());
    // Of the whole run, in which luigi's interface may have counted what mario's stack sends.
    assert!(received > 0 && received < sent + 200, "{frames}");
    assert_eq!(lost, sent.saturating_sub(received), "{frames}");
    let field = |name: &str| frames[name].as_f64().unwrap();
    let in_window = field("frames_per_second") * field("seconds");
    assert!(in_window <= field("received") + 1.0, "{frames}");
    // The switch has counted the same, and the few that were sent before those that count.
    let forwarded = switch.port("luigi-vsw")["tx"]["frames"].as_u64().unwrap();
    assert!(
        (received..received + 200).contains(&forwarded),
        "{frames}: {forwarded}"
    );
    // Both of one moment. What else mario's stack sends is longer, and little.
    let entered = &switch.port("mario-vsw")["rx"];
    let [count, bytes] = ["frames", "bytes"].map(|field| entered[field].as_u64().unwrap());
    assert_eq!(bytes / count, 60, "64 with the check sequence: {entered}");
}

fn no_loss() {
    let _switch = lab();
    let report = json("bench mario luigi --time 1 --tests no-loss --size 512");
    let found = &report["no_loss"][0];
    assert_eq!(found["size"], 512);
    let rate = found["frames_per_second"].as_f64().unwrap();
    let limit = found["sender_frames_per_second"].as_f64().unwrap();
    assert!(rate > 0.0 && rate <= limit, "{found}");
    assert!(found["confirmed"].is_boolean(), "{found}");
    assert!((2..=27).contains(&found["trials"].as_u64().unwrap()));
}

fn sizes() {
    let _switch = Switch::start("s");
    ok("attach mario --mtu 1000");
    ok("attach luigi --mtu 9000");
    ok("attach peach --mtu 9000");
    let sizes = |line: &str| {
        let report = json(&format!("bench {line} --time 1 --tests frames"));
        let frames = report["frames"].as_array().unwrap().iter();
        frames.map(|test| test["size"].clone()).collect::<Value>()
    };
    assert_eq!(sizes("mario luigi"), json!([64, 1018]));
    assert_eq!(
        sizes("peach luigi --size 9018,512 --size 512"),
        json!([512, 9018])
    );
    let told = fails("bench luigi mario --size 1019 --tests frames", 1);
    assert!(told.contains("1018") && told.contains("--mtu"), "{told}");
    for size in ["63", "0", "65554", "99999999999", "big"] {
        let told = fails(&format!("bench mario luigi --size {size}"), 2);
        assert!(told.contains("--size"), "{told}");
    }
}

fn refused() {
    let _switch = Switch::start("s");
    ok("attach mario");
    ok("attach luigi");
    let before = Surroundings::now();
    for (line, status, part) in [
        ("bench mario mario", 2, "two namespaces"),
        ("bench mario peach", 1, "not attached"),
        ("bench mario luigi", 1, "has no address"),
        ("bench mario luigi --time 0", 2, "--time"),
        ("bench mario luigi --time 3601", 2, "--time"),
        ("bench mario luigi --time 99999999999999999999", 2, "--time"),
        ("bench mario luigi --streams 0", 2, "--streams"),
        ("bench mario luigi --streams 65", 2, "--streams"),
        ("bench mario luigi --tests speed", 2, "--tests"),
        (
            "bench mario luigi --tests sources --sources 65537",
            1,
            "at most 65536 stations",
        ),
        ("bench mario luigi --switch other", 1, "other"),
    ] {
        let told = fails(line, status);
        assert!(told.contains(part), "{line}: {told}");
        assert_eq!(Surroundings::now(), before, "{line}");
    }
    let _other = Switch::start("t");
    ok("attach peach --switch t");
    assert!(fails("bench mario luigi", 1).contains("several"));
    let told = fails("bench mario peach --switch s", 1);
    assert!(told.contains("'t', not to 's'"), "{told}");
}

/// What is told by a measurement of two tests that gets `signal` during the second. Where the
/// machine is so busy that it comes too late, longer tests are tried.
fn interrupted_in_second_test(signal: Signal) -> Output {
    let mut seconds = 2;
    loop {
        let line = format!("bench mario luigi --time {seconds} --streams 8 --tests tcp --json");
        let mut running = background(&line);
        let pid = running.pid();
        // One connection has a thread at each end; with so many threads the second test is on.
        let mut has_ended = false;
        assert!(wait_until(PATIENCE, || {
            has_ended = running.has_ended();
            has_ended || threads(pid).len() > 8
        }));
        if !has_ended {
            running.signal(signal).unwrap();
        }
        let output = running.finish().unwrap();
        if !output.status.success() || seconds > 60 {
            return output;
        }
        seconds *= 2;
    }
}

fn interrupted() {
    let switch = lab();
    let before = Surroundings::now();
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let output = interrupted_in_second_test(signal);
        assert_eq!(output.status.code(), Some(status));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["interrupted"], true);
        assert!(report["tcp_one"]["bytes"].as_u64().unwrap() > 0);
        assert_eq!(report["tcp"], Value::Null);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("interrupted; 1 of 2 tests"), "{told}");
        assert_eq!(Surroundings::now(), before);
    }
    // In any test, and before there is any result.
    for test in ["tcp", "response", "frames", "no-loss"] {
        let line = format!("bench mario luigi --time 3600 --tests {test}");
        let running = background(&line);
        let pid = running.pid();
        assert!(wait_until(PATIENCE, || threads(pid).len() > 1), "{test}");
        running.signal(Signal::SIGINT).unwrap();
        let output = running.finish().unwrap();
        assert_eq!(output.status.code(), Some(130), "{test}");
        assert!(output.stdout.starts_with(b"mario to luigi"), "{test}");
    }
    assert_eq!(Surroundings::now(), before);
    assert_eq!(switch.port("mario-vsw")["state"], "up");
    json("bench mario luigi --time 1 --tests response");
}

/// Where the threads of the switch may run. They come and go: it prepares ports aside.
fn allowed(pid: u32) -> Vec<CpuSet> {
    let mut sets: Vec<CpuSet> = Vec::new();
    let threads = threads(pid).into_iter();
    for set in threads.filter_map(|id| sched_getaffinity(id).ok()) {
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    sets
}

fn cpus(set: &CpuSet) -> usize {
    (0..CpuSet::count())
        .filter(|&cpu| set.is_set(cpu).unwrap())
        .count()
}

fn one_cpu() {
    let switch = lab();
    let pid = switch.pid().cast_unsigned();
    let before = allowed(pid);
    assert_eq!(before.len(), 1, "{before:?}");
    let report = json("bench mario luigi --time 1 --tests response-one-cpu");
    assert!(report["response_one_cpu"]["exchanges"].as_u64().unwrap() > 0);
    assert_eq!(report["response"], Value::Null);
    assert_eq!(allowed(pid), before);

    let mut running = background("bench mario luigi --time 3600 --tests response-one-cpu");
    let bound = || matches!(&allowed(pid)[..], [set] if cpus(set) == 1);
    assert!(wait_until(PATIENCE, bound));
    running.signal(Signal::SIGINT).unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(130));
    assert_eq!(allowed(pid), before);
}

fn switch_stopped() {
    for test in ["tcp", "response", "frames", "no-loss"] {
        let switch = lab();
        let line = format!("bench mario luigi --time 3600 --tests {test}");
        let running = background(&line);
        let pid = running.pid();
        assert!(wait_until(PATIENCE, || threads(pid).len() > 1), "{test}");
        switch.stop();
        let output = running.finish().unwrap();
        let told = complaint(&output, &line, 1);
        assert!(told.contains("from mario to luigi"), "{told}");
        assert!(!told.contains("temporarily"), "{told}");
    }
}

fn definitions() {
    let help = ok("bench --help");
    for word in ["RFC 2544", "/proc/stat", "check sequence", "cubic"] {
        assert!(help.contains(word), "{word}");
    }
}
