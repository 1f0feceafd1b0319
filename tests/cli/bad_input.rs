//! Whatever cannot be done: one sentence, the right status, nothing changed, nothing left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use libtest_mimic::Trial;
use vswitch_netns::{InterfaceName, Namespace, Netlink, VethEnd};

use super::{Surroundings, Switch, fails, ok, refused};
use crate::harness::isolated;
use crate::harness::program::vswitch;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_bad_names_are_wrong_usage", names),
        isolated("cli_bad_values_are_wrong_usage", values),
        isolated("cli_what_is_not_there_is_refused", not_there),
        isolated("cli_what_is_taken_is_refused", taken),
        isolated("cli_attach_that_fails_half_way_leaves_nothing", half_way),
        isolated(
            "cli_unusable_runtime_directories_are_refused",
            runtime_directories,
        ),
        isolated("cli_stdout_that_nobody_reads_is_no_failure", closed_stdout),
    ]
}

fn names() {
    let _switch = Switch::start("s");
    let before = Surroundings::now();
    let long = "x".repeat(300);
    for name in [
        "a/b",
        "..",
        ".",
        "../../etc/passwd",
        "a\u{7}b",
        "a\u{1b}[31mb",
        "ü",
        &long,
    ] {
        for command in [
            "run",
            "stop",
            "show",
            "attach",
            "detach",
            "netns add",
            "netns del",
        ] {
            let mut arguments = super::words(command);
            arguments.push(name);
            let told = refused(vswitch(&arguments), command, 2);
            assert!(told.len() < 1200, "{told}");
        }
        for arguments in [
            ["attach", "x", "--switch", name],
            ["port", "add", name, "--switch=s"],
            ["port", "del", name, "--switch=s"],
            ["exec", name, "--", "ls"],
        ] {
            refused(vswitch(arguments), name, 2);
        }
    }
    for line in [
        "run -x",
        "attach -x",
        "netns add -- -x",
        "run -- -x",
        "exec -- -x ls",
    ] {
        fails(line, 2);
    }
    refused(vswitch(["run", ""]), "run ''", 2);
    assert_eq!(Surroundings::now(), before);
}

fn values() {
    let _switch = Switch::start("s");
    let before = Surroundings::now();
    for line in [
        "attach a --ip 10.0.0.1",
        "attach a --ip 10.0.0.0/24",
        "attach a --ip 10.0.0.255/24",
        "attach a --ip 10.0.0.1/33",
        "attach a --ip 256.0.0.1/24",
        "attach a --ip 224.0.0.1/24",
        "attach a --ip fd00::/64",
        "attach a --ip fd00::1/129",
        "attach a --ip mario",
        "attach a --mtu 67",
        "attach a --mtu 65536",
        "attach a --mtu -1",
        "attach a --mtu many",
        "attach a --mac 01:00:00:00:00:01",
        "attach a --mac ff:ff:ff:ff:ff:ff",
        "attach a --mac 00:00:00:00:00:00",
        "attach a --mac 02:00:00:00:00",
        "run t --ageing 0",
        "run t --ageing soon",
        "run t --max-macs 0",
        "run t --max-macs 99999999999",
        "run t --subnet 10.0.0.1/24",
        "run t --subnet 10.0.0.0",
        "run t --subnet 10.0.0.0/32",
        "fdb add 02:00:00:00:00:01",
        "fdb add ff:ff:ff:ff:ff:ff p",
        "fdb add 02:00:00:00:00:01 p --vlan 4096",
        "fdb del x",
        "exec",
        "exec a",
        "netns add",
        "frobnicate",
        "show s --jsno",
    ] {
        fails(line, 2);
        assert_eq!(Surroundings::now(), before, "{line}");
    }
    for line in [
        "attach a --ip fd00::1/64 --mtu 1000",
        "attach a --ip 10.0.0.1/8 --ip 10.0.0.1/9",
    ] {
        fails(line, 1);
        assert_eq!(Surroundings::now(), before, "{line}");
    }
}

