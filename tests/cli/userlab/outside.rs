//! The lab and what is outside of it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use vswitch_netns::{InterfaceName, Netlink, VethEnd};

use super::user::{PROGRAM, User};
use crate::cli::{Surroundings, complaint, namespaces, ok, sys};
use crate::harness::program::Background;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_userlab_that_is_forbidden_is_told", forbidden),
        isolated("cli_userlab_over_another_network", other_network),
        isolated("cli_userlab_is_not_for_root", not_for_root),
        isolated("cli_userlab_is_where_names_are_completed", completion),
        isolated("cli_userlab_serves_metrics_outside", metrics),
        isolated("cli_userlab_takes_nothing_of_the_host", host_interface),
        isolated("cli_userlab_keeps_what_is_in_run", rest_of_run),
        isolated("cli_userlab_attaches_its_own_processes_alone", processes),
    ]
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
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
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

fn processes() {
    let user = User::new("processes");
    user.ok("run s --detach");
    user.ok("netns add mario");
    // One that runs until it is ended.
    let inside = user.command(&format!("exec mario {PROGRAM} events --switch s"));
    let inside = Background::start(inside).unwrap();
    let path = format!("/proc/{}/ns/net", inside.pid());
    // It begins outside, and comes by the lab's own.
    let own = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let lab = format!("/proc/{}/ns/net", user.keeper().unwrap());
    let lab = fs::read_link(lab).unwrap();
    let is_inside = || fs::read_link(&path).is_ok_and(|found| found != own && found != lab);
    assert!(wait_until(PATIENCE, is_inside));
    user.ok(&format!("attach alias --pid {}", inside.pid()));
    let ends = user.ok("link -n mario");
    assert!(ends.contains("alias-netns"), "{ends}");
    // What is outside belongs to others.
    let told = user.fails("attach web --netns /proc/self/ns/net");
    assert!(told.contains("another user namespace"), "{told}");
    assert!(told.contains("vswitch exec"), "{told}");
    drop(inside);
    user.ok("detach alias");
    user.ok("stop s");
}
