//! Labs that something has happened to.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};

use libtest_mimic::Trial;
use nix::mount::{MsFlags, mount, umount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vswitch_netns::{InterfaceName, Namespace, Netlink, VethEnd};

use super::{LabFile, ends, nothing_is_left, reaches};
use crate::cli::{Surroundings, json, namespaces, ok};
use crate::harness::program::{Background, VSWITCH, run_vswitch, runtime_dir, vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

const LAB: &str = r#"
[switch.left]
subnet = "10.0.1.0/24"
[switch.right]
[[link]]
between = ["left", "right"]
[host.mario]
switch = "left"
commands = [["vswitch", "run", "inner"]]
[host.luigi]
switch = "right"
ip = "10.0.1.200/24"
"#;

pub(super) fn tests() -> Vec<Trial> {
    let mut tests = vec![
        isolated("cli::labs::whatever_vanished_is_seen_and_mended", mended),
        isolated("cli::labs::what_another_has_made_is_never_touched", foreign),
        isolated("cli::labs::a_hung_switch_holds_nothing_else_up", hung),
        isolated(
            "cli::labs::a_full_runtime_directory_can_be_taken_down",
            full,
        ),
        isolated("cli::labs::two_at_once_do_not_meet", at_once),
        isolated("cli::labs::an_interrupted_up_leaves_nothing", interrupted),
    ];
    for hosts in [0, 1, 7, 20] {
        let name = format!("cli::labs::killed_after_{hosts}_hosts_it_goes_down_all_the_same");
        tests.push(isolated(&name, move || killed(hosts)));
    }
    tests
}

fn pid_of(switch: &str) -> Pid {
    let pid = json(&format!("show {switch}"))["pid"].as_i64().unwrap();
    Pid::from_raw(i32::try_from(pid).unwrap())
}

fn mended() {
    let before = Surroundings::now();
    let lab = LabFile::new(&LAB.replace("commands = [[\"vswitch\", \"run\", \"inner\"]]\n", ""));
    lab.up();
    reaches("mario", "10.0.1.200");
    // A host, a cable, a link and a switch go, one after the other.
    Namespace::delete("mario").unwrap();
    let (told, _) = ends("status", 1);
    assert!(told.contains("host mario – it is gone"), "{told}");
    assert!(lab.up().contains("host mario"));
    reaches("mario", "10.0.1.200");
    for interface in ["luigi-vsw", "left-right"] {
        let mut netlink = Netlink::open().unwrap();
        let link = netlink.link(interface).unwrap();
        netlink.delete_link(&link).unwrap();
        ends("status", 1);
        lab.up();
        ends("status", 0);
        reaches("mario", "10.0.1.200");
    }
    let right = pid_of("right");
    kill(pid_of("left"), Signal::SIGKILL).unwrap();
    assert!(wait_until(PATIENCE, || !run_vswitch(["show", "left"])
        .status
        .success()));
    let (told, _) = ends("status", 1);
    assert!(told.contains("it is not running"), "{told}");
    lab.up();
    ends("status", 0);
    reaches("mario", "10.0.1.200");
    assert_eq!(pid_of("right"), right);
    // And down, with a switch that was killed.
    kill(pid_of("left"), Signal::SIGKILL).unwrap();
    lab.down();
    nothing_is_left(&before);
}

/// The lab, and its command is this program.
fn with_command() -> LabFile {
    let program = format!("[[\"{VSWITCH}\"");
    LabFile::new(&LAB.replace("[[\"vswitch\"", &program))
}

fn hung() {
    let before = Surroundings::now();
    let lab = with_command();
    lab.up();
    let left = pid_of("left");
    kill(left, Signal::SIGSTOP).unwrap();
    let (told, _) = ends("status", 1);
    assert!(told.contains("its switch does not answer"), "{told}");
    let (_, errors) = ends("down", 1);
    assert!(
        errors.contains("the switch 'left' did not answer") && errors.lines().count() == 2,
        "{errors}"
    );
    assert_eq!(namespaces(), Vec::<String>::new());
    ends("show right", 1);
    kill(left, Signal::SIGCONT).unwrap();
    ok("down");
    nothing_is_left(&before);
}

fn full() {
    let before = Surroundings::now();
    fs::create_dir(runtime_dir()).unwrap();
    let size = Some("size=256k,mode=700");
    let flags = MsFlags::empty();
    mount(Some("x"), &runtime_dir(), Some("tmpfs"), flags, size).unwrap();
    let lab = with_command();
    lab.up();
    // What a command prints takes all the room that there is.
    let logs = fs::read_dir(runtime_dir().join(".labs/lab/logs")).unwrap();
    let log = logs.map(|log| log.unwrap().path()).next().unwrap();
    let mut log = OpenOptions::new().append(true).open(log).unwrap();
    let error = log.write_all(&vec![b'x'; 1 << 20]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    drop(log);
    lab.down();
    // Those who have just ended may still hold it.
    assert!(wait_until(PATIENCE, || umount(&runtime_dir()).is_ok()));
    fs::remove_dir(runtime_dir()).unwrap();
    nothing_is_left(&before);
}

fn foreign() {
    Namespace::create("mario").unwrap();
    ok("run right --detach");
    let ends_of = ["left-right", "x"].map(|name| VethEnd::new(InterfaceName::new(name).unwrap()));
    let mut netlink = Netlink::open().unwrap();
    netlink.create_veth(&ends_of[0], &ends_of[1], None).unwrap();
    let before = Surroundings::now();
    let lab = LabFile::new(LAB);
    let (_, errors) = ends("up /run/lab.toml", 1);
    let places: Vec<_> = errors
        .lines()
        .map(|line| line.split(": ").nth(1).unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "/run/lab.toml:4:9",
            "/run/lab.toml:6:11",
            "/run/lab.toml:7:7"
        ],
        "{errors}"
    );
    nothing_of_the_lab_changed(&before);
    // What takes the place of something that was made is not removed with it.
    Namespace::delete("mario").unwrap();
    ok("stop right");
    let link = netlink.link("x").unwrap();
    netlink.delete_link(&link).unwrap();
    lab.edit("commands = [[\"vswitch\", \"run\", \"inner\"]]\n", "");
    lab.up();
    Namespace::delete("luigi").unwrap();
    Namespace::create("luigi").unwrap();
    ok("stop right");
    ok("run right --detach");
    ok("attach luigi --switch right");
    let (_, errors) = ends("up /run/lab.toml", 1);
    assert!(errors.contains("but another one of its name"), "{errors}");
    lab.down();
    assert_eq!(namespaces(), ["luigi"]);
    assert_eq!(json("port list --switch right")[0]["state"], "up");
    ok("stop right");
}

fn nothing_of_the_lab_changed(before: &Surroundings) {
    assert_eq!(Surroundings::now(), *before);
}

/// A lab that takes a while.
fn large() -> String {
    "[switch.s]\nsubnet = \"10.0.0.0/24\"\n[host.h]\ncount = 40\n".to_owned()
}

fn at_once() {
    let before = Surroundings::now();
    let lab = LabFile::new(&large());
    let both = [0, 1].map(|_| Background::start(vswitch(["up", "/run/lab.toml"])).unwrap());
    let statuses = both.map(|up| {
        let output = up.finish().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), errors)
    });
    for (status, errors) in &statuses {
        let refused = *status == Some(1) && errors.contains("is at work on the lab");
        assert!(*status == Some(0) || refused, "{statuses:?}");
    }
    assert!(lab.up().starts_with("nothing to do"));
    lab.down();
    nothing_is_left(&before);
}

