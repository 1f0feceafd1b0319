//! The program that succeeds a switch.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::unistd::Pid;

/// Starts the program that is installed now with these words, in `/`. The descriptors become its
/// standard input, output and error.
///
/// # Errors
/// What the system says.
pub(crate) fn start(words: &[OsString], standard: [BorrowedFd<'_>; 3]) -> io::Result<Pid> {
    let [input, output, error] = standard.map(|fd| fd.as_fd().try_clone_to_owned());
    let child = Command::new(installed()?)
        .arg0("vswitch")
        .args(words)
        .current_dir("/")
        .stdin(Stdio::from(input?))
        .stdout(Stdio::from(output?))
        .stderr(Stdio::from(error?))
        .spawn()?;
    Ok(Pid::from_raw(child.id().cast_signed()))
}

/// The program that is found where this one was started from, which may be another by now.
fn installed() -> io::Result<PathBuf> {
    let path = std::fs::read_link("/proc/self/exe")?;
    let bytes = path.as_os_str().as_bytes();
    let bytes = bytes.strip_suffix(b" (deleted)").unwrap_or(bytes);
    Ok(PathBuf::from(OsString::from_vec(bytes.to_vec())))
}
