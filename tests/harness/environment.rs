//! What the tests, and all programs that they start, get from outside: what is written here, and
//! nothing else.
//!
//! The process that runs the tests is itself started in this environment, so no test can forget
//! it, however the test starts a program. The shell, editor, locale, time zone, terminal, home
//! directory and file mode mask of the user who runs the tests are not known there. A test that
//! is about one of these sets it.

use std::env;
use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};

use super::{program, sys};

/// Variables that are passed on from outside.
const PASSED: [&str; 6] = [
    // For tests.
    "CI",
    "VSWITCH_RECEIVE",
    // For the Rust runtime, the loader, and what measures which lines are run.
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "LD_LIBRARY_PATH",
    "LLVM_PROFILE_FILE",
];

/// Variables that are always the same. There are no others.
const SET: [(&str, &str); 7] = [
    ("VSWITCH_RUNTIME_DIR", program::RUNTIME_DIR),
    ("HOME", "/"),
    ("LANG", "C.UTF-8"),
    ("NO_COLOR", "1"),
    ("SHELL", program::SHELL),
    ("TMPDIR", TEMPORARY),
    ("TZ", "UTC0"),
];

const TEMPORARY: &str = "/tmp";

/// Set where the output of the tests goes to a terminal, which they themselves do not see.
const COLOUR: &str = "VSWITCH_TESTS_COLOUR";

/// Which programs of the machine are found by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Programs {
    /// None: the tests need none, and do not notice which are installed.
    None,
    /// Those on the user's PATH: for comparisons with other programs.
    #[allow(dead_code, reason = "tests/reliability compares")]
    Installed,
}

/// Has a command start in the environment of tests, with its output through pipes.
pub(crate) fn enclose(command: &mut Command, programs: Programs) {
    command.env_clear().envs(SET);
    for name in PASSED {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    match programs {
        // Where the variable is not set, a default path is searched.
        Programs::None => command.env("PATH", "/nonexistent").current_dir("/"),
        Programs::Installed => command.env("PATH", env::var_os("PATH").unwrap_or_default()),
    };
    if io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none() {
        command.env(COLOUR, "1");
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    sys::forget_session(command);
}

/// Whether the output of the tests may have colours.
pub(crate) fn is_coloured() -> bool {
    env::var_os(COLOUR).is_some()
}

/// Gives the calling process the file mode mask, and its mount namespace the temporary directory,
/// of tests.
pub(crate) fn prepare() {
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    limit_descriptors();
    if let Err(error) = private_temporary() {
        eprintln!("the tests use {TEMPORARY} as it is: {error}");
    }
}

/// As most systems have it. Without the right to more, a test of many connections needs what there is.
fn limit_descriptors() {
    const SOFT: u64 = 1024;
    const HARD: u64 = 1 << 16;
    let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    let more = setrlimit(Resource::RLIMIT_NOFILE, SOFT, hard.max(HARD));
    if hard < HARD && more.is_err() {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, SOFT.min(hard), hard);
        eprintln!("no test has more than {hard} descriptors (ulimit -Hn)");
    }
}

/// Puts an empty directory over `/tmp`, which may be full, or may forbid to run programs; unless
/// the tests themselves are in there.
fn private_temporary() -> io::Result<()> {
    let program = env::current_exe()?;
    if !program.starts_with(fs::canonicalize(TEMPORARY)?) {
        let kind = Some("tmpfs");
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(kind, TEMPORARY, kind, flags, Some("mode=1777"))?;
    }
    Ok(())
}

/// Passes on what an enclosed process prints, until nothing is left that could print.
///
/// Without threads: a process that has unshared its PID namespace can have none (clone(2)).
pub(crate) fn pass_output_on(child: &mut Child) -> io::Result<()> {
    let mut pipes: Vec<(Box<dyn Pipe>, Box<dyn Write>)> = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        pipes.push((Box::new(stdout), Box::new(io::stdout())));
    }
    if let Some(stderr) = child.stderr.take() {
        pipes.push((Box::new(stderr), Box::new(io::stderr())));
    }
    let mut chunk = [0; 1 << 13];
    while !pipes.is_empty() {
        let mut fds: Vec<_> = pipes
            .iter()
            .map(|(pipe, _)| PollFd::new(pipe.as_fd(), PollFlags::POLLIN))
            .collect();
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready: Vec<_> = fds.iter().map(|fd| fd.any() == Some(true)).collect();
        let mut ready = ready.into_iter();
        let mut failed = None;
        pipes.retain_mut(|(from, to)| {
            if ready.next() != Some(true) {
                return true;
            }
            match from.read(&mut chunk) {
                Ok(0) => false,
                Ok(length) => {
                    let written = to.write_all(&chunk[..length]).and_then(|()| to.flush());
                    failed = written.err().or(failed.take());
                    true
                }
                Err(error) => error.kind() == io::ErrorKind::Interrupted,
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(())
}

/// One end of a pipe.
trait Pipe: Read + AsFd {}
impl<T: Read + AsFd> Pipe for T {}

/// Of the calling process, which runs tests.
pub(crate) fn check_itself() {
    let is_known = |name: &str| {
        PASSED.contains(&name)
            || ["PATH", COLOUR].contains(&name)
            || SET.iter().any(|(set, _)| *set == name)
    };
    for (name, _) in env::vars_os() {
        assert!(is_known(&name.to_string_lossy()), "{}", name.display());
    }
    for (name, value) in SET {
        assert_eq!(env::var(name).as_deref(), Ok(value));
    }
}
