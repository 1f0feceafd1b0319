//! What a running switch has given up, seen from outside, and who may ask it.

use std::fs;
use std::io::{IoSlice, Read, Write};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use libtest_mimic::Trial;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::Pid;
use rustix::process::getpriority_process;
use serde_json::json;
use vswitch_netns::Netlink;

use super::sys::{become_member, can_be_nobody, forbid_precedence, may_have_nice, refuse_calls};
use super::{Switch, fails, json as told, ok, words};
use crate::harness::program::{runtime_dir, vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

const NET_ADMIN: u64 = 1 << 12;
const NET_RAW: u64 = 1 << 13;
const SYS_ADMIN: u64 = 1 << 21;
/// A group of the tests' own, and somebody in it.
const GROUP: u32 = 4242;
const MEMBER: u32 = 4711;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("guard_holds_in_every_thread", every_thread),
        isolated("guard_can_be_left_off", left_off),
        isolated(
            "guard_leaves_precedence_to_the_forwarding_thread",
            precedence,
        ),
        isolated("guard_that_cannot_be_had_is_told_or_required", reported),
        isolated("guard_mode_is_kept_and_off_is_not", kept),
        isolated("guard_broker_ends_with_its_switch", broker_ends),
        isolated("guard_group_may_ask_and_nobody_else", group),
        isolated("guard_members_pass_no_descriptors", descriptors),
        isolated("guard_names_that_a_stranger_holds_are_no_claim", squatted),
        isolated("guard_links_are_not_followed", links),
    ]
}

fn status(path: &str, name: &str) -> String {
    let text = fs::read_to_string(format!("{path}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim().to_owned()
}

fn permitted(path: &str) -> u64 {
    u64::from_str_radix(&status(path, "CapPrm:"), 16).unwrap()
}

/// The nice values of a process's threads, by their names.
fn niceness(pid: i32) -> Vec<(String, i32)> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let stats =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok());
    let told = stats.map(|stat| {
        // proc_pid_stat(5): the name stands in parentheses, the nice value 17 fields behind it.
        let (before, after) = stat.rsplit_once(") ").unwrap();
        let (_, name) = before.split_once('(').unwrap();
        let nice = after.split(' ').nth(16).unwrap();
        (name.to_owned(), nice.parse().unwrap())
    });
    told.collect()
}

fn end_at_once(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    let gone = || !Path::new(&format!("/proc/{pid}")).exists();
    assert!(wait_until(PATIENCE, gone));
}

fn broker_of(switch: &Switch) -> i32 {
    let pid = switch.show()["guard"]["broker"].as_i64().unwrap();
    i32::try_from(pid).unwrap()
}

fn every_thread() {
    let switch = Switch::start("s --subnet 10.0.0.0/24");
    ok("attach mario");
    let guard = switch.show()["guard"].clone();
    assert_eq!(guard["on"], true, "{guard}");
    assert_eq!(
        guard["capabilities"],
        json!(["CAP_NET_ADMIN", "CAP_NET_RAW"])
    );
    assert_eq!(guard["no_new_privs"], true);
    for layer in ["seccomp", "landlock", "memory"] {
        let layer = &guard[layer];
        assert_ne!(layer["on"] == true, layer["reason"].is_string(), "{guard}");
    }
    // PR_SET_MDWE(2const)
    if is_since(6, 3) {
        assert_eq!(guard["memory"]["on"], true, "{guard}");
    }
    assert!(ok("show s").contains("  guard  "), "people see it too");
    let threads = format!("/proc/{}/task", switch.pid());
    let mut count = 0;
    for thread in fs::read_dir(threads).unwrap() {
        let path = thread.unwrap().path().to_string_lossy().into_owned();
        assert_eq!(permitted(&path), NET_ADMIN | NET_RAW, "{path}");
        assert_eq!(status(&path, "NoNewPrivs:"), "1", "{path}");
        if guard["seccomp"]["on"] == true {
            assert_eq!(status(&path, "Seccomp:"), "2", "{path}");
        }
        count += 1;
    }
    assert!(count >= 2, "{count}");
    let broker = format!("/proc/{}", broker_of(&switch));
    assert_eq!(permitted(&broker), NET_ADMIN | NET_RAW | SYS_ADMIN);
    let name = fs::read_to_string(format!("{broker}/comm")).unwrap();
    assert_eq!(name, "vswitch-broker\n");
    let descriptors = fs::read_dir(format!("{broker}/fd")).unwrap().count();
    assert_eq!(
        descriptors, 4,
        "three that lead nowhere, and the way to its switch"
    );
    switch.stop();
}

