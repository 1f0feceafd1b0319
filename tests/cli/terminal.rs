//! A terminal for a program under test: a pseudo-terminal whose other end is the test.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::Pid;

use super::sys;
use crate::harness::{self, PATIENCE, wait_until};

/// What stands behind all that a program has drawn.
const OVER: &str = "<over>";

/// A program on a terminal.
pub(super) struct Terminal {
    child: Child,
    user: File,
    /// The program's side, which stays open here so that its settings can be looked at.
    program: OwnedFd,
    drawn: Arc<Mutex<Vec<u8>>>,
    before: Termios,
}

impl Terminal {
    /// Starts a program on a terminal of this size.
    pub(super) fn start(mut command: Command, columns: u16, rows: u16) -> Self {
        let pty = openpty(None, None).unwrap();
        sys::set_size(&pty.slave, columns, rows).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let end = || pty.slave.try_clone().unwrap();
        command.stdin(end()).stdout(end()).stderr(end());
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm-256color");
        }
        command.env("LANG", "C.UTF-8").env_remove("LC_ALL");
        sys::take_terminal(&mut command);
        harness::sys::die_with_parent(&mut command);
        let child = command.spawn().unwrap();
        drop(command);
        let user = File::from(pty.master);
        let drawn = Arc::new(Mutex::new(Vec::new()));
        let (mut output, sink) = (user.try_clone().unwrap(), Arc::clone(&drawn));
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut chunk) {
                sink.lock().unwrap().extend_from_slice(&chunk[..read]);
            }
        });
        Self {
            child,
            user,
            program: pty.slave,
            drawn,
            before,
        }
    }

    /// Types.
    pub(super) fn press(&mut self, keys: &str) {
        self.user.write_all(keys.as_bytes()).unwrap();
    }

    /// Makes it larger or smaller.
    pub(super) fn resize(&self, columns: u16, rows: u16) {
        sys::set_size(&self.user, columns, rows).unwrap();
    }

    /// All that was drawn.
    pub(super) fn drawn(&self) -> String {
        String::from_utf8_lossy(&self.drawn.lock().unwrap()).into_owned()
    }

    /// The end of it, for a failure.
    fn end(&self) -> String {
        let drawn = self.drawn();
        let start = drawn.char_indices().rev().nth(1_000);
        format!("{:?}", &drawn[start.map_or(0, |(start, _)| start)..])
    }

    /// Forgets what was drawn.
    pub(super) fn forget(&self) {
        self.drawn.lock().unwrap().clear();
    }

    /// Waits until `text` was drawn.
    pub(super) fn waits_for(&self, text: &str) {
        let drawn = wait_until(PATIENCE, || self.drawn().contains(text));
        assert!(drawn, "{text:?} is not drawn: {}", self.end());
    }

    /// Sends a signal.
    pub(super) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// The state of its process, as proc(5) has it.
    pub(super) fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.chars().next().unwrap()
    }

    /// Whether the terminal gives away each key at once, and shows none.
    pub(super) fn is_raw(&self) -> bool {
        let now = tcgetattr(&self.program).unwrap();
        !now.local_flags
            .intersects(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    /// Whether it is as before the program was started.
    pub(super) fn is_as_before(&self) -> bool {
        tcgetattr(&self.program).unwrap() == self.before
    }

    /// What a shell does that takes the terminal back.
    pub(super) fn take_back(&self) {
        tcsetattr(&self.program, SetArg::TCSANOW, &self.before).unwrap();
    }

    /// Waits for the program's end, and for all that it has drawn.
    pub(super) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until(PATIENCE, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap_or_else(|| panic!("it does not end: {}", self.end()));
        // Goes the way of what was drawn, behind it.
        let mut program = File::from(self.program.try_clone().unwrap());
        program.write_all(OVER.as_bytes()).unwrap();
        self.waits_for(OVER);
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
