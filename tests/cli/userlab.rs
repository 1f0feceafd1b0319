//! The lab of an ordinary user.
//!
//! Where the tests have the whole range of users they run the program as one; inside a user
//! namespace of one user they take the capabilities away, which leaves it as much.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use vswitch_netns::{InterfaceName, Netlink, VethEnd};

use super::{Surroundings, complaint, link, namespaces, ok, sys, words};
use crate::harness::program::{Background, is_empty_dir};
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_userlab_from_beginning_to_end", beginning_to_end),
        isolated("cli_userlab_ends_with_its_last_namespace", last_namespace),
        isolated("cli_userlab_ends_with_its_last_interface", last_interface),
        isolated("cli_userlab_is_not_for_the_demonstration", demonstration),
        isolated("cli_userlab_ends_with_a_switch_in_front", in_front),
        isolated("cli_userlab_is_one_however_many_begin", many_begin),
        isolated("cli_userlab_outlives_its_keeper", keeper_killed),
        isolated("cli_userlab_outlives_a_killed_switch", switch_killed),
        isolated("cli_userlab_begins_anew_when_all_was_killed", all_killed),
        isolated("cli_userlab_that_is_forbidden_is_told", forbidden),
        isolated("cli_userlab_over_another_network", other_network),
        isolated("cli_userlab_is_not_for_root", not_for_root),
        isolated("cli_userlab_is_where_names_are_completed", completion),
        isolated("cli_userlab_serves_metrics_outside", metrics),
        isolated("cli_userlab_takes_nothing_of_the_host", host_interface),
        isolated("cli_userlab_keeps_what_is_in_run", rest_of_run),
    ]
}

/// Somebody without rights, with a runtime directory.
pub(super) struct User {
    session: PathBuf,
}

const PROGRAM: &str = "/run/bin/vswitch";

impl User {
    /// `name` tells the processes of this test from those of others.
    pub(super) fn new(name: &str) -> Self {
        let session = PathBuf::from("/run/user").join(name);
        fs::create_dir_all(&session).unwrap();
        fs::set_permissions(&session, fs::Permissions::from_mode(0o700)).unwrap();
        if sys::can_be_nobody() {
            chown(&session, Some(sys::NOBODY), Some(sys::NOBODY)).unwrap();
        }
        // Where it was built may be closed to others.
        fs::create_dir("/run/bin").unwrap();
        fs::write(PROGRAM, "").unwrap();
        let none = None::<&str>;
        let built = Some(env!("CARGO_BIN_EXE_vswitch"));
        mount(built, PROGRAM, none, MsFlags::MS_BIND, none).unwrap();
        Self { session }
    }

    /// Where the program keeps its files.
    fn dir(&self) -> PathBuf {
        self.session.join("vswitch")
    }

    fn with_rights(&self, line: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(words(line))
            .env("XDG_RUNTIME_DIR", &self.session)
            .env_remove("VSWITCH_RUNTIME_DIR")
            .env_remove("RUST_LOG")
            .env("NO_COLOR", "1")
            .current_dir("/")
            .stdin(Stdio::null());
        // The only user of a namespace is its root, for whom the default is another.
        if !sys::can_be_nobody() {
            command.env("VSWITCH_RUNTIME_DIR", self.dir());
        }
        command
    }

    pub(super) fn command(&self, line: &str) -> Command {
        let mut command = self.with_rights(line);
        sys::become_ordinary(&mut command);
        command
    }

    fn ok(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{line} --json"))).unwrap()
    }

    fn fails(&self, line: &str) -> String {
        complaint(&self.command(line).output().unwrap(), line, 1)
    }

