//! A program that runs as long as it is measured.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::unistd::Pid;

use super::stage::Stage;
use crate::measure::Stop;

/// How long a program may take until it does what it was started for.
const PATIENCE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(5);
/// So much of the end of a log holds its last line.
const TAIL_BYTES: u64 = 4096;

/// A process in the middle namespace, killed when this value is dropped.
#[derive(Debug)]
pub(super) struct Daemon {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a program of the name `name`, whose output goes into a log.
    pub(super) fn start(
        name: &'static str,
        command: &mut Command,
        stage: &Stage,
    ) -> anyhow::Result<Self> {
        let log = stage.file(&format!("{name}.log"));
        let output =
            File::create(&log).with_context(|| format!("can't create {}", log.display()))?;
        command
            .current_dir(stage.dir())
            .stdin(Stdio::piped()) // some end with their standard input
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0); // a Ctrl-C at the terminal is not for it
        let _inside = stage.middle.enter()?;
        let child = command
            .spawn()
            .with_context(|| format!("can't start {name}"))?;
        Ok(Self { name, child, log })
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Waits until `ready` holds, but not longer than the program lives, nor than patience does.
    pub(super) fn wait_until(
        &mut self,
        stop: &Stop,
        mut ready: impl FnMut() -> bool,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while !ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "{} ended at once with {status}{}",
                    self.name,
                    self.last_words()
                );
            }
            if Instant::now() >= end {
                let seconds = PATIENCE.as_secs();
                bail!(
                    "{} was not ready after {seconds} s{}",
                    self.name,
                    self.last_words()
                );
            }
            stop.pause(TICK)?;
        }
        Ok(())
    }

    /// The last line of its log, for the end of a sentence; empty if there is none.
    pub(super) fn last_words(&self) -> String {
        let text = self.tail().unwrap_or_default();
        match text.lines().map(str::trim).rfind(|line| !line.is_empty()) {
            Some(line) => format!("; its last words: {line}"),
            None => String::new(),
        }
    }

    fn tail(&self) -> io::Result<String> {
        let mut file = File::open(&self.log)?;
        let length = fs::metadata(&self.log)?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
