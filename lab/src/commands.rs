//! The commands of a lab: starting them inside their hosts, seeing how they are, ending them.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use vswitch_netns::{InterfaceName, Namespace};

use super::hash::fnv;
use super::record::Record;
use super::supervise::{self, End, STARTED, State};
use super::thing::{Key, Spec, shown};
use crate::process::Process;
use vswitch_control::itself;
use vswitch_control::runtime_dir::LabDir;
use vswitch_control::stop::Stop;

/// So long a command may take to end, the time included that it is given to end by itself.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often to look.
const INTERVAL: Duration = Duration::from_millis(5);

/// One command of a lab.
#[derive(Debug)]
pub(super) struct Job<'a> {
    host: &'a str,
    words: &'a [String],
    /// Where its state is.
    state: PathBuf,
    /// Where what it prints goes.
    log: PathBuf,
    /// Where the switches are.
    runtime: PathBuf,
}

impl<'a> Job<'a> {
    /// The command of a key.
    pub(super) fn of(dir: &LabDir, key: &'a Key) -> Option<Self> {
        match key {
            Key::Command { host, words, nth } => Some(Self::new(
                dir,
                host,
                words,
                &format!("{nth} {}", words.join(" ")),
            )),
            _ => None,
        }
    }

    /// One of those that a host is made ready with.
    pub(super) fn of_setup(dir: &LabDir, host: &'a str, words: &'a [String], index: usize) -> Self {
        Self::new(dir, host, words, &format!("setup {index}"))
    }

    fn new(dir: &LabDir, host: &'a str, words: &'a [String], what: &str) -> Self {
        let hash = fnv(&format!("{host} {what}"));
        let program = program_of(words);
        // A host's name may be as long as that of a file.
        let short: String = host.chars().take(64).collect();
        let name = format!("{short}-{program}-{hash:016x}");
        Self {
            host,
            words,
            state: dir.commands().join(&name),
            log: dir.logs().join(format!("{name}.log")),
            runtime: dir.runtime().to_owned(),
        }
    }

    /// What it printed last, and where the rest is.
    pub(super) fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        match last {
            Some(line) => format!("it printed '{}'", line.trim()),
            None => "it printed nothing".to_owned(),
        }
    }

    /// Starts it; returns when it runs.
    pub(super) fn start(&self, namespace: &Namespace) -> anyhow::Result<()> {
        let what = || {
            format!(
                "cannot start '{}' in the host '{}'",
                shown(self.words),
                self.host
            )
        };
        let state = supervise::locked(&self.state).with_context(what)?;
        let mut command = itself::command().with_context(what)?;
        command
            .arg("supervise")
            .arg(&self.log)
            .arg("--")
            .args(self.words)
            // As in `vswitch shell`.
            .env("VSWITCH_NETNS", self.host)
            .env("VSWITCH_RUNTIME_DIR", &self.runtime)
            .stdin(Stdio::from(state))
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = namespace.spawn(&mut command).with_context(what)?;
        // It has the file now, and holds the lock by itself.
        drop(command);
        let told = child.stdout.take().map(supervise::told);
        match told.transpose()?.unwrap_or_default().as_str() {
            STARTED => Ok(()),
            why => {
                let _ = child.wait();
                let _ = fs::remove_file(&self.state);
                let why = if why.is_empty() {
                    "it ended at once"
                } else {
                    why
                };
                bail!("{}: {why}", what())
            }
        }
    }

    /// Waits for its end, and gives how it ended; none if it was killed with what stands over it.
    /// What it has left to run goes on.
    pub(super) fn wait(&self, stop: &Stop) -> anyhow::Result<Option<End>> {
        loop {
            let lives = supervise::lives(&self.state)?;
            let end = State::read(&self.state).and_then(|state| state.end);
            if end.is_some() || !lives {
                return Ok(end);
            }
            stop.check()?;
            thread::sleep(INTERVAL);
        }
    }

    /// Asks what stands over it to end; whether it was asked. The lock tells once more that it is
    /// the one that is held by now.
    fn ask_to_end(&self, supervisor: i32) -> io::Result<bool> {
        let Ok(process) = Process::open(supervisor) else {
            return Ok(false);
        };
        Ok(supervise::lives(&self.state)? && process.signal(Signal::SIGTERM).is_ok())
    }

    /// Ends it and all that it has left behind, and forgets about it.
    pub(super) fn end(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut asked = false;
        while supervise::lives(&self.state)? {
            let state = State::read(&self.state);
            // One that was just started may not have noted itself yet.
            if let Some(state) = state.filter(|state| !asked && state.supervisor > 0) {
                asked = self.ask_to_end(state.supervisor)?;
            }
            if Instant::now() >= deadline {
                bail!(
                    "the command '{}' in the host '{}' does not end: kill it, then try again",
                    shown(self.words),
                    self.host
                );
            }
            thread::sleep(INTERVAL);
        }
        if let Some(state) = State::read(&self.state) {
            supervise::end_orphan(&state);
        }
        match fs::remove_file(&self.state) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// Ends all commands of a lab that is to be removed, and removes what they have printed. What does
/// not end is tried again when its turn comes.
pub(super) fn make_room(dir: &LabDir, record: &Record) {
    for (key, noted) in &record.things {
        match (key, &noted.spec) {
            (Key::Setup { host }, Spec::Setup { commands }) => {
                for (index, words) in commands.iter().enumerate() {
                    let _ = Job::of_setup(dir, host, words, index).end();
                }
            }
            _ => drop(Job::of(dir, key).map(|job| job.end())),
        }
    }
    for log in fs::read_dir(dir.logs()).into_iter().flatten().flatten() {
        let _ = fs::remove_file(log.path());
    }
}

/// The program of a command, fit for a file's name.
fn program_of(words: &[String]) -> String {
    let line = shown(words);
    let program = line.split_whitespace().next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    InterfaceName::shortened(program).to_string()
}

/// Whether a command of the lab runs, or has done what it had to; if not, why not.
pub(super) fn look(dir: &LabDir, key: &Key) -> Result<(), String> {
    let job = Job::of(dir, key).ok_or("it is no command")?;
    let lives = supervise::lives(&job.state).map_err(|error| error.to_string())?;
    let state = State::read(&job.state);
    let log = job.log.display();
    match state.and_then(|state| state.end) {
        None if lives => Ok(()),
        // What it has left to run goes on.
        Some(End::Status(0)) => Ok(()),
        Some(end) => Err(format!("it {} (its output: {log})", end.in_words())),
        None => Err(format!("it is gone (its output: {log})")),
    }
}
