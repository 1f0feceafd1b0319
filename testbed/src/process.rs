//! Selects the process in which a test runs: this one, or a child that has the capabilities.
//!
//! # Theory of operation
//!
//! Only a process with a single thread can enter a user namespace, and the process of a test has at
//! least two threads. So the test binary is started again in new namespaces, for the one test that
//! the calling thread is named after (the standard test runner names threads so). There, [`select`]
//! finds that it has the capabilities, and the closure runs. The child's standard input is a
//! socket, through which the child reports that the closure has returned: without the report, a
//! test name that was not found would pass.

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

/// Environment variable of a child process that runs one test: the process number of its parent.
const MARK: &str = "VSWITCH_TESTBED_PARENT";
/// The report of the child once the closure has returned.
const DONE: &[u8] = b"done";

/// The process that runs a test.
pub(crate) enum TestProcess {
    /// This process.
    This(Report),
    /// A child process, in which the test has passed.
    Child,
}

/// The parent process that expects a report, if there is one.
pub(crate) struct Report {
    is_wanted: bool,
}

impl Report {
    pub(crate) fn report(self) {
        if self.is_wanted {
            let socket = io::stdin().as_fd().try_clone_to_owned().map(File::from);
            // If the report is lost, the parent fails the test.
            let _ = socket.and_then(|mut socket| socket.write_all(DONE));
        }
    }
}

/// Selects a process with the capabilities; if that is a child, runs the test in it.
pub(crate) fn select() -> TestProcess {
    let is_wanted = env::var(MARK).is_ok_and(|parent| parent == parent_id().to_string());
    let this = TestProcess::This(Report { is_wanted });
    match try_rights() {
        Ok(()) => this,
        Err(error) if is_wanted => panic!("cannot build the test bed: {error}"),
        Err(_) => match userns::enter_user_namespace() {
            Ok(()) => this,
            Err(UserNamespaceError::Threads { .. }) => {
                run_elsewhere();
                TestProcess::Child
            }
            Err(error) => panic!("cannot build the test bed: {error}"),
        },
    }
}

/// Creates a namespace and changes a setting in it.
fn try_rights() -> Result<(), BedError> {
    let namespace = Namespace::create_unnamed()?;
    let mut netlink = Netlink::open_in(&namespace)?;
    let lo = netlink.link("lo")?;
    Ok(netlink.set_up(&lo)?)
}

/// Runs the calling thread's test in a child process, and panics if the test fails there.
fn run_elsewhere() {
    let current = thread::current();
    let Some(name) = current.name().filter(|name| *name != "main") else {
        panic!(
            "cannot build the test bed: this process has no rights, and its thread is not that of \
             a test. Call `vswitch_netns::userns::enter_user_namespace` at the beginning of `main`"
        );
    };
    let Finished {
        status,
        output,
        is_done,
    } = start(name)
        .and_then(|started| wait_for(started).map_err(|error| error.to_string()))
        .unwrap_or_else(|error| panic!("cannot run the test in namespaces of its own: {error}"));
    // The standard test runner prints captured output if this test fails.
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

/// The child process of a test.
struct Running {
    child: Child,
    /// The socket through which the child reports.
    socket: UnixStream,
    /// The file for the child's output. Reading a file ends even if processes that the test leaves
    /// behind keep it open; reading a pipe would wait for them.
    output: File,
}

/// The result of a child process.
struct Finished {
    status: ExitStatus,
    output: String,
    /// Whether the child reported that the closure has returned.
    is_done: bool,
}

fn start(test: &str) -> Result<Running, String> {
    let failed = |error: io::Error| error.to_string();
    let (socket, child_end) = UnixStream::pair().map_err(failed)?;
    let output =
        memfd_create("output", MFdFlags::MFD_CLOEXEC).map_err(|errno| errno.to_string())?;
    let output = File::from(output);
    // Works even if the file was replaced or removed meanwhile, as by a rebuild.
    let mut command = Command::new("/proc/self/exe");
    command
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env(MARK, std::process::id().to_string())
        .stdin(OwnedFd::from(child_end))
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(output.try_clone().map_err(failed)?);
    let child = userns::spawn_inside(&mut command).map_err(|error| error.to_string())?;
    Ok(Running {
        child,
        socket,
        output,
    })
}

fn wait_for(mut started: Running) -> io::Result<Finished> {
    let status = started.child.wait()?;
    let mut output = Vec::new();
    started.output.rewind()?;
    started.output.read_to_end(&mut output)?;
    // A process that the child started may still hold the other end of the socket.
    started.socket.set_nonblocking(true)?;
    let mut report = [0; DONE.len()];
    let is_done = started.socket.read_exact(&mut report).is_ok() && report == DONE;
    Ok(Finished {
        status,
        output: String::from_utf8_lossy(&output).into_owned(),
        is_done,
    })
}
