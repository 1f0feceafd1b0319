//! Names that are made in another mount namespace, and links in the place of names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread;

use libtest_mimic::Trial;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use vswitch_netns::{NETNS_DIR, Namespace, NamespaceError};

use crate::harness::isolated;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("netns_made_inside_exec_is_seen_outside", inside_exec),
        isolated(
            "netns_made_in_a_following_mount_namespace_is_refused",
            following,
        ),
        isolated("netns_a_link_is_removed_and_not_what_it_leads_to", link),
        isolated("netns_links_that_lead_nowhere_are_stale", nowhere),
    ]
}

fn entries() -> Vec<(String, bool)> {
    let list = Namespace::list().unwrap().into_iter();
    list.map(|entry| (entry.name, entry.stale)).collect()
}

fn names(names: &[&str]) -> Vec<(String, bool)> {
    names
        .iter()
        .map(|name| ((*name).to_owned(), false))
        .collect()
}

/// Does `work` in a thread of its own, whose mount namespace it may change.
fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}

fn inside_exec() {
    let mario = Namespace::create("mario").unwrap();
    Namespace::create("luigi").unwrap();
    aside(|| {
        mario.enter_for_exec().unwrap();
        assert_eq!(entries(), names(&["luigi", "mario"]));
        Namespace::create("inside").unwrap();
        Namespace::delete("luigi").unwrap();
        // Also in what is started from there.
        Namespace::open("inside").unwrap().enter_for_exec().unwrap();
        Namespace::create("innermost").unwrap();
        assert_eq!(entries(), names(&["innermost", "inside", "mario"]));
    });
    assert_eq!(entries(), names(&["innermost", "inside", "mario"]));
    for name in ["innermost", "inside"] {
        Namespace::open(name).unwrap();
        Namespace::delete(name).unwrap();
    }
    assert_eq!(entries(), names(&["mario"]));

    // What is mounted for the program alone stays inside, and what is mounted outside arrives.
    let system = mounts("/sys");
    aside(|| {
        mario.enter_for_exec().unwrap();
        aside_is_followed();
    });
    assert_eq!(mounts("/sys"), system);
}

/// A namespace made by another process of the outside meanwhile is seen inside.
fn aside_is_followed() {
    let before = entries();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vswitch"));
    let status = command.args(["netns", "add", "late"]).status().unwrap();
    assert!(status.success());
    assert_eq!(entries().len(), before.len() + 1);
    Namespace::open("late").unwrap();
    Namespace::delete("late").unwrap();
}

fn mounts(point: &str) -> Vec<String> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let lines = table.lines();
    let at = |line: &&str| {
        line.split(' ')
            .nth(4)
            .is_some_and(|at| at.starts_with(point))
    };
    lines.filter(at).map(ToOwned::to_owned).collect()
}

/// As `ip netns exec` has it, and a service of which the system's mounts are none of its own.
fn following() {
    Namespace::create("mario").unwrap();
    aside(|| {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let slave = MsFlags::MS_REC | MsFlags::MS_SLAVE;
        mount(None::<&str>, "/", None::<&str>, slave, None::<&str>).unwrap();
        let error = Namespace::create("hidden").unwrap_err();
        assert!(
            matches!(&error, NamespaceError::Hidden { name } if name == "hidden"),
            "{error}"
        );
        assert!(error.to_string().contains("make it outside"), "{error}");
        // To enter and to delete is as good as ever.
        Namespace::open("mario").unwrap();
    });
    assert_eq!(entries(), names(&["mario"]), "no stale name is left");
    // A directory of its own, as a container has it, is no obstacle.
    aside(|| {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let slave = MsFlags::MS_REC | MsFlags::MS_SLAVE;
        mount(None::<&str>, "/", None::<&str>, slave, None::<&str>).unwrap();
        vswitch_netns::userns::private_run().unwrap();
        Namespace::create("own").unwrap();
        assert_eq!(entries(), names(&["own"]));
    });
    assert_eq!(entries(), names(&["mario"]));
}

fn link() {
    let mario = Namespace::create("mario").unwrap();
    let alias = Path::new(NETNS_DIR).join("alias");
    symlink(Path::new(NETNS_DIR).join("mario"), &alias).unwrap();
    assert_eq!(Namespace::open("alias").unwrap(), mario);
    Namespace::delete("alias").unwrap();
    assert!(alias.symlink_metadata().is_err());
    assert_eq!(Namespace::open("mario").unwrap(), mario, "it was unmounted");
    assert_eq!(entries(), names(&["mario"]));
    // Nor anything else that somebody has mounted.
    fs::create_dir("/run/mounted").unwrap();
    let none = None::<&str>;
    mount(
        Some("tmpfs"),
        "/run/mounted",
        Some("tmpfs"),
        MsFlags::empty(),
        none,
    )
    .unwrap();
    symlink("/run/mounted", &alias).unwrap();
    Namespace::delete("alias").unwrap();
    assert_eq!(mounts("/run/mounted").len(), 1);
}

fn nowhere() {
    Namespace::create("mario").unwrap();
    for (name, target) in [
        ("gone", "/proc/4000000/ns/net"),
        ("round", "/run/netns/round"),
    ] {
        let path = Path::new(NETNS_DIR).join(name);
        symlink(target, &path).unwrap();
        let stale = Namespace::list().unwrap().into_iter();
        let stale: Vec<_> = stale.filter(|entry| entry.stale).collect();
        assert_eq!(stale.len(), 1, "{name}");
        assert_eq!(stale[0].name, name);
        Namespace::open(name).unwrap_err();
        Namespace::delete(name).unwrap();
        assert!(path.symlink_metadata().is_err(), "{name}");
    }
    assert_eq!(entries(), names(&["mario"]));
}
