//! Without the rights: done in a lab, or told early, and nothing changed.

use libtest_mimic::Trial;

use super::{Surroundings, Switch, namespaces, ok, refused, sys, words};
use crate::harness::program::{runtime_dir, vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

const NET_ADMIN: libc::c_ulong = 12;
const NET_RAW: libc::c_ulong = 13;
const SYS_ADMIN: libc::c_ulong = 21;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_missing_rights_are_named_and_nothing_changes", named),
        isolated("cli_missing_rights_are_those_of_a_lab", moved),
        isolated(
            "cli_daemon_without_rights_refuses_to_attach",
            daemon_refuses,
        ),
    ]
}

fn without(capability: libc::c_ulong, line: &str) -> String {
    let mut command = vswitch(words(line));
    sys::drop_capability(&mut command, capability);
    refused(command, line, 1)
}

fn named() {
    ok("netns add old");
    let before = Surroundings::now();
    for (capability, name, line) in [
        (SYS_ADMIN, "CAP_SYS_ADMIN", "netns del old"),
        (SYS_ADMIN, "CAP_SYS_ADMIN", "exec old ls"),
        (SYS_ADMIN, "CAP_SYS_ADMIN", "exec --all ls"),
        (SYS_ADMIN, "CAP_SYS_ADMIN", "bench mario luigi"),
        (NET_RAW, "CAP_NET_RAW", "bench mario luigi"),
    ] {
        let told = without(capability, line);
        assert!(told.contains(name) && told.contains("sudo"), "{told}");
        assert!(told.contains("vswitch netns add NAME"), "{told}");
        assert_eq!(Surroundings::now(), before, "{line}");
    }
}

/// One right that is missing is enough: what needs it is done in a lab.
fn moved() {
    let before = Surroundings::now();
    for (capability, line) in [
        (NET_ADMIN, "run s --detach"),
        (NET_RAW, "run s --detach"),
        (SYS_ADMIN, "netns add s"),
    ] {
        let mut command = vswitch(words(line));
        sys::drop_capability(&mut command, capability);
        assert!(command.output().unwrap().status.success(), "{line}");
        assert!(runtime_dir().join(".lab").exists(), "{line}");
        assert_eq!(namespaces(), before.namespaces, "{line}");
        let end = if line.starts_with("run") {
            "stop s"
        } else {
            "netns del s"
        };
        let mut command = vswitch(words(end));
        sys::drop_capability(&mut command, capability);
        assert!(command.output().unwrap().status.success(), "{line}");
        let gone = || !runtime_dir().join(".lab").exists();
        assert!(wait_until(PATIENCE, gone), "{line}");
        assert_eq!(Surroundings::now().links, before.links, "{line}");
    }
}

fn daemon_refuses() {
    let mut command = vswitch(["run", "s", "--detach"]);
    sys::drop_capability(&mut command, SYS_ADMIN);
    assert!(
        command.status().unwrap().success(),
        "a switch alone needs no CAP_SYS_ADMIN"
    );
    let switch = Switch {
        name: "s".to_owned(),
    };
    let before = Surroundings::now();
    let told = super::fails("attach mario", 1);
    assert!(told.contains("CAP_SYS_ADMIN"), "{told}");
    assert_eq!(Surroundings::now(), before);
    assert!(namespaces().is_empty());
    switch.stop();
}
