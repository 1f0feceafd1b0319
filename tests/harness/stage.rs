//! The stages that the test process goes through before its first thread.
//!
//! 1. The process that `cargo test` starts enters new mount, network and PID namespaces, inside
//!    a new user namespace unless it is root, and starts itself again in them, in the
//!    [environment](super::environment) of tests.
//! 2. That one, PID 1 of its namespace, mounts `/proc`, starts itself
//!    once more, and reaps orphans. The kernel ends all that still runs when it goes: daemons
//!    that a failed test left behind too.
//! 3. The last one runs the tests.
//!
//! The stages tell themselves apart by `argv[0]`, which no child of a test inherits.

use std::env;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use vswitch_netns::userns;

use super::environment::{self, Programs};
use super::{engine, sys};

const INIT: &str = "vswitch-tests-init";
const TESTS: &str = "vswitch-tests";
const SLEEPER: &str = "vswitch-tests-sleeper";

/// Why the tests cannot have namespaces.
#[derive(Debug)]
pub(crate) struct NoRights;

/// Goes through the stages; `tests` is called in the last, or in the first if namespaces cannot
/// be had and this is not CI.
pub(crate) fn run(
    programs: Programs,
    tests: impl FnOnce(Result<(), NoRights>) -> ExitCode,
) -> ExitCode {
    match env::args().next().as_deref() {
        Some(TESTS) => tests(Ok(())),
        Some(INIT) => init(),
        Some(SLEEPER) => loop {
            thread::park();
        },
        Some(program) if engine::is_one(program) => engine::play(program),
        // Listing needs no rights.
        _ if env::args().any(|argument| argument == "--list") => tests(Ok(())),
        _ => match enter_namespaces() {
            Ok(()) => enclosed(programs).map_or(ExitCode::FAILURE, code),
            Err(reason) => {
                eprintln!("\n!!! THE INTEGRATION TESTS DID NOT RUN: {reason}\n");
                if env::var_os("CI").is_some() {
                    return ExitCode::FAILURE;
                }
                tests(Err(NoRights))
            }
        },
    }
}

/// A process that does nothing until it is ended by a signal, without any external program.
pub(crate) fn sleeper() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(SLEEPER);
    command
}

fn enter_namespaces() -> Result<(), String> {
    userns::enter_private_namespaces().map_err(|error| error.to_string())?;
    unshare(CloneFlags::CLONE_NEWPID)
        .map_err(|error| format!("cannot make a PID namespace: {error}"))
}

fn init() -> ExitCode {
    // Inside some containers /proc may not be mounted anew; the old one serves, with other PIDs.
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let _ = mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>);
    environment::prepare();
    again_as(TESTS).map_or(ExitCode::FAILURE, code)
}

/// This program as `stage`.
fn command(stage: &str) -> Option<Command> {
    let mut command = Command::new(env::current_exe().ok()?);
    command.arg0(stage).args(env::args_os().skip(1));
    sys::die_with_parent(&mut command);
    Some(command)
}

fn spawn(mut command: Command) -> Option<Child> {
    command
        .spawn()
        .inspect_err(|error| eprintln!("!!! the tests cannot start themselves again: {error}"))
        .ok()
}

/// Starts this program again as the first process of the namespaces, and waits for its end.
fn enclosed(programs: Programs) -> Option<ExitStatus> {
    let mut command = command(INIT)?;
    environment::enclose(&mut command, programs);
    let mut child = spawn(command)?;
    environment::pass_output_on(&mut child)
        .inspect_err(|error| eprintln!("!!! the output of the tests is lost: {error}"))
        .ok()?;
    child.wait().ok()
}

/// Starts this program again as `stage`, and waits for its end, reaping whatever else ends.
fn again_as(stage: &str) -> Option<ExitStatus> {
    let child = spawn(command(stage)?)?;
    let child = Pid::from_raw(child.id().cast_signed());
    loop {
        match waitpid(None, None).ok()? {
            WaitStatus::Exited(pid, code) if pid == child => {
                return Some(ExitStatus::from_raw(code << 8));
            }
            WaitStatus::Signaled(pid, signal, _) if pid == child => {
                return Some(ExitStatus::from_raw(signal as i32));
            }
            _ => {}
        }
    }
}

fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
