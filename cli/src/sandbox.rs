//! Throw-away namespaces for commands that build a lab of their own: `demo`, `bench --compare`.
//!
//! # Theory of operation
//!
//! This process enters new mount, network and process namespaces, inside a new user namespace if
//! it has to, and starts itself again in them. That child is PID 1 of its process namespace:
//! when it ends, however it ends, the kernel ends all that runs there, and with the last
//! process go the network namespaces, their veth pairs, and the mounts. So nothing can be left
//! behind, and an interruption needs no clean-up but to end that child.

use std::ffi::OsString;
use std::fs;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid};
use vswitch_netns::userns;

use vswitch_control::exit::signalled;
use vswitch_control::itself;

/// In the child's environment: the number of its parent, as the `/proc` has it that both see;
/// empty where it has none.
const PARENT: &str = "VSWITCH_SANDBOX_PARENT";

/// What becomes of the child when this process is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnSignal {
    /// It is killed at once.
    Kill,
    /// It is asked once to come to an end, and says what it has found so far; the next signal
    /// kills it.
    Ask,
}

/// A command that runs itself again in a sandbox.
#[derive(Debug)]
pub(crate) struct Sandbox {
    /// What it is called in messages: "demonstration".
    pub(crate) what: &'static str,
    /// The words after `vswitch` with which the child is started.
    pub(crate) words: Vec<OsString>,
    /// The standard input of the child.
    pub(crate) input: Stdio,
    pub(crate) on_signal: OnSignal,
}

impl Sandbox {
    /// Makes the namespaces and runs the child inside them. Returns its exit status.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let inner = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID;
        // Root of a container may lack the right, and still be allowed a user namespace.
        if !(geteuid().is_root() && unshare(inner).is_ok()) {
            userns::enter_user_namespace()?;
            unshare(CloneFlags::CLONE_NEWPID).context("can't make a process namespace")?;
        }
        let signals = signals();
        signals.thread_block().context("can't hold signals back")?;

        let child = itself::command().and_then(|mut command| {
            command
                .args(self.words)
                .env(PARENT, own_number().unwrap_or_default())
                .stdin(self.input)
                .spawn()
        });
        let child = child.with_context(|| format!("can't start the {}", self.what))?;
        let child = Pid::from_raw(child.id().cast_signed());
        wait(child, self.what, self.on_signal, &signals)
    }
}

/// The signals that are waited for instead of being acted on.
fn signals() -> SigSet {
    [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGCHLD,
    ]
    .into_iter()
    .collect()
}

/// Waits for the end of the child, or for a signal that ends it.
fn wait(child: Pid, what: &str, on_signal: OnSignal, signals: &SigSet) -> anyhow::Result<ExitCode> {
    let mut asked = None;
    loop {
        match signals.wait() {
            Ok(Signal::SIGCHLD) => match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, status)) => {
                    let status = asked.map_or(u8::try_from(status).unwrap_or(1), |signal| {
                        signalled(signal as i32)
                    });
                    return Ok(ExitCode::from(status));
                }
                Ok(WaitStatus::Signaled(_, signal, _)) => {
                    bail!("the {what} was ended by {signal}; nothing is left of it");
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => {
                    return Err(errno).with_context(|| format!("can't wait for the {what}"));
                }
            },
            Ok(signal) if on_signal == OnSignal::Ask && asked.is_none() => {
                asked = Some(signal);
                kill(child, Signal::SIGTERM).with_context(|| format!("can't end the {what}"))?;
            }
            Ok(signal) => {
                kill(child, Signal::SIGKILL).with_context(|| format!("can't end the {what}"))?;
                waitpid(child, None).with_context(|| format!("can't wait for the {what}"))?;
                eprintln!("vswitch: interrupted; all that was made for the {what} is gone");
                return Ok(ExitCode::from(signalled(signal as i32)));
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("can't wait for a signal"),
        }
    }
}

/// Prepares the namespaces from inside, as their first process. `command` is what a person
/// should have typed.
pub(crate) fn settle_in(what: &str, command: &str) -> anyhow::Result<()> {
    if std::process::id() != 1 {
        bail!("'--inside' is for the {what}'s own use: run '{command}'");
    }
    // Ends with the process outside, even if that is killed.
    prctl::set_pdeathsig(Signal::SIGKILL)
        .with_context(|| format!("can't tie the {what} to its parent"))?;
    // If that was killed before, no signal comes any more.
    if is_orphan(
        std::env::var(PARENT).ok().as_deref(),
        own_status().as_deref(),
    ) {
        bail!("the process that started the {what} is gone");
    }
    // The kernel has named the process after its path, which was /proc/self/exe.
    prctl::set_name(c"vswitch").context("can't set the process's name")?;
    // What the parent holds back would be held back from every daemon that is started here.
    signals()
        .thread_unblock()
        .context("can't let signals through")?;
    userns::private_mounts()?;
    mount_proc();
    userns::private_run()?;
    Ok(())
}

/// The number of this process in what is mounted on `/proc`, which may be of another process
/// namespace.
fn own_number() -> Option<String> {
    let number = fs::read_link("/proc/self").ok()?;
    number.into_os_string().into_string().ok()
}

/// What the same `/proc` says of this process, its parent included: getppid(2) is 0 here, since
/// the parent is outside.
fn own_status() -> Option<String> {
    fs::read_to_string("/proc/self/status").ok()
}

/// Whether the parent in `status` (proc(5)) is another than that which started this process. Not
/// where either is unknown.
fn is_orphan(parent: Option<&str>, status: Option<&str>) -> bool {
    let now = status.and_then(|text| text.lines().find_map(|line| line.strip_prefix("PPid:")));
    match (parent, now) {
        (Some(parent), Some(now)) => !parent.is_empty() && parent != now.trim(),
        _ => false,
    }
}

/// Mounts `/proc` of the new process namespace. Some containers do not allow it: the old one
/// serves as well, with other process numbers.
fn mount_proc() {
    use nix::mount::{MsFlags, mount};
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    if let Err(errno) = mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>) {
        log::debug!("can't mount /proc: {errno}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_whose_parent_has_ended_has_another() {
        let status = "Name:\tvswitch\nPid:\t7\nPPid:\t40\nTracerPid:\t0\n";
        assert!(!is_orphan(Some("40"), Some(status)));
        assert!(is_orphan(Some("4"), Some(status)));
        assert!(!is_orphan(Some(""), Some(status)));
        assert!(!is_orphan(None, Some(status)) && !is_orphan(Some("40"), None));
        // Of this very process.
        let parent = nix::unistd::getppid().to_string();
        assert!(own_number().is_some());
        assert!(!is_orphan(Some(&parent), own_status().as_deref()));
    }
}
