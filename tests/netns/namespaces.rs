//! Named namespaces: made, listed, removed, as ip-netns(8) has them.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use libtest_mimic::Trial;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use vswitch_netns::{NETNS_DIR, Namespace, NamespaceError, Netlink, userns};

use super::end;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("netns_entries_are_those_of_iproute2", entries),
        isolated("netns_bad_names_are_refused", bad_names),
        isolated(
            "netns_unknown_and_existing_names_are_refused",
            unknown_and_existing,
        ),
        isolated("netns_stale_entries_are_told_and_removed", stale),
        isolated("netns_a_failed_creation_leaves_nothing", failed_creation),
        isolated(
            "netns_deleted_in_use_lives_until_it_is_left",
            deleted_in_use,
        ),
        isolated("netns_sixteen_threads_create_at_once", parallel),
        isolated("netns_a_name_is_removed_from_its_own_alone", own_name),
        isolated("netns_a_link_is_removed_and_not_what_it_leads_to", link),
        isolated("netns_unnamed_ones_go_with_their_handle", unnamed),
    ]
}

/// The lines of this thread's mount table that mention `text`.
fn mounts(text: &str) -> Vec<String> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    table
        .lines()
        .filter(|line| line.contains(text))
        .map(ToOwned::to_owned)
        .collect()
}

fn names() -> Vec<String> {
    let list = Namespace::list().unwrap().into_iter();
    list.inspect(|entry| assert!(!entry.stale))
        .map(|entry| entry.name)
        .collect()
}

fn entries() {
    assert_eq!(names(), [""; 0], "there is no directory yet");
    let luigi = Namespace::create("luigi").unwrap();
    let mario = Namespace::create("mario").unwrap();
    assert_eq!(names(), ["luigi", "mario"]);
    assert!(Namespace::exists("mario") && !Namespace::exists("peach"));
    assert_ne!(mario, luigi);
    assert_ne!(mario, Namespace::current().unwrap());
    assert_eq!(Namespace::open("mario").unwrap(), mario);
    assert_eq!(mario.name().unwrap().as_str(), "mario");

    // What ip-netns relies on: the file is the namespace, by a mount, on a shared directory.
    let path = Path::new(NETNS_DIR).join("mario");
    let inside = mario
        .run(|| fs::read_link("/proc/thread-self/ns/net").unwrap())
        .unwrap();
    assert_eq!(inside.to_str().unwrap(), format!("net:[{}]", mario.inode()));
    assert_eq!(Namespace::open_path(&path).unwrap(), mario);
    let mount = mounts("/run/netns/mario").pop().unwrap();
    assert!(
        mount.contains(" nsfs ") && mount.contains(" shared:"),
        "{mount}"
    );
    let directory = mounts(" /run/netns ");
    assert_eq!(directory.len(), 1, "mounted once only: {directory:?}");
    assert!(directory[0].contains(" shared:"), "{directory:?}");

    // A new one has `lo` alone, down.
    let links = Netlink::open_in(&mario).unwrap().links().unwrap();
    assert_eq!(links.len(), 1);
    assert!(links[0].loopback && !links[0].up);

    Namespace::delete("mario").unwrap();
    assert_eq!(names(), ["luigi"]);
    assert!(!path.exists());
    assert_eq!(mounts("/run/netns/mario"), [""; 0]);
}

fn bad_names() {
    let long = "n".repeat(300);
    for name in [
        "",
        "..",
        ".hidden",
        "-d",
        "a/b",
        "../../etc",
        "a b",
        "tab\t",
        "nul\0",
        &long,
    ] {
        for outcome in [
            Namespace::create(name).map(drop),
            Namespace::open(name).map(drop),
            Namespace::delete(name),
        ] {
            let error = outcome.unwrap_err();
            assert!(
                matches!(error, NamespaceError::Name(_)),
                "{name:?}: {error:?}"
            );
            let text = error.to_string();
            assert!(text.len() < 200 && !text.contains(['\t', '\0']), "{text}");
        }
        assert!(!Namespace::exists(name));
    }
    assert!(!Path::new(NETNS_DIR).exists(), "something was made");
    let greatest = "n".repeat(255);
    Namespace::create(&greatest).unwrap();
    Namespace::delete(&greatest).unwrap();
}

fn unknown_and_existing() {
    for outcome in [
        Namespace::open("mario").map(drop),
        Namespace::delete("mario"),
    ] {
        let error = outcome.unwrap_err();
        assert!(
            matches!(&error, NamespaceError::NotFound { name } if name == "mario"),
            "{error}"
        );
    }
    let mario = Namespace::create("mario").unwrap();
    let error = Namespace::create("mario").unwrap_err();
    assert!(
        matches!(&error, NamespaceError::Exists { name } if name == "mario"),
        "{error}"
    );
    assert_eq!(
        Namespace::open("mario").unwrap(),
        mario,
        "the first one was harmed"
    );
    let error = Namespace::open_path("/proc/thread-self/status").unwrap_err();
    assert!(
        matches!(error, NamespaceError::NotANamespace { .. }),
        "{error}"
    );
}

