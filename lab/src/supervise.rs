//! The process that stands over one command of a lab.
//!
//! Theory of operation. Whoever starts it hands it a file as its standard input, locked: the lock
//! belongs to this process from its first moment to its last, so that others can tell that it
//! lives, and cannot mistake another of the same number for it. In the file it notes itself, its
//! command, and at last how that has ended. It adopts whatever the command leaves behind
//! (`PR_SET_CHILD_SUBREAPER`, prctl(2)), and when asked to end, all of that ends before it does.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, alarm, chdir, setsid};
use serde::{Deserialize, Serialize};

use crate::process::Process;

/// So long a command may take to end when it is asked to; then it is killed.
const GRACE_S: u32 = 2;

/// What the one who starts it reads when the command runs.
pub(crate) const STARTED: &str = "started";

/// How a command has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// With this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

impl End {
    /// In words: "with status 1".
    pub(crate) fn in_words(self) -> String {
        match self {
            Self::Status(status) => format!("ended with status {status}"),
            Self::Signal(number) => match Signal::try_from(number) {
                Ok(signal) => format!("was ended by {signal}"),
                Err(_) => format!("was ended by signal {number}"),
            },
        }
    }
}

/// What is in the file.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// The one that stands over it.
    pub(crate) supervisor: i32,
    /// The command, and when it was started (the 22nd field of `proc_pid_stat(5)`).
    pub(crate) command: Option<(i32, u64)>,
    /// How it has ended, once it has.
    pub(crate) end: Option<End>,
}

impl State {
    /// Reads what is in a file; none while there is nothing yet.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    fn write(&self, file: &mut File) -> io::Result<()> {
        let mut text = serde_json::to_vec(self)?;
        // In one go, and always of the same length or longer: nobody reads a half of it.
        text.push(b'\n');
        text.resize(text.len().max(160), b'\n');
        file.rewind()?;
        file.write_all(&text)
    }
}

/// Runs `words` to its end, and to that of all that it leaves behind.
///
/// # Errors
/// Where the system refuses. What it told the one who started it is not an error.
pub fn run(log: &Path, words: &[String]) -> io::Result<()> {
    let outcome = begin(log, words);
    let (mut file, child, mut state) = match outcome {
        Ok(begun) => begun,
        Err(error) => {
            tell(&error.to_string());
            return Ok(());
        }
    };
    tell(STARTED);
    let null = File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    watch(&mut file, &child, &mut state)
}

fn tell(line: &str) {
    let mut out = io::stdout().lock();
    // Fails where nobody listens any more.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn begin(log: &Path, words: &[String]) -> io::Result<(File, Child, State)> {
    setsid()?;
    chdir("/")?;
    prctl::set_name(c"vswitch")?;
    prctl::set_child_subreaper(true)?;
    // The command must not hold the lock: this is closed when it starts.
    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let null = File::open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    // Makes room on the file system before there is anything to be noted.
    let mut state = State::default();
    state.write(&mut file)?;
    let open_log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(log);
    let out = open_log.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot write {}: {error}", log.display()),
        )
    })?;
    let [program, arguments @ ..] = words else {
        return Err(io::Error::other("there is no command"));
    };
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .process_group(0)
        .spawn()
        .map_err(|error| {
            io::Error::new(error.kind(), format!("cannot run '{program}': {error}"))
        })?;
    let pid = child.id().cast_signed();
    state.command = Some((pid, started_at(pid).unwrap_or_default()));
    if let Err(error) = publish(&mut state, &mut file) {
        end_all(Pid::from_raw(pid), Signal::SIGKILL);
        return Err(error);
    }
    Ok((file, child, state))
}

/// Lets others know whom they may ask to end. From then on a signal must not end this process
/// before the command: it is kept until it is waited for. Not earlier, for the command would
/// inherit that.
fn publish(state: &mut State, file: &mut File) -> io::Result<()> {
    awaited().thread_block()?;
    state.supervisor = std::process::id().cast_signed();
    state.write(file)
}

/// The signals that it waits for.
fn awaited() -> SigSet {
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGALRM,
    ] {
        signals.add(signal);
    }
    signals
}

/// Waits for the end of all; ends them when asked to.
fn watch(file: &mut File, child: &Child, state: &mut State) -> io::Result<()> {
    let command = Pid::from_raw(child.id().cast_signed());
    let signals = awaited();
    loop {
        if !reap(file, command, state)? {
            return Ok(());
        }
        match signals.wait()? {
            Signal::SIGCHLD => {}
            Signal::SIGALRM => {
                end_all(command, Signal::SIGKILL);
                alarm::set(1);
            }
            _ => {
                end_all(command, Signal::SIGTERM);
                alarm::set(GRACE_S);
            }
        }
    }
}

/// Takes note of all that has ended; whether anything is left.
fn reap(file: &mut File, command: Pid, state: &mut State) -> io::Result<bool> {
    loop {
        let (pid, end) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) => (pid, End::Status(status)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, End::Signal(signal as i32)),
            Ok(WaitStatus::StillAlive) => return Ok(true),
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(Errno::ECHILD) => return Ok(false),
            Err(errno) => return Err(errno.into()),
        };
        if pid == command {
            state.end = Some(end);
            state.write(file)?;
        }
    }
}

/// Sends a signal to the command's group, and to whatever was adopted.
fn end_all(command: Pid, signal: Signal) {
    let children = children();
    // While one of them is in the group, nobody else can have a group of this number.
    if children
        .iter()
        .any(|child| group_of(*child) == Some(command.as_raw()))
    {
        let _ = killpg(command, signal);
    }
    // None of these numbers is another's before it has been waited for.
    for child in children {
        let _ = kill(Pid::from_raw(child), signal);
    }
}

/// The children of this process, as far as they can be seen.
fn children() -> Vec<i32> {
    let own = std::process::id().cast_signed();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent_of(*pid) == Some(own)).collect()
}

/// The fields of `/proc/PID/stat` from the third on: the second may hold blanks.
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split(' ').map(str::to_owned).collect())
}

fn parent_of(pid: i32) -> Option<i32> {
    stat(pid)?.get(1)?.parse().ok()
}

fn group_of(pid: i32) -> Option<i32> {
    stat(pid)?.get(2)?.parse().ok()
}

fn started_at(pid: i32) -> Option<u64> {
    stat(pid)?.get(19)?.trim().parse().ok()
}

/// A lock on the whole of a file. It belongs to the open file, whichever processes have it, and
/// ends when the last of them closes it (`F_OFD_SETLK`, fcntl(2)).
#[allow(
    clippy::cast_possible_truncation,
    reason = "both constants are less than ten"
)]
const fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// Makes the file that a supervisor is to be started with, locked. Nobody may have it locked.
pub(crate) fn locked(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let file = options.open(path)?;
    fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file()))?;
    Ok(file)
}

/// Whether the process that the file is of lives: it holds the lock.
pub(crate) fn lives(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut lock = whole_file();
    fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}

/// Ends what a supervisor that was killed itself has left: its command and the command's group.
pub(crate) fn end_orphan(state: &State) {
    if let (Some((pid, start)), None) = (state.command, state.end)
        && let Ok(process) = Process::open(pid)
        && started_at(pid) == Some(start)
    {
        let _ = process.signal_group(Signal::SIGKILL);
    }
}

/// Reads all of a pipe, as a line.
pub(crate) fn told(mut pipe: impl Read) -> io::Result<String> {
    let mut text = String::new();
    pipe.read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}