fn interrupted() {
    let before = Surroundings::now();
    let lab = LabFile::new(&large());
    let up = Background::start(vswitch(["up", "/run/lab.toml"])).unwrap();
    assert!(wait_until(PATIENCE, || namespaces().len() > 3));
    up.signal(Signal::SIGINT).unwrap();
    let output = up.finish().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(
        errors.contains("interrupted: what was made has been removed"),
        "{errors}"
    );
    nothing_is_left(&before);
    drop(lab);
}

fn killed(hosts: usize) {
    let before = Surroundings::now();
    let lab = LabFile::new(&large());
    let mut up = Background::start(vswitch(["up", "/run/lab.toml"])).unwrap();
    assert!(wait_until(PATIENCE, || namespaces().len() >= hosts));
    up.signal(Signal::SIGKILL).unwrap();
    up.wait();
    // Only a lab that was begun can be taken down; the file names it in any case.
    lab.down();
    nothing_is_left(&before);
    // And what a killed one has left, the next goes on with.
    let mut up = Background::start(vswitch(["up", "/run/lab.toml"])).unwrap();
    assert!(wait_until(PATIENCE, || namespaces().len() >= hosts));
    up.signal(Signal::SIGKILL).unwrap();
    up.wait();
    lab.up();
    reaches("h1", "10.0.0.40");
    lab.down();
    nothing_is_left(&before);
}
