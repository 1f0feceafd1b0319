//! Throw-away namespaces for the demonstration.
//!
//! # Theory of operation
//!
//! This process enters new mount, network and process namespaces, inside a new user namespace if
//! it has to, and starts itself again in them. That child is PID 1 of its process namespace:
//! when it ends, however it ends, the kernel ends all that runs there, and with the last
//! process go the network namespaces, their veth pairs, and the mounts. So nothing can be left
//! behind, and an interruption needs no clean-up but to end that child.

use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid};
use vswitch_netns::userns;

/// What a shell adds to the number of a signal to make an exit status of it.
const SIGNALLED: u8 = 128;

/// Makes the namespaces and runs `vswitch demo` inside them. Returns its exit status.
pub(super) fn run_again_inside(json: bool) -> anyhow::Result<ExitCode> {
    let inner = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID;
    // Root of a container may lack the right, and still be allowed a user namespace.
    if !(geteuid().is_root() && unshare(inner).is_ok()) {
        userns::enter_user_namespace()?;
        unshare(CloneFlags::CLONE_NEWPID).context("can't make a process namespace")?;
    }
    let mut waited = SigSet::empty();
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGCHLD,
    ] {
        waited.add(signal);
    }
    waited.thread_block().context("can't hold signals back")?;

    let program = std::env::current_exe().context("can't find the vswitch program itself")?;
    let mut command = Command::new(program);
    command.args(["demo", "--inside"]);
    if json {
        command.arg("--json");
    }
    let child = command.spawn().context("can't start the demonstration")?;
    wait(Pid::from_raw(child.id().cast_signed()), &waited)
}

/// Waits for the end of the child, or for a signal that ends it.
fn wait(child: Pid, signals: &SigSet) -> anyhow::Result<ExitCode> {
    loop {
        match signals.wait() {
            Ok(Signal::SIGCHLD) => match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, status)) => {
                    return Ok(ExitCode::from(u8::try_from(status).unwrap_or(1)));
                }
                Ok(WaitStatus::Signaled(_, signal, _)) => {
                    bail!("the demonstration was ended by {signal}; nothing is left of it");
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("can't wait for the demonstration"),
            },
            Ok(signal) => {
                kill(child, Signal::SIGKILL).context("can't end the demonstration")?;
                waitpid(child, None).context("can't wait for the demonstration")?;
                eprintln!("vswitch: interrupted; all that was made for the demonstration is gone");
                let number = u8::try_from(signal as i32).unwrap_or(0);
                return Ok(ExitCode::from(SIGNALLED + number));
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("can't wait for a signal"),
        }
    }
}

/// Prepares the namespaces from inside, as their first process.
pub(super) fn settle_in() -> anyhow::Result<()> {
    if std::process::id() != 1 {
        bail!("'--inside' is for the demonstration's own use: run 'vswitch demo'");
    }
    // Ends with the process outside, even if that is killed.
    prctl::set_pdeathsig(Signal::SIGKILL).context("can't tie the demonstration to its parent")?;
    userns::private_mounts()?;
    mount_proc();
    userns::private_run()?;
    Ok(())
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
