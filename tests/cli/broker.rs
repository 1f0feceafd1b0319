//! The broker's processes: what holds them up, what they are asked for, and their end.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use libtest_mimic::Trial;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use serde_json::json;
use vswitch_netns::Namespace;

use super::{Switch, fails, json as told, link, ok, words};
use crate::harness::program::{Background, vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

const DIR: &str = "/run/netns";

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("broker_is_not_held_up_by_a_fifo", fifo),
        isolated("broker_says_what_is_not_a_network_namespace", kinds),
        isolated("broker_keeps_no_namespace_alive", keeps_nothing),
        isolated("broker_that_ends_is_noticed_and_replaced", killed),
        isolated("broker_that_is_slow_holds_nobody_up", slow),
        isolated("broker_that_is_stopped_is_told_and_passed_over", stopped),
        isolated("broker_starts_successors_as_often_as_it_makes_sense", often),
        isolated("broker_starts_no_crowd_of_successors", crowd),
        isolated("broker_restarts_a_dozen_times_in_a_row", dozen),
    ]
}

fn brokers(switch: &Switch) -> Vec<i32> {
    let all = switch.show()["guard"]["brokers"].clone();
    serde_json::from_value(all).unwrap()
}

fn warnings(switch: &Switch) -> Vec<String> {
    serde_json::from_value(switch.show()["warnings"].clone()).unwrap()
}

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Commands that take the name of a namespace.
const COMMANDS: [&str; 8] = [
    "attach NAME",
    "exec NAME true",
    "shell NAME",
    "link -n NAME",
    "addr -n NAME",
    "route -n NAME",
    "ping NAME mario",
    "ping mario NAME",
];

fn fifo() {
    let switch = Switch::start("s");
    ok("attach mario");
    mkfifo(&Path::new(DIR).join("pipe"), Mode::S_IRWXU).unwrap();
    for line in COMMANDS {
        let line = line.replace("NAME", "pipe");
        let told = fails(&line, 1);
        assert!(told.contains("/run/netns/pipe is a FIFO"), "{line}: {told}");
    }
    assert!(ok("netns list").contains("pipe (stale)"));
    ok("doctor");
    // Neither the broker nor anything else waits for somebody who writes.
    ok("attach luigi");
    assert!(warnings(&switch).is_empty());
    ok("netns del pipe");
    ok("attach pipe");
    switch.stop();
}

