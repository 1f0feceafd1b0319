//! Finding the programs of a rival, and asking them for their version.

use std::env;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use vswitch_control::runtime_dir::is_safe_program;

/// Where daemons are that the search path of an ordinary user leaves out.
const SYSTEM_DIRS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The file of a program, if it is installed. One that another user could have put there is not run.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SYSTEM_DIRS.map(PathBuf::from))
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(name))
        .find(|file| is_executable(file) && is_safe_program(file))
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The program as a command.
pub(super) fn command(name: &str) -> anyhow::Result<Command> {
    let file = find(name).with_context(|| format!("{name} is not installed"))?;
    Ok(Command::new(file))
}

/// Runs a program that ends by itself; an error tells its last line.
pub(super) fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("can't run {name}"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let reason = told.lines().rfind(|line| !line.trim().is_empty());
        bail!("{name} failed: {}", reason.unwrap_or("it does not say why"));
    }
    Ok(())
}

/// Whence TAP interfaces come.
const TUN: &str = "/dev/net/tun";

/// Checks that this process may make TAP interfaces: programs that may not say so in other words,
/// or not at all.
pub(super) fn need_tap() -> anyhow::Result<()> {
    let opened = OpenOptions::new().read(true).write(true).open(TUN);
    opened
        .map(drop)
        .with_context(|| format!("it needs {TUN}, which can't be opened"))
}

/// The number in the first line of what `NAME --version` says.
pub(super) fn version(name: &str) -> Option<String> {
    let output = command(name)
        .ok()?
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    number_in(text.lines().next()?)
}

fn number_in(line: &str) -> Option<String> {
    line.split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_with_a_point() {
        let ovs = "ovs-vswitchd (Open vSwitch) 3.1.0";
        assert_eq!(number_in(ovs).as_deref(), Some("3.1.0"));
        assert_eq!(number_in("VDE 2.3.2").as_deref(), Some("2.3.2"));
        assert_eq!(number_in("unknown option"), None);
    }

    #[test]
    fn what_is_nowhere_is_not_installed() {
        assert_eq!(find("no-such-program-anywhere"), None);
        let told = command("no-such-program-anywhere").unwrap_err().to_string();
        assert!(told.ends_with("is not installed"), "{told}");
    }
}
