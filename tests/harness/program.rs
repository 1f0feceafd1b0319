//! Running the `vswitch` program as its users do.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{PATIENCE, sys, wait_until};

/// The program under test. There may be spaces in the path, and others may not be let in there.
pub(crate) const VSWITCH: &str = env!("CARGO_BIN_EXE_vswitch");
/// The shell that every system has (POSIX). No other program may be needed.
pub(crate) const SHELL: &str = "/bin/sh";
/// The runtime directory of each test: inside its own `/run`.
pub(crate) const RUNTIME_DIR: &str = "/run/vswitch";

/// The runtime directory of the calling test.
pub(crate) fn runtime_dir() -> PathBuf {
    PathBuf::from(RUNTIME_DIR)
}

/// The program, in the environment of tests, without input.
pub(crate) fn vswitch<I, A>(arguments: I) -> Command
where
    I: IntoIterator<Item = A>,
    A: AsRef<OsStr>,
{
    let mut command = Command::new(VSWITCH);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
///
/// A daemon that it leaves behind (`run --detach`) outlives this call, and ends at the latest
/// with the test binary, whose PID namespace it is in.
pub(crate) fn run_vswitch<I, A>(arguments: I) -> Output
where
    I: IntoIterator<Item = A>,
    A: AsRef<OsStr>,
{
    vswitch(arguments)
        .output()
        .expect("the vswitch binary starts")
}

/// Runs the program, which has to succeed; gives its standard output.
pub(crate) fn vswitch_ok<I, A>(arguments: I) -> String
where
    I: IntoIterator<Item = A>,
    A: AsRef<OsStr>,
{
    let mut command = vswitch(arguments);
    let output = command.output().expect("the vswitch binary starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}: {errors}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Installs the program at this path too.
pub(crate) fn install(path: &Path) {
    fs::copy(VSWITCH, path).unwrap();
    // A child that another test was starting meanwhile may have inherited the descriptor, and holds
    // it for a moment.
    let is_busy = || {
        let started = Command::new(path).arg("--version").output();
        started.is_err_and(|error| error.kind() == io::ErrorKind::ExecutableFileBusy)
    };
    assert!(wait_until(PATIENCE, || !is_busy()));
}

/// A child process that ends, at the latest, when this value is dropped or its test is over.
pub(crate) struct Background {
    child: Child,
}

impl Background {
    /// Starts a command. Call it from the test's own thread: the child ends with the thread.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        sys::die_with_parent(&mut command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Self {
            child: command.spawn()?,
        })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill(Pid::from_raw(self.child.id().cast_signed()), signal)?)
    }

    /// Whether it has ended by now.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().ok().flatten().is_some()
    }

    /// Waits for its end; `None` if it still runs when patience is over.
    pub(crate) fn wait(&mut self) -> Option<ExitStatus> {
        let mut status = None;
        wait_until(PATIENCE, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        status
    }

    /// Waits for its end and gives all that it printed; kills it if it does not end in time.
    pub(crate) fn finish(mut self) -> io::Result<Output> {
        // Both pipes are read while it runs, so that it never blocks on a full one.
        let stdout = read_aside(self.child.stdout.take());
        let stderr = read_aside(self.child.stderr.take());
        if self.wait().is_none() {
            self.child.kill()?;
        }
        let status = self.child.wait()?;
        let stdout = stdout.join().unwrap_or_default();
        let stderr = stderr.join().unwrap_or_default();
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_aside(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut text);
        }
        text
    })
}

/// Whether `path` and everything in it is gone or empty.
pub(crate) fn is_empty_dir(path: &Path) -> bool {
    path.read_dir()
        .map_or(true, |mut entries| entries.next().is_none())
}
