//! `vswitch restart`: another process goes on, and nothing is lost.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::userlab::User;
use super::{Switch, fails, json, ok, run_vswitch};
use crate::harness::program::{Background, install, runtime_dir, vswitch};
use crate::harness::traffic::{Station, Traffic};
use crate::harness::{A_WHILE, PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    let mut tests = vec![
        isolated(
            "cli_restart_loses_no_frame_and_forgets_nothing",
            under_traffic,
        ),
        isolated(
            "harness_traffic_waits_for_a_switch_that_is_held_up",
            held_up,
        ),
        isolated("cli_restart_that_fails_leaves_all_as_it_was", all_failures),
        isolated("cli_restart_takes_the_program_that_is_installed", upgrade),
        isolated(
            "cli_restart_in_the_foreground_keeps_a_process_to_wait_for",
            foreground,
        ),
        isolated("cli_restart_hands_signals_and_statuses_on", signals),
        isolated("cli_restart_ends_with_the_process_that_waits", orphaned),
        isolated("cli_restart_then_killed_and_run_again_at_once", killed),
        isolated("cli_restart_tells_the_service_manager", managed),
        isolated("cli_restart_keeps_metrics_where_they_are", metrics),
        isolated("cli_restart_of_an_ordinary_user", userlab),
    ];
    tests.push(isolated("cli_restart_of_none_is_refused", || {
        assert!(fails("restart s", 1).contains("no switch named 's'"));
    }));
    tests
}

const HOSTS: [Station<'_>; 2] = [
    Station {
        namespace: "mario",
        interface: "mario-netns",
        mac: [2, 0, 0, 0, 0, 1],
    },
    Station {
        namespace: "luigi",
        interface: "luigi-netns",
        mac: [2, 0, 0, 0, 0, 2],
    },
];

fn attach() {
    ok("attach mario --mac 02:00:00:00:00:01 --ip 10.0.0.1/24");
    ok("attach luigi --mac 02:00:00:00:00:02 --ip 10.0.0.2/24");
}

/// All that `show` tells and that is to be the same after a restart.
fn shown() -> Value {
    let mut view = json("show s");
    for key in ["pid", "uptime_s", "macs", "guard"] {
        view.as_object_mut().unwrap().remove(key);
    }
    for port in view["ports"].as_array_mut().unwrap() {
        for key in ["rx", "tx", "drops"] {
            port.as_object_mut().unwrap().remove(key);
        }
    }
    view
}

fn pid() -> i64 {
    json("show s")["pid"].as_i64().unwrap()
}

fn frames(direction: &str) -> Vec<u64> {
    let ports = json("port list");
    let count = |port: &Value| port[direction]["frames"].as_u64().unwrap();
    ports.as_array().unwrap().iter().map(count).collect()
}

/// Ten restarts while frames go both ways.
fn under_traffic() {
    let _switch = Switch::start("s --ageing 1000 --max-macs 500 --forward-reserved");
    ok("attach yoshi");
    attach();
    ok("detach yoshi");
    ok("fdb add 02:00:00:00:00:99 mario-vsw");
    let traffic = Traffic::begin(HOSTS);
    let mut before = shown();
    let mut seen = frames("rx");
    for _ in 0..10 {
        let old = pid();
        let told = json("restart s");
        assert_eq!(told["pid_before"], old);
        assert_eq!(told["pid"], pid());
        assert_ne!(told["pid"], old);
        assert!(told["pause_us"].as_u64().unwrap() > 0, "{told}");
        let after = shown();
        assert_eq!(after, before);
        before = after;
        traffic.goes_on();
        let now = frames("rx");
        assert!(
            now.iter().zip(&seen).all(|(now, seen)| now > seen),
            "{now:?}"
        );
        seen = now;
        let stations = json("fdb");
        for mac in [
            "02:00:00:00:00:01",
            "02:00:00:00:00:02",
            "02:00:00:00:00:99",
        ] {
            let stations = stations.as_array().unwrap();
            assert!(
                stations.iter().any(|known| known["mac"] == mac),
                "{stations:?}"
            );
        }
    }
    let sent = traffic.end_without_loss(|| ok("port list --json"));
    let view = json("show s");
    for (port, sent) in view["ports"].as_array().unwrap().iter().zip(sent.0) {
        assert!(port["rx"]["frames"].as_u64().unwrap() > sent);
        assert_eq!(port["drops"].as_object().unwrap().len(), 0, "{port}");
    }
    // Whatever it was told, it does still.
    ok("attach yoshi");
    assert_eq!(json("show s")["ports"].as_array().unwrap().len(), 3);
    ok("detach luigi");
    assert!(ok("list").contains(" 2 "));
}

