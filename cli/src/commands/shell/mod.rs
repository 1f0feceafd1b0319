//! `vswitch shell`: an interactive shell inside a namespace, with a prompt that names it.

mod prompt;

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::anyhow;
use vswitch_netns::Namespace;

use crate::args::ShellArgs;
use vswitch_control::rights;

/// Holds the namespace's name in the shell and in all that it starts.
const VARIABLE: &str = "VSWITCH_NETNS";
/// The shell of those who have named none.
const SHELL: &str = "/bin/sh";

/// Becomes the shell; returns only where that fails. `runtime` is what was given for the runtime
/// directory: commands inside look there too.
pub(crate) fn run(runtime: Option<&Path>, args: &ShellArgs) -> anyhow::Result<ExitCode> {
    rights::require("enter a network namespace", rights::NAMESPACE)?;
    let namespace = Namespace::open(args.namespace.as_str())?;
    namespace.enter_for_exec()?;
    let shell = env::var_os("SHELL")
        .filter(|shell| !shell.is_empty())
        .unwrap_or_else(|| OsString::from(SHELL));
    let mut command = Command::new(&shell);
    command.env(VARIABLE, args.namespace.as_str());
    if let Some(runtime) = runtime {
        command.env("VSWITCH_RUNTIME_DIR", std::path::absolute(runtime)?);
    }
    if let Err(error) = prompt::name_namespace(&mut command, args.namespace.as_str()) {
        // The shell is worth having without it.
        crate::complain(&format!(
            "the prompt will not name the namespace '{}': {error}",
            args.namespace
        ));
    }
    let error = command.exec();
    Err(anyhow!(
        "cannot run the shell '{}': {error}; set SHELL to the path of another",
        shell.display()
    ))
}
