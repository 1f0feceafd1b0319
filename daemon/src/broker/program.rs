//! The program that succeeds a switch.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::unistd::Pid;

use vswitch_control::itself;

/// Starts the program that is installed now with these words, in `/`. The descriptors become its
/// standard input, output and error.
///
/// # Errors
/// What the system says.
pub(crate) fn start(words: &[OsString], standard: [BorrowedFd<'_>; 3]) -> io::Result<Pid> {
    let [input, output, error] = standard.map(|fd| fd.as_fd().try_clone_to_owned());
    let child = Command::new(itself::installed()?)
        .arg0("vswitch")
        .args(words)
        .current_dir("/")
        .stdin(Stdio::from(input?))
        .stdout(Stdio::from(output?))
        .stderr(Stdio::from(error?))
        .spawn()?;
    Ok(Pid::from_raw(child.id().cast_signed()))
}