/// The senders go by what has arrived: nothing is lost to a ring that nobody empties, for however
/// long. By the clock it was full after half a second.
fn held_up() {
    let switch = Switch::start("s");
    attach();
    let traffic = Traffic::begin(HOSTS);
    let pid = Pid::from_raw(switch.pid());
    kill(pid, Signal::SIGSTOP).unwrap();
    std::thread::sleep(A_WHILE * 10);
    kill(pid, Signal::SIGCONT).unwrap();
    traffic.goes_on();
    traffic.end_without_loss(|| ok("port list --json"));
}

/// The process that was started, and is to fail.
fn all_failures() {
    for (fault, why) in [
        ("successor-start", "ended before it was ready"),
        ("successor-silent", "did not get ready in time"),
        ("successor-prepared", "ended before it was ready"),
        // It says so, or has ended before anybody listened.
        ("successor-gives-up", "the new process"),
        ("successor-ready", "ended before it was ready"),
        ("successor-go", "ended before it was ready"),
    ] {
        let mut command = vswitch(["run", "s", "--detach"]);
        assert!(
            command
                .env("VSWITCH_FAULT", fault)
                .status()
                .unwrap()
                .success()
        );
        attach();
        let (old, before) = (pid(), shown());
        let traffic = Traffic::begin(HOSTS);
        for _ in 0..2 {
            let complaint = fails("restart s", 1);
            assert!(complaint.contains(why), "{fault}: {complaint}");
            assert!(
                complaint.contains("goes on as it was"),
                "{fault}: {complaint}"
            );
            traffic.goes_on();
        }
        traffic.end_without_loss(|| ok("port list --json"));
        assert_eq!((pid(), shown()), (old, before), "{fault}");
        ok("detach mario");
        ok("attach mario");
        ok("stop s");
        assert!(!runtime_dir().join("s").exists());
    }
}

/// The program may be replaced, by something of no use too.
fn upgrade() {
    let program = "/run/program";
    install(program.as_ref());
    let mut command = Command::new(program);
    command.args(["run", "s", "--detach"]);
    assert!(command.status().unwrap().success());
    attach();
    let old = pid();
    let traffic = Traffic::begin(HOSTS);

    fs::remove_file(program).unwrap();
    let complaint = fails("restart s", 1);
    assert!(
        complaint.contains("cannot start the new process"),
        "{complaint}"
    );
    fs::write(program, "#!/nonsense\n").unwrap();
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    fails("restart s", 1);
    assert_eq!(pid(), old);

    let coming = "/run/program.new";
    install(coming.as_ref());
    fs::rename(coming, program).unwrap();
    let told = json("restart s");
    let runs = fs::read_link(format!("/proc/{}/exe", told["pid"])).unwrap();
    assert_eq!(runs.to_str(), Some(program));
    traffic.end_without_loss(|| ok("port list --json"));
    ok("stop s");
}

fn start(command: Command) -> Background {
    let switch = Background::start(command).unwrap();
    let runs = || json("list").as_array().is_some_and(|list| !list.is_empty());
    assert!(wait_until(PATIENCE, runs));
    switch
}

fn exists(pid: i64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// Whoever has started it in the foreground waits for its end, not for a restart.
fn foreground() {
    let mut first = start(vswitch(["run", "s"]));
    attach();
    let traffic = Traffic::begin(HOSTS);
    for _ in 0..3 {
        json("restart s");
        traffic.goes_on();
    }
    traffic.end_without_loss(|| ok("port list --json"));
    let last = pid();
    assert_ne!(last, i64::from(first.pid()));
    assert!(!first.has_ended());
    // It has let go of everything.
    let descriptors = fs::read_dir(format!("/proc/{}/fd", first.pid())).unwrap();
    assert!(descriptors.count() < 16);
    ok("stop s");
    assert!(!exists(last));
    assert_eq!(first.wait().unwrap().code(), Some(0));
}

fn signals() {
    let first = start(vswitch(["run", "s"]));
    json("restart s");
    json("restart s");
    let last = pid();
    first.signal(Signal::SIGTERM).unwrap();
    let output = first.finish().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        log.contains("the switch 's' has ended: by SIGTERM"),
        "{log}"
    );
    assert!(!exists(last));
    assert!(!runtime_dir().join("s").exists());

    let mut command = vswitch(["run", "s"]);
    command.env("VSWITCH_FAULT", "switch");
    let first = start(command);
    json("restart s");
    let _ = run_vswitch(["fdb", "flush"]);
    let output = first.finish().unwrap();
    assert_eq!(output.status.code(), Some(70), "{output:?}");
    ok("run s --detach --fresh");
    ok("stop s");
}