fn left_off() {
    let switch = Switch::start("s --no-guard");
    let guard = switch.show()["guard"].clone();
    assert_eq!(
        (&guard["on"], &guard["broker"]),
        (&json!(false), &json!(null))
    );
    assert_ne!(
        permitted(&format!("/proc/{}", switch.pid())),
        NET_ADMIN | NET_RAW
    );
    ok("attach mario");
    ok("detach mario");
    assert!(ok("show s").contains("--no-guard"));
    let warnings = switch.show()["warnings"].to_string();
    assert!(warnings.contains("--guard off"), "{warnings}");
    assert!(log_of(&switch).contains("the guard is off"));
    switch.stop();
}

fn log_of(switch: &Switch) -> String {
    fs::read_to_string(switch.dir().join("log")).unwrap()
}

/// What a container's profile may refuse, and what is then missing.
const REFUSED: &[(&[libc::c_long], &str)] = &[
    (&[libc::SYS_capset], "the limit on capabilities is missing"),
    (
        &[libc::SYS_seccomp],
        "the list of system calls (seccomp) is missing",
    ),
    (
        &[
            libc::SYS_landlock_create_ruleset,
            libc::SYS_landlock_add_rule,
            libc::SYS_landlock_restrict_self,
        ],
        "the list of paths (Landlock) is missing",
    ),
];

/// The switch runs and attaches, and says in its log, in `show`, and to people what it could not give up.
fn reported() {
    for (calls, missing) in REFUSED {
        let mut command = vswitch(words("run s --detach --subnet 10.0.0.0/24"));
        refuse_calls(&mut command, calls);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{missing}: {output:?}");
        let switch = Switch {
            name: "s".to_owned(),
        };
        let view = switch.show();
        assert_eq!(view["guard"]["mode"], "auto");
        let warnings = view["warnings"].as_array().unwrap();
        let is_it = |warning: &&serde_json::Value| warning.as_str().unwrap().starts_with(missing);
        assert!(warnings.iter().any(|warning| is_it(&warning)), "{view}");
        let text = ok("show s");
        assert!(
            text.contains("  warning  ") && text.contains(missing),
            "{text}"
        );
        let log = log_of(&switch);
        assert!(log.contains("warn  ") && log.contains(missing), "{log}");
        ok("attach mario");
        ok("restart s");
        ok("detach mario");
        switch.stop();
        // Where it is required there is no switch, and nothing of one.
        let mut command = vswitch(words("run s --detach --guard required"));
        refuse_calls(&mut command, calls);
        let sentence = super::refused(command, missing, 1);
        assert!(
            sentence.contains(missing) && sentence.contains("--guard required"),
            "{sentence}"
        );
        assert!(!runtime_dir().join("s").exists(), "{missing}");
    }
}

/// `required` outlives restarts and the switch's process; `off` does not outlive the process, whose state
/// somebody else may have written.
fn kept() {
    let mode = |switch: &Switch| switch.show()["guard"]["mode"].clone();
    let first = Switch::start("s");
    let holds = first.show()["guard"]["landlock"]["on"] == true;
    first.stop();
    if holds {
        let switch = Switch::start("s --guard required");
        assert_eq!(mode(&switch), "required");
        assert_eq!(switch.show()["warnings"], json!([]));
        ok("restart s");
        assert_eq!(mode(&switch), "required");
        end_at_once(switch.pid());
        let again = Switch::start("s");
        assert_eq!(mode(&again), "required");
        end_at_once(again.pid());
        let auto = Switch::start("s --guard auto");
        assert_eq!(mode(&auto), "auto");
        auto.stop();
    } else {
        eprintln!("without Landlock nothing can be required here");
    }
    let off = Switch::start("s --guard=off");
    ok("restart s");
    assert_eq!(mode(&off), "off");
    end_at_once(off.pid());
    let again = Switch::start("s");
    assert_eq!(mode(&again), "auto");
    again.stop();
    fails("run s --guard off --no-guard", 2);
}

