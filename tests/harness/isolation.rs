//! A test in namespaces of its own.

use std::any::Any;
use std::thread;

use libtest_mimic::{Failed, Trial};
use nix::sched::{CloneFlags, unshare};
use vswitch_netns::{Netlink, userns};

/// A test that runs in a thread of its own, with a network and a mount namespace of its own.
///
/// `lo` is up, `/run` is an empty tmpfs (so `/run/netns` and `/run/vswitch` belong to this test
/// alone). Threads spawned and children started inside inherit all that. So tests run side by
/// side, under the same names, and leave nothing. A panic fails the test with its message.
pub(crate) fn isolated(name: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    let thread_name = name.to_owned();
    Trial::test(name, move || {
        in_namespaces(&thread_name, test).map_err(Failed::from)
    })
}

/// Does `work` in such a thread; the error is the message of a panic.
pub(crate) fn in_namespaces<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        enter_fresh_namespaces();
        work()
    });
    thread
        .map_err(|error| format!("no thread for the test: {error}"))?
        .join()
        .map_err(|panic| panic_message(panic.as_ref()))
}

fn enter_fresh_namespaces() {
    // CLONE_NEWNS takes CLONE_FS with it: the mounts of the other threads stay as they are.
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
        .expect("a network and a mount namespace for the test");
    userns::private_run().expect("an empty /run for the test");
    let mut netlink = Netlink::open().expect("a netlink socket");
    let lo = netlink.link("lo").expect("lo");
    netlink.set_up(&lo).expect("lo up");
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "the test panicked without a message".to_owned())
}
