//! Being inside a namespace: closures, guards, programs.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::process::Stdio;
use std::thread;

use libtest_mimic::Trial;
use nix::mount::{MsFlags, mount};
use vswitch_netns::{Namespace, NamespaceError, Netlink, SpawnError, UserNamespaceError, userns};

use super::end;
use crate::harness::{PATIENCE, isolated, stage, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("netns_run_leaves_the_caller_where_it_is", run),
        isolated("netns_guard_returns_the_thread", guard),
        isolated("netns_guard_returns_the_thread_on_a_panic", guard_and_panic),
        isolated(
            "netns_guards_may_be_nested_and_dropped_in_any_order",
            guards_nested,
        ),
        isolated("netns_sockets_stay_where_they_were_opened", sockets_stay),
        isolated("netns_programs_run_inside_with_their_own_sys", programs),
        isolated(
            "netns_programs_see_the_files_of_their_namespace_in_etc",
            etc,
        ),
        isolated("netns_missing_programs_are_refused", missing_program),
        isolated(
            "netns_user_namespace_is_refused_to_many_threads",
            user_namespace,
        ),
    ]
}

fn current() -> Namespace {
    Namespace::current().unwrap()
}

fn run() {
    let mario = Namespace::create("mario").unwrap();
    let before = current();
    let local = String::from("borrowed");
    let (inside, length) = mario.run(|| (current(), local.len())).unwrap();
    assert_eq!((inside, length), (mario, 8));
    assert_eq!(current(), before);

    let mario = Namespace::open("mario").unwrap();
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| mario.run(|| panic!("let's-a-go"))));
    let payload = outcome.unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"let's-a-go"));
    assert_eq!(current(), before);
}

fn guard() {
    let mario = Namespace::create("mario").unwrap();
    let before = current();
    let inside = mario.enter().unwrap();
    assert_eq!(current(), mario);
    assert_eq!(
        thread::spawn(current).join().unwrap(),
        mario,
        "a child begins where its parent is"
    );
    drop(inside);
    assert_eq!(current(), before);
}

fn guard_and_panic() {
    let mario = Namespace::create("mario").unwrap();
    let before = current();
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        let _inside = mario.enter().unwrap();
        assert_eq!(current(), before, "this panic is wanted");
    }));
    let payload = outcome.unwrap_err();
    assert!(
        payload
            .downcast_ref::<String>()
            .unwrap()
            .contains("this panic is wanted")
    );
    assert_eq!(current(), before);
}

fn guards_nested() {
    let mario = Namespace::create("mario").unwrap();
    let luigi = Namespace::create("luigi").unwrap();
    let before = current();

    let outer = mario.enter().unwrap();
    let inner = luigi.enter().unwrap();
    assert_eq!(current(), luigi);
    drop(inner);
    assert_eq!(current(), mario);
    drop(outer);
    assert_eq!(current(), before);

    let outer = mario.enter().unwrap();
    let inner = luigi.enter().unwrap();
    drop(outer);
    assert_eq!(current(), luigi, "the inner guard still holds");
    drop(inner);
    assert_eq!(
        current(),
        before,
        "the thread was left in the namespace of the dropped guard"
    );
}

fn sockets_stay() {
    let mario = Namespace::create("mario").unwrap();
    let mut there = Netlink::open_in(&mario).unwrap();
    let lo = there.link("lo").unwrap();
    there.set_up(&lo).unwrap();
    there.set_down(&lo).unwrap();
    assert_eq!(there.namespace().unwrap(), mario);
    let own = Netlink::open().unwrap().link("lo").unwrap();
    assert!(own.up, "the request went to the wrong namespace");
}

fn programs() {
    let mario = Namespace::create("mario").unwrap();
    let before = current();
    Netlink::open()
        .unwrap()
        .create_veth(&end("near"), &end("far"), None)
        .unwrap();
    // As on most machines, where what is mounted is seen in every mount namespace.
    let (none, shared) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_SHARED);
    mount(none, "/", none, shared, none).unwrap();
    let mounts_before = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let mut child = mario.spawn(stage::sleeper().stdin(Stdio::null())).unwrap();
    let pid = child.id();
    assert_eq!(Namespace::of_process(pid).unwrap(), mario);
    // It sees the interfaces of its namespace in /sys: `lo` alone, whatever others there are.
    let sys = format!("/proc/{pid}/root/sys/class/net");
    let listed = || fs::read_dir(&sys).map_or(0, Iterator::count);
    assert!(wait_until(PATIENCE, || listed() == 1));
    let mount = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
    let sys = mount.lines().rfind(|line| line.contains(" /sys ")).unwrap();
    assert!(
        sys.contains("sysfs mario "),
        "/sys is not the namespace's: {sys}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(current(), before);
    let mounts_after = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    assert_eq!(
        mounts_after, mounts_before,
        "the program's mounts are seen outside"
    );
}

fn etc() {
    let none = None::<&str>;
    mount(Some("tmpfs"), "/etc", Some("tmpfs"), MsFlags::empty(), none).unwrap();
    fs::create_dir_all("/etc/netns/mario").unwrap();
    fs::write("/etc/resolv.conf", "of all").unwrap();
    fs::write("/etc/hosts", "of all").unwrap();
    fs::write("/etc/netns/mario/resolv.conf", "of mario").unwrap();
    // One for which there is nothing to be put over is passed by.
    fs::write("/etc/netns/mario/missing", "of mario").unwrap();
    let seen_by = |name: &str, file: &str| {
        let namespace = Namespace::open(name).unwrap();
        let mut child = namespace
            .spawn(stage::sleeper().stdin(Stdio::null()))
            .unwrap();
        let text = fs::read_to_string(format!("/proc/{}/root/etc/{file}", child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        text.unwrap()
    };
    Namespace::create("mario").unwrap();
    Namespace::create("luigi").unwrap();
    assert_eq!(seen_by("mario", "resolv.conf"), "of mario");
    assert_eq!(seen_by("mario", "hosts"), "of all");
    assert_eq!(seen_by("luigi", "resolv.conf"), "of all");
    assert_eq!(fs::read_to_string("/etc/resolv.conf").unwrap(), "of all");
}

fn missing_program() {
    let mario = Namespace::create("mario").unwrap();
    let mut command = std::process::Command::new("/no/such/program");
    let error = mario.spawn(&mut command).unwrap_err();
    assert!(matches!(error, SpawnError::Start { .. }), "{error}");
    assert!(error.to_string().contains("/no/such/program"), "{error}");
    let error = Namespace::of_process(u32::MAX).unwrap_err();
    assert!(matches!(error, NamespaceError::System { .. }), "{error}");
}

fn user_namespace() {
    let error = userns::enter_user_namespace().unwrap_err();
    assert!(
        matches!(error, UserNamespaceError::Threads { threads } if threads > 1),
        "{error}"
    );
}