/// If the first process is killed, so is the switch: whoever has started it takes it for that.
fn orphaned() {
    let mut first = start(vswitch(["run", "s"]));
    attach();
    json("restart s");
    let last = pid();
    first.signal(Signal::SIGKILL).unwrap();
    first.wait().unwrap();
    assert!(wait_until(PATIENCE, || !exists(last)));
    // As after a kill: the next one has it all.
    ok("run s --detach");
    assert_eq!(json("port list").as_array().unwrap().len(), 2);
    ok("stop s");
}

/// Whoever kills a switch may run it again at once, though it is not gone yet.
fn killed() {
    for _ in 0..5 {
        let first = start(vswitch(["run", "s"]));
        attach();
        json("restart s");
        let last = pid();
        kill(Pid::from_raw(last.try_into().unwrap()), Signal::SIGKILL).unwrap();
        first.signal(Signal::SIGKILL).unwrap();
        ok("run s --detach");
        assert_eq!(json("port list").as_array().unwrap().len(), 2);
        ok("stop s");
    }
}

/// A manager is told which process it is about.
fn managed() {
    let manager = UnixDatagram::bind("/run/notify").unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let next = |wanted: &str| loop {
        let mut text = [0; 4096];
        let length = manager.recv(&mut text).expect("a message in time");
        let text = String::from_utf8_lossy(&text[..length]).into_owned();
        if text != "WATCHDOG=1\n" {
            assert!(text.contains(wanted), "{wanted}: {text}");
            return text;
        }
    };
    let mut command = vswitch(["run", "s"]);
    command
        .env("NOTIFY_SOCKET", "/run/notify")
        .env("WATCHDOG_USEC", "300000");
    let mut first = start(command);
    next("READY=1");
    for _ in 0..2 {
        let told = json("restart s");
        assert!(next("RELOADING=1").contains("MONOTONIC_USEC="));
        assert_eq!(next("MAINPID="), format!("MAINPID={}\n", told["pid"]));
        next("READY=1");
        // The other process shows that it lives.
        let mut text = [0; 64];
        let length = manager.recv(&mut text).unwrap();
        assert_eq!(&text[..length], b"WATCHDOG=1\n");
    }
    assert_eq!(first.wait().unwrap().code(), Some(0), "nobody waits for it");
    let last = i32::try_from(pid()).unwrap();
    kill(Pid::from_raw(last), Signal::SIGTERM).unwrap();
    next("STOPPING=1");
    assert!(wait_until(PATIENCE, || !exists(last.into())));
}

fn metrics() {
    let mut command = vswitch(["run", "s", "--detach", "--metrics", "unix:/run/metrics"]);
    command.env("VSWITCH_FAULT", "successor-gives-up");
    assert!(command.status().unwrap().success());
    fails("restart s", 1);
    assert!(
        fs::exists("/run/metrics").unwrap(),
        "a successor that failed took the socket's file with it"
    );
    assert_serves_metrics();
    ok("stop s");

    let _switch = Switch::start("s --metrics unix:/run/metrics");
    let before = json("show s")["metrics"].clone();
    json("restart s");
    assert_eq!(json("show s")["metrics"], before);
    assert_serves_metrics();
    ok("stop s");
    assert!(!fs::exists("/run/metrics").unwrap());
}

fn assert_serves_metrics() {
    let mut stream = std::os::unix::net::UnixStream::connect("/run/metrics").unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("vswitch_"), "{text}");
}

fn userlab() {
    let user = User::new("restart");
    user.ok("run s --detach");
    user.ok("attach mario --ip 10.0.0.1/24");
    user.ok("attach luigi --ip 10.0.0.2/24");
    for _ in 0..2 {
        let before = user.json("show s");
        let told = user.json("restart s");
        let after = user.json("show s");
        assert_eq!(told["pid"], after["pid"]);
        assert_ne!(before["pid"], after["pid"]);
        assert_eq!(before["ports"][0]["name"], after["ports"][0]["name"]);
        user.ok("ping mario luigi --count 2 -W 60");
    }
    user.ok("attach yoshi");
    user.ok("stop s");
    user.assert_nothing_left();
}
