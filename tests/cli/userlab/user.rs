//! Somebody who has a lab: running the program as an ordinary user.
//!
//! Where the tests have the whole range of users they run the program as one; inside a user
//! namespace of one user they take the capabilities away, which leaves it as much.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::cli::{complaint, sys, words};
use crate::harness::program::{VSWITCH, is_empty_dir};
use crate::harness::{PATIENCE, wait_until};

/// Somebody without rights, with a runtime directory.
pub(in crate::cli) struct User {
    pub(in crate::cli) session: PathBuf,
}

/// A lab of two hosts at one switch.
pub(in crate::cli) const LAB: &str = r#"
[switch.s]

[host.mario]
ip = "10.0.0.1/24"

[host.luigi]
ip = "10.0.0.2/24"
"#;

pub(in crate::cli) const PROGRAM: &str = "/run/bin/vswitch";

impl User {
    /// `name` tells the processes of this test from those of others.
    pub(in crate::cli) fn new(name: &str) -> Self {
        let session = PathBuf::from("/run/user").join(name);
        fs::create_dir_all(&session).unwrap();
        fs::set_permissions(&session, fs::Permissions::from_mode(0o700)).unwrap();
        if sys::can_be_nobody() {
            chown(&session, Some(sys::NOBODY), Some(sys::NOBODY)).unwrap();
        }
        // Where it was built may be closed to others.
        fs::create_dir("/run/bin").unwrap();
        fs::write(PROGRAM, "").unwrap();
        let none = None::<&str>;
        mount(Some(VSWITCH), PROGRAM, none, MsFlags::MS_BIND, none).unwrap();
        Self { session }
    }

    /// Where the program keeps its files.
    pub(in crate::cli) fn dir(&self) -> PathBuf {
        self.session.join("vswitch")
    }

    pub(in crate::cli) fn with_rights(&self, line: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(words(line))
            .env("XDG_RUNTIME_DIR", &self.session)
            .env_remove("VSWITCH_RUNTIME_DIR")
            .stdin(Stdio::null());
        // The only user of a namespace is its root, for whom the default is another.
        if !sys::can_be_nobody() {
            command.env("VSWITCH_RUNTIME_DIR", self.dir());
        }
        command
    }

    pub(in crate::cli) fn command(&self, line: &str) -> Command {
        let mut command = self.with_rights(line);
        sys::become_ordinary(&mut command);
        command
    }

    pub(in crate::cli) fn ok(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(in crate::cli) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{line} --json"))).unwrap()
    }

    pub(in crate::cli) fn fails(&self, line: &str) -> String {
        complaint(&self.command(line).output().unwrap(), line, 1)
    }

    /// A file that the user can read; gives its path.
    pub(in crate::cli) fn file(&self, name: &str, text: &str) -> String {
        let path = self.session.join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    pub(in crate::cli) fn names(&self) -> Vec<String> {
        let list = self.json("netns list");
        let names = list.as_array().unwrap().iter();
        names
            .map(|entry| entry["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The processes that have our runtime directory in their command line, with that.
    pub(in crate::cli) fn processes(&self) -> Vec<(Pid, String)> {
        let mine = self.dir().to_string_lossy().into_owned();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let line = fs::read_to_string(entry.path().join("cmdline")).ok()?;
                line.contains(&mine)
                    .then(|| (Pid::from_raw(pid), line.replace('\0', " ")))
            })
            .collect()
    }

    pub(in crate::cli) fn process(&self, word: &str) -> Option<Pid> {
        let mut found = self
            .processes()
            .into_iter()
            .filter(|(_, line)| line.contains(word));
        let first = found.next().map(|(pid, _)| pid);
        assert!(found.next().is_none(), "{:?}", self.processes());
        first
    }

    /// All processes with these words.
    pub(in crate::cli) fn process_ids(&self, words: &str) -> Vec<Pid> {
        let all = self.processes().into_iter();
        let meant = all.filter(|(_, line)| line.contains(words));
        meant.map(|(pid, _)| pid).collect()
    }

    pub(in crate::cli) fn keeper(&self) -> Option<Pid> {
        self.process("vswitch keeper")
    }

    pub(in crate::cli) fn kill(pid: Pid) {
        kill(pid, Signal::SIGKILL).unwrap();
        // Its command line is gone before its sockets are.
        assert!(wait_until(PATIENCE, || !Path::new(&format!("/proc/{pid}")).exists()));
    }

    /// All of the lab has gone.
    pub(in crate::cli) fn assert_nothing_left(&self) {
        assert!(
            wait_until(PATIENCE, || self.processes().is_empty()),
            "{:?}",
            self.processes()
        );
        let files: Vec<_> = fs::read_dir(self.dir()).into_iter().flatten().collect();
        assert!(is_empty_dir(&self.dir()), "{files:?}");
    }
}

impl Drop for User {
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

pub(in crate::cli) fn mounts() -> String {
    fs::read_to_string("/proc/thread-self/mountinfo").unwrap()
}

/// Pings come there and back: the command fails if one does not.
pub(in crate::cli) fn assert_traffic(user: &User, from: &str, to: &str) {
    user.ok(&format!("ping {from} {to} -4 -c 3 -W 60"));
}