fn broker_ends() {
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let switch = Switch::start("s");
        let (pid, broker) = (switch.pid(), broker_of(&switch));
        kill(Pid::from_raw(pid), signal).unwrap();
        let gone = || !Path::new(&format!("/proc/{broker}")).exists();
        assert!(wait_until(PATIENCE, gone), "{signal}");
        if signal == Signal::SIGKILL {
            switch.stop();
        }
    }
}

fn as_member(line: &str, group: u32) -> Command {
    let mut command = vswitch(words(line));
    let dir = runtime_dir();
    command.arg("--runtime-dir").arg(dir).uid(MEMBER).gid(group);
    command
}

/// Whether the kernel is of this version or a later one.
fn is_since(major: u32, minor: u32) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut numbers = numbers.map_while(|number| number.parse().ok());
    (numbers.next(), numbers.next()) >= (Some(major), Some(minor))
}

/// A connection that a member of the group has made, in a thread of its own: the others keep their
/// rights.
fn connected_by_member(socket: &Path) -> UnixStream {
    thread::scope(|scope| {
        let connect = || {
            become_member(MEMBER, GROUP);
            UnixStream::connect(socket).unwrap()
        };
        scope.spawn(connect).join().unwrap()
    })
}

/// A descriptor that takes long to close would hold up everybody.
fn descriptors() {
    if !can_be_nobody() {
        return;
    }
    let switch = Switch::start(&format!("s --group {GROUP}"));
    let mut member = connected_by_member(&switch.socket());
    let request = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n";
    let pass = |to: &UnixStream| {
        let descriptors = [0];
        sendmsg::<()>(
            to.as_raw_fd(),
            &[IoSlice::new(request)],
            &[ControlMessage::ScmRights(&descriptors)],
            MsgFlags::empty(),
            None,
        )
    };
    let before = pass(&member);
    if before.is_ok() {
        assert!(!is_since(6, 16), "it is not refused");
        eprintln!("the kernel (before Linux 6.16) cannot refuse descriptors");
    } else {
        assert_eq!(before, Err(Errno::EPERM));
        member.write_all(request).unwrap();
        assert!(member.read(&mut [0; 512]).unwrap() > 0);
        assert_eq!(pass(&member), Err(Errno::EPERM));
    }
    // The owner may, also after the socket was handed over.
    ok("netns add luigi");
    ok("attach one --netns /run/netns/luigi");
    ok("restart s");
    ok("attach two --netns /run/netns/luigi");
    if before.is_err() {
        assert_eq!(pass(&member), Err(Errno::EPIPE));
        let mut owner = UnixStream::connect(switch.socket()).unwrap();
        owner.write_all(request).unwrap();
        assert!(owner.read(&mut [0; 512]).unwrap() > 0);
        pass(&owner).unwrap();
        assert!(owner.read(&mut [0; 512]).unwrap() > 0);
    }
    switch.stop();
}