fn not_there() {
    let _switch = Switch::start("s");
    ok("netns add free");
    let before = Surroundings::now();
    for (line, part) in [
        ("show nobody", "'nobody'"),
        ("stop nobody", "'nobody'"),
        ("attach a --switch nobody", "'nobody'"),
        ("fdb --switch nobody", "'nobody'"),
        ("detach free", "not attached"),
        ("detach nowhere", "not attached"),
        ("exec nowhere ls", "nowhere"),
        ("netns del nowhere", "nowhere"),
        ("netns del free nowhere", "nowhere"),
        ("netns add new free", "free"),
        ("port add none --switch s", "none"),
        ("port del none --switch s", "none"),
        ("fdb add 02:00:00:00:00:01 none", "none"),
        ("fdb del 02:00:00:00:00:01", "02:00:00:00:00:01"),
        ("fdb flush --port none", "none"),
    ] {
        let told = fails(line, 1);
        assert!(told.contains(part), "{line}: {told}");
        assert_eq!(Surroundings::now(), before, "{line}");
    }
}

fn pair(near: &str, far: &str) {
    let end = |name| VethEnd::new(InterfaceName::new(name).unwrap());
    let mut netlink = Netlink::open().unwrap();
    netlink.create_veth(&end(near), &end(far), None).unwrap();
}

fn taken() {
    let _one = Switch::start("one");
    let _two = Switch::start("two");
    pair("eth1", "eth2");
    ok("attach mario --switch one --ip 10.0.0.1/24");
    ok("port add eth1 --switch one");
    let before = Surroundings::now();
    for (line, part) in [
        ("attach mario --switch one", "already attached"),
        (
            "attach mario --switch two",
            "already attached to the switch 'one'",
        ),
        (
            "attach luigi --switch one --ip 10.0.0.1/16",
            "that of the namespace 'mario'",
        ),
        ("port add eth1 --switch one", "already a port"),
        (
            "port add eth1 --switch two",
            "already a port of another switch",
        ),
        ("port add mario-vsw --switch one", "already a port"),
        (
            "port add mario-vsw --switch two",
            "made by the switch 'one'",
        ),
        ("port add lo --switch one", "Ethernet"),
        ("port del mario-vsw --switch one", "vswitch detach mario"),
        ("detach mario --switch two", "not attached"),
        ("port del eth1 --switch two", "eth1"),
    ] {
        let told = fails(line, 1);
        assert!(told.contains(part), "{line}: {told}");
        assert_eq!(Surroundings::now(), before, "{line}");
    }
}

fn half_way() {
    let _switch = Switch::start("s --subnet 10.0.0.0/31");
    // Both names of the pair that is to be made are taken, one in each namespace.
    pair("luigi-vsw", "other");
    ok("netns add mario");
    let inside = Namespace::open("mario").unwrap();
    let mut netlink = Netlink::open_in(&inside).unwrap();
    let end = |name| VethEnd::new(InterfaceName::new(name).unwrap());
    netlink
        .create_veth(&end("mario-netns"), &end("x"), None)
        .unwrap();
    fs::write("/run/netns/stale", "").unwrap();
    let before = Surroundings::now();
    for (line, part) in [
        ("attach luigi", "luigi-vsw"),
        ("attach mario", "mario-netns"),
        ("attach stale", "stale"),
    ] {
        let told = fails(line, 1);
        assert!(told.contains(part), "{line}: {told}");
        assert_eq!(Surroundings::now(), before, "{line}");
    }
    // What failed has taken no address.
    ok("attach a");
    ok("attach b");
    let before = Surroundings::now();
    let told = fails("attach c", 1);
    assert!(told.contains("10.0.0.0/31"), "{told}");
    assert_eq!(Surroundings::now(), before);
}

fn runtime_directories() {
    fs::write("/run/file", "").unwrap();
    let open = Path::new("/run/open/s");
    fs::create_dir_all(open).unwrap();
    fs::set_permissions(open, fs::Permissions::from_mode(0o755)).unwrap();
    let long = format!("/run/{}", "x".repeat(120));
    for (dir, part) in [
        ("/proc/nowhere", "/proc/nowhere"),
        ("/run/file", "/run/file"),
        ("/run/open", "0755"),
        (long.as_str(), "107"),
    ] {
        for detach in [None, Some("--detach")] {
            let mut command = vswitch(["--runtime-dir", dir, "run", "s"]);
            command.args(detach);
            let told = refused(command, dir, 1);
            assert!(told.contains(part), "{told}");
        }
    }
    assert!(!Path::new(&long).exists());
    assert_eq!(fs::read_dir("/run/open/s").unwrap().count(), 0);
}

fn closed_stdout() {
    let _switch = Switch::start("s");
    for line in ["show", "list", "port list --json", "--help", "fdb"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = vswitch(super::words(line));
        let output = command.stdout(writer).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        assert!(output.stderr.is_empty(), "{line}: {output:?}");
    }
}
