//! The process in which a test runs: this one, or another one that has the rights.
//!
//! # Theory of operation
//!
//! A process enters a user namespace with its only thread, and that of a test has two at least. So
//! the test binary is started again in namespaces of its own, for the one test that the calling
//! thread is named after, as the standard test runner names them. There, [`place`] finds all
//! rights, and the closure runs. Its standard input is a socket, through which it reports that the
//! closure has returned: without that, a test that was not found would pass.

use std::env;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::parent_id;
use std::process::{Child, Command, ExitStatus};
use std::thread;

use nix::sys::memfd::{MFdFlags, memfd_create};
use vswitch_netns::userns::{self, UserNamespaceError};
use vswitch_netns::{Namespace, Netlink};

use crate::BedError;

/// Set in the environment of a process that was started for one test: to the number of the process
/// that started it.
const MARK: &str = "VSWITCH_TESTBED_PARENT";
/// What it reports once the closure has returned.
const DONE: &[u8] = b"done";

/// Where a test runs.
pub(crate) enum Place {
    /// In this process.
    Here(Report),
    /// It has run in another one, and has passed.
    Elsewhere,
}

/// To whom the end of the closure is reported.
pub(crate) struct Report {
    is_wanted: bool,
}

impl Report {
    pub(crate) fn report(self) {
        if self.is_wanted {
            let socket = io::stdin().as_fd().try_clone_to_owned().map(File::from);
            // Without the report, the other process fails the test.
            let _ = socket.and_then(|mut socket| socket.write_all(DONE));
        }
    }
}

/// Finds a process with the rights, and has the test run in it if that is another one.
pub(crate) fn place() -> Place {
    let is_wanted = env::var(MARK).is_ok_and(|parent| parent == parent_id().to_string());
    let here = Place::Here(Report { is_wanted });
    match try_rights() {
        Ok(()) => here,
        Err(error) if is_wanted => panic!("cannot build the test bed: {error}"),
        Err(_) => match userns::enter_user_namespace() {
            Ok(()) => here,
            Err(UserNamespaceError::Threads { .. }) => {
                run_elsewhere();
                Place::Elsewhere
            }
            Err(error) => panic!("cannot build the test bed: {error}"),
        },
    }
}

/// Makes a namespace and changes something in it.
fn try_rights() -> Result<(), BedError> {
    let namespace = Namespace::create_unnamed()?;
    let mut netlink = Netlink::open_in(&namespace)?;
    let lo = netlink.link("lo")?;
    Ok(netlink.set_up(&lo)?)
}

/// Runs the calling thread's test in a process of its own, and fails if it does.
fn run_elsewhere() {
    let current = thread::current();
    let Some(name) = current.name().filter(|name| *name != "main") else {
        panic!(
            "cannot build the test bed: this process has no rights, and its thread is not that of \
             a test. Call `vswitch_netns::userns::enter_user_namespace` at the beginning of `main`"
        );
    };
    let Ended {
        status,
        output,
        is_done,
    } = start(name)
        .and_then(|started| watch(started).map_err(|error| error.to_string()))
        .unwrap_or_else(|error| panic!("cannot run the test in namespaces of its own: {error}"));
    // The standard test runner shows it if this test fails.
    print!("{output}");
    assert!(
        status.success(),
        "the test failed in namespaces of its own ({status})"
    );
    assert!(
        is_done,
        "the test did not run in namespaces of its own: the test binary has no test '{name}', as \
         the thread is called. Call this from the thread of the test, under the standard test runner"
    );
}

/// A test that was started.
struct Started {
    child: Child,
    /// Through which it reports.
    socket: UnixStream,
    /// Where it writes. Unlike the end of a pipe, that of a file is not put off by processes that
    /// the test leaves behind.
    output: File,
}

/// A test that has ended.
struct Ended {
    status: ExitStatus,
    output: String,
    /// Whether the closure has returned.
    is_done: bool,
}

fn start(test: &str) -> Result<Started, String> {
    let failed = |error: io::Error| error.to_string();
    let (socket, far) = UnixStream::pair().map_err(failed)?;
    let output =
        memfd_create("output", MFdFlags::MFD_CLOEXEC).map_err(|errno| errno.to_string())?;
    let output = File::from(output);
    // Also if the file was replaced or removed meanwhile, as when it is built again.
    let mut command = Command::new("/proc/self/exe");
    command
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env(MARK, std::process::id().to_string())
        .stdin(OwnedFd::from(far))
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(output.try_clone().map_err(failed)?);
    let child = userns::spawn_inside(&mut command).map_err(|error| error.to_string())?;
    Ok(Started {
        child,
        socket,
        output,
    })
}

fn watch(mut started: Started) -> io::Result<Ended> {
    let status = started.child.wait()?;
    let mut output = Vec::new();
    started.output.rewind()?;
    started.output.read_to_end(&mut output)?;
    // What it has started may have the other end of the socket still.
    started.socket.set_nonblocking(true)?;
    let mut report = [0; DONE.len()];
    let is_done = started.socket.read_exact(&mut report).is_ok() && report == DONE;
    Ok(Ended {
        status,
        output: String::from_utf8_lossy(&output).into_owned(),
        is_done,
    })
}