fn group() {
    // Where one may be nobody, one may be anybody.
    if !can_be_nobody() {
        let told = fails(&format!("run s --detach --group {GROUP}"), 1);
        assert!(
            told.contains(&format!("cannot give the group {GROUP}")),
            "{told}"
        );
        return;
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let asks = |group: u32| {
        as_member("show s", group)
            .output()
            .unwrap()
            .status
            .success()
    };
    let switch = Switch::start("s");
    assert_eq!(
        (mode(&switch.dir()), mode(&switch.socket())),
        (0o700, 0o600)
    );
    assert!(!asks(GROUP));
    switch.stop();
    let switch = Switch::start(&format!("s --group {GROUP}"));
    assert_eq!(
        (mode(&switch.dir()), mode(&switch.socket())),
        (0o750, 0o660)
    );
    assert_eq!(fs::metadata(switch.socket()).unwrap().gid(), GROUP);
    assert_eq!(switch.show()["group"], GROUP);
    assert!(asks(GROUP));
    assert!(!asks(GROUP + 1));
    // A descriptor is more than they were given: anybody can open that of the host's own namespace.
    let line = "attach web --netns /proc/self/ns/net";
    let told = as_member(line, GROUP).output().unwrap();
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("members of its group attach those"), "{told}");
    assert_eq!(switch.show()["ports"], serde_json::json!([]));
    for file in fs::read_dir(switch.dir()).unwrap() {
        let path = file.unwrap().path();
        // A link has no mode.
        if path != switch.socket() && !path.is_symlink() {
            assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
        }
    }
    // The directory keeps strangers out; where it does not, the switch does.
    fs::set_permissions(switch.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(switch.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    assert!(asks(GROUP));
    let told = as_member("show s", GROUP + 1).output().unwrap();
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(
        told.contains(&format!("the user {MEMBER} may not ask")),
        "{told}"
    );
    fs::set_permissions(switch.dir(), fs::Permissions::from_mode(0o750)).unwrap();
    // Killed and started again, it is as it was.
    end_at_once(switch.pid());
    let again = Switch::start("s");
    assert!(asks(GROUP));
    let stopped = as_member("stop s", GROUP).output().unwrap();
    assert!(stopped.status.success(), "{stopped:?}");
    assert!(!again.dir().exists());
}

/// A switch may not ask who holds a name: without a packet socket on the interface nobody counts.
fn squatted() {
    let switch = Switch::start("s");
    let may_ask = switch.show()["guard"]["seccomp"]["on"] == false;
    let counts = may_ask && !can_be_nobody();
    ok("link add toad type veth peer name toad-peer");
    let index = Netlink::open().unwrap().link("toad").unwrap().index;
    let address = SocketAddr::from_abstract_name(format!("vswitch/port/{index}")).unwrap();
    let held = std::thread::spawn(move || {
        if can_be_nobody() {
            // This thread alone.
            super::sys::become_user(MEMBER);
        }
        UnixListener::bind_addr(&address).unwrap()
    });
    let held = held.join().unwrap();
    if counts {
        let told = fails("port add toad --switch s", 1);
        assert!(told.contains("toad"), "{told}");
    } else {
        ok("port add toad --switch s");
        let second = Switch::start("t");
        fails("port add toad --switch t", 1);
        drop(held);
        // The names before it are free again, and the claim is still seen.
        fails("port add toad --switch t", 1);
        second.stop();
    }
    switch.stop();
}

/// Of a name that leads elsewhere nothing is read, and nothing written there.
fn links() {
    let switch = Switch::start("s");
    let dir = switch.dir();
    end_at_once(switch.pid());
    let elsewhere = Path::new("/run/precious");
    fs::write(elsewhere, "precious").unwrap();
    let lock = dir.join("lock");
    fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(elsewhere, &lock).unwrap();
    let told = fails("run s --detach", 1);
    assert!(told.contains("no switch has left"), "{told}");
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "precious");
    fs::remove_file(&lock).unwrap();
    fs::write(&lock, "").unwrap();
    fs::remove_file(dir.join("log")).unwrap();
    std::os::unix::fs::symlink(elsewhere, dir.join("log")).unwrap();
    let told = fails("run s --detach", 1);
    assert!(told.contains("cannot write the log"), "{told}");
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "precious");
}

/// Only the thread that forwards has it, also after another process goes on; and a switch that may
/// not have it runs without.
fn precedence() {
    let own = getpriority_process(None).unwrap();
    let is_so = |pid: i32, nice: i32| {
        let threads = niceness(pid);
        let (forwarding, others): (Vec<_>, Vec<_>) =
            threads.into_iter().partition(|(name, _)| name == "switch");
        assert_eq!(forwarding, [("switch".to_owned(), nice)]);
        assert!(others.iter().all(|(_, nice)| *nice == own), "{others:?}");
    };
    // Where the tests were started with another than the usual one, that was somebody's choice.
    let nice = if own == 0 && may_have_nice(-10) {
        -10
    } else {
        own
    };
    let switch = Switch::start("s");
    ok("attach mario");
    is_so(switch.pid(), nice);
    ok("restart s");
    is_so(switch.pid(), nice);
    ok("restart s");
    is_so(switch.pid(), nice);
    switch.stop();

    let mut command = vswitch(words("run t --detach"));
    forbid_precedence(&mut command);
    assert!(command.output().unwrap().status.success());
    let pid = told("show t")["pid"].as_i64().unwrap();
    is_so(i32::try_from(pid).unwrap(), own);
    ok("stop t");
}
