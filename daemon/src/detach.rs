//! Starting a switch in the background.
//!
//! Theory of operation. The parent starts this program again with a pipe as its standard
//! output and waits for a line on it: [`READY`], or else the sentence that says what failed. The
//! child leads a session of its own, works in `/`, inherits no descriptor but the three
//! standard ones, and moves its standard error to the log, and at last its standard output too,
//! which ends the parent's wait.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::prctl;
use nix::unistd::{chdir, dup2_stderr, dup2_stdout, setsid};

use super::launch::Launch;
use super::sys;
use vswitch_control::itself;
use vswitch_control::metrics::Listener;
use vswitch_control::names::SwitchName;
use vswitch_control::runtime_dir::RuntimeDir;

/// What a child says when its switch takes commands.
const READY: &str = "ready";

/// Why there is no switch in the background.
#[derive(Debug, thiserror::Error)]
pub enum DetachError {
    /// The child did not come up, and said why.
    #[error("{0}")]
    Failed(String),
    /// The child did not come up, and did not say why.
    #[error("the switch '{name}' ended before it was ready ({status}): try it without --detach")]
    Silent {
        /// The switch.
        name: String,
        /// How its process ended.
        status: String,
    },
    /// There is no child.
    #[error("cannot start the switch '{name}' in the background: {source}")]
    Start {
        /// The switch.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The log cannot be written.
    #[error("cannot write the log {}: {source}", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The child could not leave its parent's surroundings.
    #[error("cannot leave the terminal's session: {0}")]
    Leave(#[source] io::Error),
}

/// Starts the switch in the background; returns when it takes commands.
///
/// # Errors
/// See [`DetachError`].
pub fn start(
    runtime: &RuntimeDir,
    name: &SwitchName,
    launch: &Launch,
    metrics: Option<Listener>,
) -> Result<(), DetachError> {
    let name = name.to_string();
    let start_error = |source| DetachError::Start {
        name: name.clone(),
        source,
    };
    sys::close_descriptors_on_exec().map_err(start_error)?;
    let told = launch.send(metrics.as_ref()).map_err(start_error)?;
    let mut command = command(runtime, &name).map_err(start_error)?;
    let mut child = command.stdin(told).spawn().map_err(start_error)?;
    // Its socket is the child's alone from now on, and so is its file.
    if let Some(listener) = metrics {
        listener.pass_on();
    }
    drop(command);
    let mut told = String::new();
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_string(&mut told).map_err(start_error)?;
    }
    match told.trim() {
        READY => Ok(()),
        "" => Err(DetachError::Silent {
            name: name.clone(),
            status: child.wait().map_err(start_error)?.to_string(),
        }),
        sentence => {
            let sentence = sentence.to_owned();
            child.wait().map_err(start_error)?;
            Err(DetachError::Failed(sentence))
        }
    }
}

fn command(runtime: &RuntimeDir, name: &str) -> io::Result<Command> {
    let mut command = itself::command()?;
    command
        .args(["run", name, "--detached", "--runtime-dir"])
        .arg(runtime.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    Ok(command)
}

/// In the child: leaves the session, the directory and the standard error of the parent.
///
/// # Errors
/// [`DetachError::Leave`], [`DetachError::Log`].
pub(crate) fn leave(log: &Path) -> Result<File, DetachError> {
    let leave = |errno: nix::errno::Errno| DetachError::Leave(errno.into());
    setsid().map_err(leave)?;
    chdir("/").map_err(leave)?;
    // The kernel has named the process after its path, which was /proc/self/exe.
    prctl::set_name(c"vswitch").map_err(leave)?;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(log)
        .map_err(|source| DetachError::Log {
            path: log.to_owned(),
            source,
        })?;
    dup2_stderr(&file).map_err(leave)?;
    Ok(file)
}

/// In the child: tells the parent that the switch takes commands, and lets go of it.
///
/// # Errors
/// [`DetachError::Leave`]. A parent that has gone meanwhile is none: the switch was wanted.
pub(crate) fn tell_ready(log: &File) -> Result<(), DetachError> {
    tell(READY);
    dup2_stdout(log).map_err(|errno| DetachError::Leave(errno.into()))
}

/// In the child: tells the parent what failed.
pub(crate) fn tell_failed(sentence: &str) {
    tell(sentence);
}

fn tell(line: &str) {
    let mut out = io::stdout().lock();
    // Fails where the parent is gone, who then need not know.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
