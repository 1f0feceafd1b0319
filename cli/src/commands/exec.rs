//! `vswitch exec`: run a command inside a network namespace, as `ip netns exec` does.

use std::env;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus};

use vswitch_netns::{Namespace, NamespaceName, SpawnError};

use super::WrongUsage;
use crate::args::{ExecArgs, Execution};
use vswitch_control::exit::signalled;
use vswitch_control::rights;

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
    Namespace::open(name.as_str())?.enter_for_exec()?;
    let error = command(execution).exec();
    Ok(ExitCode::from(not_started(execution, &error)))
}

fn command(execution: &Execution) -> Command {
    let mut command = Command::new(&execution.program);
    command.args(&execution.arguments);
    command
}

/// Says why the command does not run, and gives the status for it.
fn not_started(execution: &Execution, error: &io::Error) -> u8 {
    let shown = execution.program.display();
    let is_missing = match error.kind() {
        ErrorKind::NotFound => true,
        // Said also where only a directory of PATH may not be searched (execvp(3)).
        ErrorKind::PermissionDenied => !is_found(&execution.program),
        _ => false,
    };
    if is_missing {
        crate::complain(&format!("cannot run '{shown}': there is no such command"));
        return NOT_FOUND;
    }
    crate::complain(&format!("cannot run '{shown}': {error}"));
    NOT_EXECUTABLE
}

/// Whether there is such a program, as far as can be seen.
fn is_found(program: &OsStr) -> bool {
    if program.as_encoded_bytes().contains(&b'/') {
        return true;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).exists())
}

/// Runs the command in one namespace after the other; the status is the first that is not 0.
fn run_in_all(execution: &Execution) -> anyhow::Result<ExitCode> {
    let mut first_failure = None;
    for entry in Namespace::list()?.into_iter().filter(|entry| !entry.stale) {
        eprint_heading(&entry.name);
        // One namespace in trouble (its name may break our rules, or it may go away at this
        // moment) does not keep the command from the others.
        let status = run_in_one(&entry.name, execution).unwrap_or_else(|error| {
            crate::complain(&error.to_string());
            1
        });
        if status != 0 {
            first_failure.get_or_insert(status);
        }
    }
    Ok(first_failure.map_or(ExitCode::SUCCESS, ExitCode::from))
}

fn run_in_one(name: &str, execution: &Execution) -> anyhow::Result<u8> {
    match Namespace::open(name)?.spawn(&mut command(execution)) {
        Ok(mut child) => Ok(code(child.wait()?)),
        Err(SpawnError::Start { source, .. }) => Ok(not_started(execution, &source)),
        Err(error) => Err(error.into()),
    }
}

/// On standard error, so that the output of the commands stays theirs.
fn eprint_heading(name: &str) {
    use std::io::Write;
    let name = vswitch_control::plain::text(name);
    let heading = anstyle::Style::new().bold();
    // Fails where nobody reads it.
    let _ = writeln!(anstream::stderr(), "{heading}netns: {name}{heading:#}");
}

/// The status as a shell tells it: that of the command, or 128 and the signal that ended it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.or_else(|| status.signal().map(signalled)).unwrap_or(1)
}