/// Makes one of each kind; what to call it.
fn make_all() -> Vec<(&'static str, &'static str)> {
    let at = |name: &str| Path::new(DIR).join(name);
    fs::create_dir(at("dir")).unwrap();
    let socket = UnixListener::bind(at("socket")).unwrap();
    drop(socket);
    symlink("/dev/null", at("device")).unwrap();
    symlink("/nowhere", at("nowhere")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("/run/pipe", at("link")).unwrap();
    mkfifo("/run/pipe", Mode::S_IRWXU).unwrap();
    symlink("/proc/self/ns/user", at("user")).unwrap();
    fs::write(at("uts"), "").unwrap();
    let none = None::<&str>;
    let own = Some("/proc/thread-self/ns/uts");
    mount(own, &at("uts"), none, MsFlags::MS_BIND, none).unwrap();
    fs::write(at("file"), "").unwrap();
    vec![
        ("dir", "is a directory"),
        ("socket", "is a socket"),
        ("device", "is a character device"),
        ("nowhere", "is a symbolic link that leads nowhere"),
        ("loop", "is a symbolic link that leads to itself"),
        ("link", "is a FIFO"),
        ("user", "is a user namespace"),
        ("uts", "is a UTS namespace"),
        ("file", "is stale"),
    ]
}

fn kinds() {
    let switch = Switch::start("s");
    ok("attach mario");
    let all = make_all();
    let listed = told("netns list");
    for (name, what) in &all {
        for line in COMMANDS {
            let line = line.replace("NAME", name);
            let told = fails(&line, 1);
            assert!(told.contains(what), "{line}: {told}");
        }
        let mut listed = listed.as_array().unwrap().iter();
        let entry = listed.find(|entry| entry["name"] == *name).unwrap();
        assert_eq!(entry["stale"], true, "{entry}");
    }
    ok("attach luigi");
    let told = fails("netns del dir", 1);
    assert!(told.contains("is a directory"), "{told}");
    fs::remove_dir("/run/netns/dir").unwrap();
    for (name, _) in all.iter().skip(1) {
        ok(&format!("netns del {name}"));
    }
    assert!(Path::new("/run/pipe").exists() && Path::new("/dev/null").exists());
    assert_eq!(super::namespaces(), ["luigi", "mario"]);
    switch.stop();
}

/// The namespace that was made last goes when its name does, and its cable with it.
fn keeps_nothing() {
    for guard in ["", " --no-guard"] {
        let switch = Switch::start(&format!("s{guard}"));
        ok("attach mario");
        ok("netns del mario");
        let gone = || link("mario-vsw").is_none();
        assert!(wait_until(PATIENCE, gone), "{guard}");
        // Nor does one that was made by an attachment which failed.
        let told = fails("attach luigi --port lo", 1);
        assert!(!Namespace::exists("luigi"), "{guard}: {told}");
        switch.stop();
    }
}

fn killed() {
    let switch = Switch::start("s --subnet 10.0.0.0/24");
    ok("attach mario");
    let [first, second]: [i32; 2] = brokers(&switch).try_into().unwrap();
    assert_eq!(switch.show()["guard"]["broker"], first);
    send(first, Signal::SIGKILL);
    // Nothing is left of it, not even what waits for its parent.
    let gone = || !Path::new(&format!("/proc/{first}")).exists();
    assert!(wait_until(PATIENCE, gone), "{first}");
    assert!(wait_until(PATIENCE, || brokers(&switch) == [second]));
    let log = || fs::read_to_string(switch.dir().join("log")).unwrap();
    let said = format!("the helper process {first} has ended");
    assert!(wait_until(PATIENCE, || log().contains(&said)), "{}", log());
    assert_eq!(log().matches(&said).count(), 1, "{}", log());
    assert!(warnings(&switch)[0].contains(&said));
    assert!(ok("show s").contains(&said), "people see it too");
    ok("attach luigi");
    ok("ping mario luigi --count 1 -W 60");

    // The remedy of the warning helps.
    ok("restart s");
    assert!(warnings(&switch).is_empty());
    let again = brokers(&switch);
    assert_eq!(again.len(), 2);
    for pid in &again {
        send(*pid, Signal::SIGKILL);
    }
    let told_so = || {
        warnings(&switch)
            .iter()
            .any(|told| told.contains("by name"))
    };
    assert!(wait_until(PATIENCE, told_so), "{:?}", warnings(&switch));
    assert_eq!(switch.show()["guard"]["broker"], json!(null));
    for line in ["attach toad", "restart s"] {
        let told = fails(line, 1);
        assert!(told.contains("helper process, which has ended"), "{told}");
    }
    // All else goes on.
    ok("ping mario luigi --count 1 -W 60");
    ok("detach luigi");
    assert!(
        again
            .iter()
            .all(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    );
    switch.stop();
}

fn stopped() {
    let switch = Switch::start("s --subnet 10.0.0.0/24");
    let all = brokers(&switch);
    send(all[0], Signal::SIGSTOP);
    let said = format!("the helper process {} was stopped", all[0]);
    let told_so = || warnings(&switch).iter().any(|told| told.contains(&said));
    assert!(wait_until(PATIENCE, told_so), "{:?}", warnings(&switch));
    assert_eq!(switch.show()["guard"]["broker"], all[1]);
    // The other one is asked.
    ok("attach mario");
    ok("attach luigi");
    ok("restart s");
    assert!(warnings(&switch).is_empty());
    let all = brokers(&switch);
    for pid in &all {
        send(*pid, Signal::SIGSTOP);
    }
    assert!(wait_until(PATIENCE, || warnings(&switch).len() == 2));
    let told = fails("attach toad", 1);
    assert!(told.contains("does not answer in time"), "{told}");
    ok("ping mario luigi --count 1 -W 60");
    ok("detach luigi");
    for pid in &all {
        send(*pid, Signal::SIGCONT);
    }
    assert!(wait_until(PATIENCE, || warnings(&switch).is_empty()));
    ok("attach toad");
    // One that is stopped ends with the switch all the same.
    send(all[1], Signal::SIGSTOP);
    switch.stop();
    let gone = || {
        all.iter()
            .all(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    };
    assert!(wait_until(PATIENCE, gone));
}

/// Longer than a request was once waited for.
fn slow() {
    fs::write("/run/hold", "").unwrap();
    let switch = failing("broker-slow");
    ok("netns add peach");
    let attach = |line: &str| Background::start(vswitch(words(line))).unwrap();
    let mario = attach("attach mario --ip 10.0.0.1/24");
    let luigi = attach("attach luigi --ip 10.0.0.2/24");
    let passed = attach("attach web --netns /run/netns/peach");
    let uptime = || switch.show()["uptime_s"].as_u64().unwrap();
    let begin = uptime();
    assert!(wait_until(PATIENCE, || uptime() > begin + 4));
    assert_eq!(warnings(&switch), Vec::<String>::new());
    ok("fdb show");
    assert_eq!(told("port list"), json!([]));
    fs::remove_file("/run/hold").unwrap();
    for attached in [mario, luigi, passed] {
        let output = attached.finish().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    ok("ping mario luigi --count 1 -W 60");
    assert_eq!(told("port list").as_array().unwrap().len(), 3);
    switch.stop();
}

/// A switch whose processes have this fault.
fn failing(fault: &str) -> Switch {
    let mut command = vswitch(words("run s --detach"));
    command.env("VSWITCH_FAULT", fault);
    assert!(command.status().unwrap().success());
    Switch {
        name: "s".to_owned(),
    }
}

fn often() {
    let switch = failing("successor-start");
    let mut tries = 0;
    let told = loop {
        let told = fails("restart s", 1);
        tries += 1;
        if !told.contains("ended before it was ready") {
            break told;
        }
        assert!(tries < 100, "{told}");
    };
    assert!(tries > 5, "{tries}: {told}");
    assert!(
        told.contains("in the last") && told.contains("wait"),
        "{told}"
    );
    assert!(told.contains("goes on as it was"), "{told}");
    // What else it does is not limited.
    ok("attach mario");
    switch.stop();
}

/// Successors that hang.
fn crowd() {
    let switch = failing("successor-silent");
    let mut tries = 0;
    let told = loop {
        let told = fails("restart s", 1);
        tries += 1;
        if !told.contains("did not get ready in time") {
            break told;
        }
        assert!(tries < 20, "{told}");
    };
    assert!(told.contains("still run"), "{told}");
    switch.stop();
}

fn dozen() {
    let switch = Switch::start("s");
    for _ in 0..12 {
        ok("restart s");
    }
    assert_eq!(brokers(&switch).len(), 2);
    switch.stop();
}