    fn names(&self) -> Vec<String> {
        let list = self.json("netns list");
        let names = list.as_array().unwrap().iter();
        names
            .map(|entry| entry["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The processes that have our runtime directory in their command line, with that.
    fn processes(&self) -> Vec<(Pid, String)> {
        let mine = self.dir().to_string_lossy().into_owned();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let line = fs::read_to_string(entry.path().join("cmdline")).ok()?;
                line.contains(&mine)
                    .then(|| (Pid::from_raw(pid), line.replace('\0', " ")))
            })
            .collect()
    }

    fn process(&self, word: &str) -> Option<Pid> {
        let mut found = self
            .processes()
            .into_iter()
            .filter(|(_, line)| line.contains(word));
        let first = found.next().map(|(pid, _)| pid);
        assert!(found.next().is_none(), "{:?}", self.processes());
        first
    }

    fn keeper(&self) -> Option<Pid> {
        self.process("vswitch keeper")
    }

    fn kill(pid: Pid) {
        kill(pid, Signal::SIGKILL).unwrap();
        // Its command line is gone before its sockets are.
        assert!(wait_until(PATIENCE, || !Path::new(&format!("/proc/{pid}")).exists()));
    }

    /// All of the lab has gone.
    pub(super) fn assert_nothing_left(&self) {
        assert!(
            wait_until(PATIENCE, || self.processes().is_empty()),
            "{:?}",
            self.processes()
        );
        let files: Vec<_> = fs::read_dir(self.dir()).into_iter().flatten().collect();
        assert!(is_empty_dir(&self.dir()), "{files:?}");
    }
}

impl Drop for User {
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

fn mounts() -> String {
    fs::read_to_string("/proc/thread-self/mountinfo").unwrap()
}

/// Pings come there and back: the command fails if one does not.
fn assert_traffic(user: &User, from: &str, to: &str) {
    user.ok(&format!("ping {from} {to} -4 -c 3 -W 10"));
}

fn beginning_to_end() {
    let user = User::new("beginning");
    ok("netns add of_root");
    let (before, mounts_before) = (Surroundings::now(), mounts());
    assert!(user.fails("exec mario id").contains("netns add"));
    assert!(!user.dir().exists(), "who only looks makes nothing");

    user.ok("netns add mario");
    assert_eq!(user.names(), ["mario"], "not those of root");
    user.ok("run s --detach --subnet 10.0.0.0/24");
    user.ok("attach mario");
    user.ok("attach luigi");
    assert_eq!(user.names(), ["luigi", "mario"]);
    assert_traffic(&user, "mario", "luigi");
    let report = user.json("bench mario luigi --tests response --time 1");
    assert!(report.to_string().contains("response"), "{report}");
    // From outside, through the socket alone.
    let list = user.json("list");
    assert_eq!(list[0]["name"], "s");
    assert_eq!(list[0]["ports"], 2);
    assert_eq!(user.json("show s")["ports"][0]["namespace"], "mario");
    // A program inside finds the lab too.
    let inside = user.ok(&format!("exec mario {PROGRAM} show --json"));
    let inside: Value = serde_json::from_str(&inside).unwrap();
    assert_eq!(inside["name"], "s");
    assert_eq!(
        Surroundings::now(),
        before,
        "the host's network is as it was"
    );

    let told = user.ok("stop s");
    assert!(
        told.contains("lab ended") && told.contains("luigi, mario"),
        "{told}"
    );
    user.assert_nothing_left();
    assert_eq!(Surroundings::now(), before);
    assert_eq!(mounts(), mounts_before);
}

fn last_namespace() {
    let user = User::new("namespaces");
    user.ok("netns add a b");
    let keeper = user.keeper();
    user.ok("netns del a");
    assert_eq!(user.keeper(), keeper);
    assert_eq!(user.names(), ["b"]);
    user.ok("netns del b");
    user.assert_nothing_left();
    // What fails to begin leaves no lab either.
    fs::write(user.dir().join("s"), "in the way").unwrap();
    assert!(user.fails("run s --detach").contains("not a directory"));
    fs::remove_file(user.dir().join("s")).unwrap();
    user.assert_nothing_left();
}

/// What makes namespaces of its own needs no lab.
fn demonstration() {
    let user = User::new("demo");
    let told = user.ok("demo");
    assert!(told.contains("That was all."), "{told}");
    assert!(!user.dir().exists());
    user.assert_nothing_left();
}

/// A cable alone is something too.
fn last_interface() {
    let user = User::new("cable");
    user.ok("link add toad type veth peer name toadette");
    assert!(user.ok("link").contains("toadette"));
    assert!(link("toad").is_none(), "it is not the host's");
    user.ok("netns add mario");
    user.ok("netns del mario");
    assert!(user.ok("link").contains("toadette"));
    user.ok("link del toad");
    user.assert_nothing_left();
}

fn in_front() {
    let user = User::new("front");
    let mut running = Background::start(user.command("run s")).unwrap();
    let ready = || user.json("list") != json!([]);
    assert!(wait_until(PATIENCE, ready));
    user.ok("attach mario");
    user.ok("run t --detach");
    let keeper = user.keeper();
    running.signal(Signal::SIGTERM).unwrap();
    assert_eq!(running.wait().expect("it ends").code(), Some(0));
    // The other one goes on.
    assert_eq!(user.names(), ["mario"]);
    assert_eq!(user.keeper(), keeper);
    user.ok("attach mario");
    assert!(user.ok("stop t").contains("mario"));
    user.assert_nothing_left();
}

fn many_begin() {
    let user = User::new("many");
    let names: Vec<String> = (0..6).map(|number| format!("n{number}")).collect();
    let mut lines: Vec<String> = names
        .iter()
        .map(|name| format!("netns add {name}"))
        .collect();
    lines.extend(["run s --detach".to_owned(), "run t --detach".to_owned()]);
    let started: Vec<_> = lines
        .iter()
        .map(|line| Background::start(user.command(line)).unwrap())
        .collect();
    for one in started {
        let output = one.finish().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert!(user.keeper().is_some());
    assert_eq!(user.names(), names);
    user.ok("attach n0 --switch s");
    user.ok("attach n1 --switch t");
    assert_eq!(user.ok("stop s"), "", "the other one still runs");
    assert!(user.ok("stop t").contains("lab ended"));
    user.assert_nothing_left();
}

fn keeper_killed() {
    let user = User::new("keeper");
    user.ok("run s --detach --subnet 10.0.0.0/24");
    user.ok("attach mario");
    let first = user.keeper().unwrap();
    User::kill(first);
    assert_eq!(user.names(), ["mario"], "found through the switch");
    let second = user.keeper().unwrap();
    assert_ne!(first, second);
    user.ok("attach luigi");
    assert_traffic(&user, "mario", "luigi");
    User::kill(second);
    user.ok("run t --detach");
    assert_eq!(user.names(), ["luigi", "mario"]);
    user.ok("stop s");
    assert_eq!(user.names(), ["luigi", "mario"]);
    assert!(user.ok("stop t").contains("luigi, mario"));
    user.assert_nothing_left();

    // Without a living switch nothing is left to be found.
    user.ok("netns add mario");
    User::kill(user.keeper().unwrap());
    user.ok("netns add luigi");
    assert_eq!(user.names(), ["luigi"]);
    user.ok("netns del luigi");
    user.assert_nothing_left();
}

fn switch_killed() {
    let user = User::new("killed");
    user.ok("run s --detach --subnet 10.0.0.0/24");
    user.ok("attach mario");
    User::kill(user.process("vswitch run s").unwrap());
    assert_eq!(user.names(), ["mario"], "as it is for root");
    assert!(user.fails("show s").contains("was killed"));
    user.ok("run s --detach --subnet 10.0.0.0/24");
    user.ok("attach mario");
    user.ok("attach luigi");
    assert_traffic(&user, "mario", "luigi");
    user.ok("stop s");
    user.assert_nothing_left();
}

fn all_killed() {
    let user = User::new("all");
    let before = Surroundings::now();
    user.ok("run s --detach");
    user.ok("run t --detach");
    user.ok("attach mario --switch s");
    for (pid, _) in user.processes() {
        User::kill(pid);
    }
    assert!(user.fails("show s").contains("was killed"));
    assert_eq!(user.json("list"), json!([]));
    user.ok("run s --detach");
    assert!(
        user.names().is_empty(),
        "the namespaces went with their processes"
    );
    assert!(!user.dir().join("t").exists(), "what was left is cleared");
    user.ok("attach mario");
    assert_eq!(user.json("show s")["ports"][0]["state"], "up");
    user.ok("stop s");
    user.assert_nothing_left();
    assert_eq!(Surroundings::now(), before);
}

fn forbidden() {
    let user = User::new("forbidden");
    let before = Surroundings::now();
    for line in ["run s", "run s --detach", "netns add mario"] {
        let mut command = user.with_rights(line);
        sys::be_alone(&mut command, Some(c"/proc/sys/user/max_user_namespaces"));
        let told = complaint(&command.output().unwrap(), line, 1);
        assert!(told.contains("user.max_user_namespaces is 0"), "{told}");
        assert!(told.contains("sysctl") && told.contains("root"), "{told}");
        user.assert_nothing_left();
        assert_eq!(Surroundings::now(), before);
    }
    // What needs no lab works all the same.
    let mut command = user.with_rights("list");
    sys::be_alone(&mut command, Some(c"/proc/sys/user/max_user_namespaces"));
    assert!(command.output().unwrap().status.success());
}

/// Root of a user namespace has every capability, and none over the network that it is in.
fn other_network() {
    let _program = User::new("other");
    let user = User {
        session: PathBuf::from("/run/alone"),
    };
    let mut command = user.with_rights("netns add mario");
    command.env("VSWITCH_RUNTIME_DIR", user.dir());
    sys::be_alone(&mut command, None);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(namespaces().is_empty());
    assert!(user.keeper().is_some());
}

fn not_for_root() {
    let user = User::new("root");
    user.ok("netns add mario");
    let mut command = user.with_rights("netns add luigi");
    command.env("VSWITCH_RUNTIME_DIR", user.dir());
    assert!(command.status().unwrap().success());
    assert_eq!(namespaces(), ["luigi"], "in the host's network");
    assert_eq!(user.names(), ["mario"]);
    user.ok("netns del mario");
    user.assert_nothing_left();
}

/// The names that a shell offers are those that a command would mean.
fn completion() {
    ok("netns add mario_of_root");
    let user = User::new("completion");
    user.ok("netns add mario");
    let offered = || {
        let mut command = user.command("-- vswitch exec ma");
        command.env("VSWITCH_COMPLETE", "bash");
        command.env("VSWITCH_COMPLETE_INDEX", "2");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // On a slow machine it may take longer than a person would wait.
    assert!(
        wait_until(PATIENCE, || offered().trim() == "mario"),
        "{}",
        offered()
    );
    user.ok("netns del mario");
    user.assert_nothing_left();
}

/// What asks for metrics is not in the lab.
fn metrics() {
    let user = User::new("metrics");
    user.ok("run s --detach --metrics 127.0.0.1:9464");
    let mut scraper = TcpStream::connect("127.0.0.1:9464").unwrap();
    scraper
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut told = String::new();
    scraper.read_to_string(&mut told).unwrap();
    assert!(
        told.contains(" 200 ") && told.contains("vswitch_"),
        "{told}"
    );
    user.ok("stop s");
    user.assert_nothing_left();
}

/// Nothing of the host's network can be taken into the lab.
fn host_interface() {
    let user = User::new("interface");
    let mut here = Netlink::open().unwrap();
    let ends = ["near", "far"].map(|name| VethEnd::new(InterfaceName::new(name).unwrap()));
    here.create_veth(&ends[0], &ends[1], None).unwrap();
    let before = Surroundings::now();
    user.ok("run s --detach");
    let told = user.fails("port add near");
    assert!(
        told.contains("'near' of the host") && told.contains("sudo"),
        "{told}"
    );
    assert!(user.fails("port add nowhere").contains("no interface"));
    user.ok("attach mario");
    // The process is root, but not here.
    let told = user.fails(&format!("exec mario {PROGRAM} port add near"));
    assert!(told.contains("no interface"), "{told}");
    user.ok("stop s");
    user.assert_nothing_left();
    assert_eq!(Surroundings::now(), before);
}

fn rest_of_run() {
    let user = User::new("rest");
    fs::create_dir("/run/service").unwrap();
    fs::write("/run/service/state", "of the host").unwrap();
    user.ok("netns add mario");
    let list = user.ok(&format!("exec mario {PROGRAM} list"));
    assert!(list.contains("no switch"), "{list}");
    let keeper = user.keeper().unwrap();
    let inside = |path: &str| Path::new(&format!("/proc/{keeper}/root/run/{path}")).exists();
    assert!(inside("service/state") && inside("netns/mario"));
    assert!(!Path::new("/run/netns").exists());
    user.ok("netns del mario");
    user.assert_nothing_left();
}
