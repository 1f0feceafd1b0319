//! A process that is to be sent a signal, held by a descriptor: whoever takes over its number once
//! it has ended is never meant (`pidfd_open(2)`).

#[allow(unsafe_code, reason = "two system calls that no crate wraps")]
mod sys;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// A process. Make sure that it is the one that is meant after this was had, not before.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    /// None on kernels before Linux 5.3.
    handle: Option<OwnedFd>,
}

impl Process {
    /// The process that has this number now.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn open(pid: i32) -> io::Result<Self> {
        if pid <= 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        let handle = match sys::open(pid) {
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => None,
            other => Some(other?),
        };
        let pid = Pid::from_raw(pid);
        Ok(Self { pid, handle })
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// Where it has ended, or may not be sent one.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match &self.handle {
            Some(handle) => sys::send(handle.as_fd(), signal as i32, 0),
            None => Ok(kill(self.pid, signal)?),
        }
    }

    /// Sends a signal to the group that it leads.
    ///
    /// # Errors
    /// As [`Self::signal`].
    pub(crate) fn signal_group(&self, signal: Signal) -> io::Result<()> {
        let sent = self
            .handle
            .as_ref()
            .map(|handle| sys::send(handle.as_fd(), signal as i32, sys::TO_THE_GROUP));
        match sent {
            Some(Err(error)) if error.raw_os_error() != Some(libc::EINVAL) => Err(error),
            Some(Ok(())) => Ok(()),
            // Kernels before Linux 6.9: if it lives, the group is still its own.
            _ => {
                if let Some(handle) = &self.handle {
                    sys::send(handle.as_fd(), 0, 0)?;
                }
                Ok(killpg(self.pid, signal)?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn one_that_has_ended_is_never_mistaken_for_another() {
        // The shell that every system has (POSIX); it waits for input, and so for a signal.
        let waits = |group: bool| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "read line"]).stdin(Stdio::piped());
            if group {
                command.process_group(0);
            }
            command.spawn().unwrap()
        };
        for group in [false, true] {
            let mut child = waits(group);
            let process = Process::open(child.id().cast_signed()).unwrap();
            let send = |signal| {
                if group {
                    process.signal_group(signal)
                } else {
                    process.signal(signal)
                }
            };
            send(Signal::SIGTERM).unwrap();
            let input = child.stdin.take();
            let status = child.wait().unwrap();
            drop(input);
            assert_eq!(status.signal(), Some(libc::SIGTERM));
            let error = send(Signal::SIGTERM).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
        }
        assert!(Process::open(0).is_err());
        assert!(Process::open(-1).is_err());
    }
}
