//! `vswitch exec`: run a command inside a network namespace, as `ip netns exec` does.
//!
//! The command sees a `/sys` of its namespace, and the files under `/etc/netns/NAME` in the
//! place of those of the same name in `/etc` (ip-netns(8)).

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use vswitch_netns::name::NamespaceName;
use vswitch_netns::namespace::Namespace;

use super::WrongUsage;
use crate::args::{ExecArgs, Execution};
use crate::rights;

/// The status where the command is found and cannot be run (POSIX.1-2024, sh, 2.8.2).
const NOT_EXECUTABLE: u8 = 126;
/// The status where there is no such command.
const NOT_FOUND: u8 = 127;

pub(crate) fn run(args: ExecArgs) -> anyhow::Result<ExitCode> {
    let execution = args.resolve().map_err(WrongUsage)?;
    rights::require("enter a network namespace", rights::NAMESPACE)?;
    match &execution.namespace {
        Some(namespace) => replace_by(namespace, &execution),
        None => run_in_all(&execution),
    }
}

/// Becomes the command; returns only where that fails.
fn replace_by(name: &NamespaceName, execution: &Execution) -> anyhow::Result<ExitCode> {
    Namespace::open(name.as_str())?.enter_for_good()?;
    mount_views(name)?;
    let mut command = Command::new(&execution.program);
    let error = command.args(&execution.arguments).exec();
    let shown = execution.program.display().to_string();
    let status = match error.kind() {
        ErrorKind::NotFound => {
            crate::complain(&format!("cannot run '{shown}': there is no such command"));
            NOT_FOUND
        }
        _ => {
            crate::complain(&format!("cannot run '{shown}': {error}"));
            NOT_EXECUTABLE
        }
    };
    Ok(ExitCode::from(status))
}

/// Runs the command in one namespace after the other; the status is the first that is not 0.
fn run_in_all(execution: &Execution) -> anyhow::Result<ExitCode> {
    let mut first_failure = None;
    for entry in Namespace::list()?.into_iter().filter(|entry| !entry.stale) {
        // Entries that others made need not keep our rules of names; such a one is named and
        // counts as a failure.
        let name = match entry.name.parse::<NamespaceName>() {
            Ok(name) => name,
            Err(error) => {
                crate::complain(&error.to_string());
                first_failure.get_or_insert(1);
                continue;
            }
        };
        eprint_heading(&name);
        let status = run_again(&name, execution)
            .map_err(|error| anyhow::anyhow!("cannot start a process for {name}: {error}"))?;
        if !status.success() {
            first_failure.get_or_insert(code(status));
        }
    }
    Ok(first_failure.map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// On standard error, so that the output of the commands stays theirs.
fn eprint_heading(name: &NamespaceName) {
    use std::io::Write;
    let heading = anstyle::Style::new().bold();
    // Fails where nobody reads it.
    let _ = writeln!(anstream::stderr(), "{heading}netns: {name}{heading:#}");
}

/// Runs this program for one namespace: a process has one chance to change its mounts.
fn run_again(name: &NamespaceName, execution: &Execution) -> io::Result<ExitStatus> {
    Command::new("/proc/self/exe")
        .arg0("vswitch")
        .args(["exec", name.as_str(), "--"])
        .arg(&execution.program)
        .args(&execution.arguments)
        .status()
}

/// The status as a shell tells it: that of the command, or 128 and the signal that ended it.
fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Gives this process mounts of its own, with `/sys` and `/etc` as the namespace has them.
fn mount_views(name: &NamespaceName) -> anyhow::Result<()> {
    let explain = |what: String| move |errno: Errno| anyhow::anyhow!("cannot {what}: {errno}");
    unshare(CloneFlags::CLONE_NEWNS).map_err(explain("have mounts of its own".to_owned()))?;
    let slave = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, slave, None::<&str>)
        .map_err(explain("keep its mounts to itself".to_owned()))?;
    mount_sys(name);
    let overlay = Path::new("/etc/netns").join(name.as_str());
    let entries = match fs::read_dir(&overlay) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => anyhow::bail!("cannot read {}: {error}", overlay.display()),
    };
    for entry in entries.flatten() {
        let target = Path::new("/etc").join(entry.file_name());
        // As ip-netns(8): what is not in /etc is passed over, with a word.
        let bound = mount(
            Some(&entry.path()),
            &target,
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        );
        if let Err(errno) = bound {
            let (source, target) = (entry.path(), target.display());
            let source = source.display();
            crate::complain(&format!(
                "cannot put {source} in the place of {target}: {errno}"
            ));
        }
    }
    Ok(())
}

/// A `/sys` that shows the interfaces of the namespace. Some containers forbid it; most
/// commands do not need it.
fn mount_sys(name: &NamespaceName) {
    let read_only = nix::sys::statvfs::statvfs("/sys")
        .is_ok_and(|fs| fs.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY));
    let mut flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    flags.set(MsFlags::MS_RDONLY, read_only);
    if let Err(errno) = mount(
        Some(name.as_str()),
        "/sys",
        Some("sysfs"),
        flags,
        None::<&str>,
    ) {
        crate::complain(&format!(
            "/sys is still that of the outer namespace, for it cannot be mounted here: {errno}"
        ));
    }
}