fn stale() {
    Namespace::create("crashed").unwrap();
    let path = Path::new(NETNS_DIR).join("crashed");
    umount2(&path, MntFlags::MNT_DETACH).unwrap();
    let list = Namespace::list().unwrap();
    assert_eq!(list.len(), 1);
    assert!(list[0].stale && list[0].name == "crashed");
    let error = Namespace::open("crashed").unwrap_err();
    assert!(matches!(error, NamespaceError::Stale { .. }), "{error}");
    assert!(error.to_string().contains("delete it first"), "{error}");
    let error = Namespace::create("crashed").unwrap_err();
    assert!(matches!(error, NamespaceError::Exists { .. }), "{error}");
    Namespace::delete("crashed").unwrap();
    assert!(!path.exists());
    Namespace::create("crashed").unwrap();
}

/// Somebody removes the name, and makes it again for a namespace of theirs.
fn own_name() {
    let mine = Namespace::create("mario").unwrap();
    mine.remove_name().unwrap();
    assert!(!Namespace::exists("mario"));
    let error = mine.remove_name().unwrap_err();
    assert!(matches!(error, NamespaceError::NotFound { .. }), "{error}");
    // While the handle is open the number is not used again.
    let theirs = Namespace::create("mario").unwrap();
    assert_ne!(theirs.inode(), mine.inode());
    let is_replaced = || {
        let error = mine.remove_name().unwrap_err();
        assert!(matches!(error, NamespaceError::Replaced { .. }), "{error}");
    };
    is_replaced();
    assert_eq!(Namespace::open("mario").unwrap(), theirs);
    theirs.remove_name().unwrap();
    // A link to what is mine is not the name that I made.
    let path = Path::new(NETNS_DIR).join("mario");
    let again = Namespace::create("mario").unwrap();
    umount2(&path, MntFlags::MNT_DETACH).unwrap();
    is_replaced();
    fs::remove_file(&path).unwrap();
    let luigi = again.give_name("luigi").unwrap();
    std::os::unix::fs::symlink("luigi", &path).unwrap();
    let error = again.remove_name().unwrap_err();
    assert!(matches!(error, NamespaceError::Replaced { .. }), "{error}");
    assert_eq!(Namespace::open("mario").unwrap(), luigi);
}

fn link() {
    let mario = Namespace::create("mario").unwrap();
    let path = Path::new(NETNS_DIR).join("link");
    std::os::unix::fs::symlink("mario", &path).unwrap();
    assert_eq!(Namespace::open("link").unwrap(), mario);
    Namespace::delete("link").unwrap();
    assert!(!Namespace::exists("link"));
    assert_eq!(Namespace::open("mario").unwrap(), mario);
}

fn failed_creation() {
    // A limit on namespaces belongs to a user namespace, and all the tests share one. But nothing
    // can be mounted on a file by a process whose /proc is empty.
    Namespace::create("before").unwrap();
    let none = None::<&str>;
    mount(
        Some("tmpfs"),
        "/proc",
        Some("tmpfs"),
        MsFlags::empty(),
        none,
    )
    .unwrap();
    let error = Namespace::create("halfway").unwrap_err();
    assert!(matches!(error, NamespaceError::System { .. }), "{error}");
    assert!(
        !Path::new(NETNS_DIR).join("halfway").exists(),
        "a half-made entry is left"
    );
    assert_eq!(names(), ["before"]);
}

fn deleted_in_use() {
    let mario = Namespace::create("mario").unwrap();
    let mut here = Netlink::open().unwrap();
    here.create_veth(&end("near"), &end("far"), Some(&mario))
        .unwrap();
    Namespace::delete("mario").unwrap();
    assert!(!Namespace::exists("mario"));
    // The handle keeps it alive, and another of the same name is another.
    assert!(
        Netlink::open_in(&mario)
            .unwrap()
            .find_link("far")
            .unwrap()
            .is_some()
    );
    let second = Namespace::create("mario").unwrap();
    assert_ne!(second, mario);
    drop(mario);
    // With the last handle it goes, and its end of the cable, and so the cable.
    assert!(wait_until(PATIENCE, || here
        .find_link("near")
        .unwrap()
        .is_none()));
}

fn parallel() {
    // All find no directory, and all want to make it a mount: each time one does.
    for round in 1..=20 {
        userns::private_run().unwrap();
        let start = Barrier::new(16);
        thread::scope(|scope| {
            for n in 0..16 {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let name = format!("ns-{n}");
                    let own = Namespace::create(&name).unwrap();
                    assert_eq!(Namespace::open(&name).unwrap(), own);
                    if n % 2 == 0 {
                        Namespace::delete(&name).unwrap();
                    }
                });
            }
        });
        assert_eq!(names().len(), 8);
        // The mounts of earlier rounds are still there, below.
        assert_eq!(
            mounts(" /run/netns ").len(),
            round,
            "mounted more than once"
        );
    }

    // And of sixteen who want the same name one gets it.
    let made = thread::scope(|scope| {
        let create = || Namespace::create("same");
        let all: Vec<_> = (0..16).map(|_| scope.spawn(create)).collect();
        let outcomes = all.into_iter().map(|thread| thread.join().unwrap());
        outcomes.flatten().count()
    });
    assert_eq!(made, 1);
}

fn unnamed() {
    let namespace = Namespace::create_unnamed().unwrap();
    assert_ne!(namespace, Namespace::current().unwrap());
    assert_eq!(namespace.name(), None);
    assert!(!Path::new(NETNS_DIR).exists());
    let mut here = Netlink::open().unwrap();
    here.create_veth(&end("near"), &end("far"), Some(&namespace))
        .unwrap();
    drop(namespace);
    assert!(wait_until(PATIENCE, || here
        .find_link("near")
        .unwrap()
        .is_none()));
}
