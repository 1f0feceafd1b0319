//! Binding everything that a path runs on to one CPU.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The calling thread.
const SELF: Pid = Pid::from_raw(0);
/// A process may start threads while those it has are bound.
const MAX_ROUNDS: usize = 8;

/// One CPU, to which some processes are bound until this is dropped.
#[derive(Debug)]
pub(super) struct OneCpu {
    cpu: usize,
    bound: Vec<Process>,
}

/// A process, and where its threads were allowed before.
#[derive(Debug)]
struct Process {
    pid: Pid,
    before: HashMap<Pid, CpuSet>,
}

impl OneCpu {
    /// Binds all threads of `processes` to the lowest CPU that the calling thread may use.
    pub(super) fn bind(processes: &[Pid]) -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(SELF).context("can't read the CPUs of this process")?;
        let cpu = lowest(&allowed).context("this process is allowed no CPU")?;
        // What is bound already is released again where the rest fails.
        let mut one = Self {
            cpu,
            bound: Vec::new(),
        };
        let set = only(cpu)?;
        for &pid in processes {
            one.bound.push(Process {
                pid,
                before: HashMap::new(),
            });
            if let Some(process) = one.bound.last_mut() {
                process
                    .bind(&set)
                    .with_context(|| format!("can't bind the process {pid} to CPU {cpu}"))?;
            }
        }
        Ok(one)
    }

    /// Binds the calling thread too, for good.
    pub(super) fn join(&self) -> anyhow::Result<()> {
        sched_setaffinity(SELF, &only(self.cpu)?)
            .with_context(|| format!("can't bind a thread to CPU {}", self.cpu))
    }
}

impl Process {
    fn bind(&mut self, set: &CpuSet) -> anyhow::Result<()> {
        for _ in 0..MAX_ROUNDS {
            // Threads that have ended meanwhile are none: they may come and go all the time.
            let mut found = false;
            for thread in threads(self.pid)? {
                if self.before.contains_key(&thread) {
                    continue;
                }
                let before = match sched_getaffinity(thread) {
                    // It has ended since it was listed.
                    Err(Errno::ESRCH) => continue,
                    other => other?,
                };
                match sched_setaffinity(thread, set) {
                    Err(Errno::ESRCH) => {}
                    other => {
                        other?;
                        self.before.insert(thread, before);
                        found = true;
                    }
                }
            }
            if !found && self.before.is_empty() {
                bail!("it has ended");
            }
            if !found {
                return Ok(());
            }
        }
        bail!("it starts ever new threads");
    }
}

impl Drop for Process {
    /// Threads that were started meanwhile get what the process's first thread had.
    fn drop(&mut self) {
        let first = self.before.get(&self.pid);
        for thread in threads(self.pid).unwrap_or_default() {
            if let Some(set) = self.before.get(&thread).or(first)
                && let Err(errno) = sched_setaffinity(thread, set)
                && errno != Errno::ESRCH
            {
                log::warn!("can't give the thread {thread} its CPUs back: {errno}");
            }
        }
    }
}

/// All threads of a process (proc(5)).
fn threads(pid: Pid) -> anyhow::Result<Vec<Pid>> {
    let path = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&path).with_context(|| format!("can't list {path}"))?;
    Ok(entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
        .collect())
}

fn lowest(set: &CpuSet) -> Option<usize> {
    (0..CpuSet::count()).find(|&cpu| set.is_set(cpu).unwrap_or(false))
}

fn only(cpu: usize) -> anyhow::Result<CpuSet> {
    let mut set = CpuSet::new();
    set.set(cpu)
        .with_context(|| format!("can't name CPU {cpu}"))?;
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_bound_process_gets_its_cpus_back() {
        // Reads until its input is closed.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "read line"]).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let before = sched_getaffinity(pid).unwrap();
        let one = OneCpu::bind(&[pid]).unwrap();
        assert_eq!(sched_getaffinity(pid).unwrap(), only(one.cpu).unwrap());
        drop(one);
        assert_eq!(sched_getaffinity(pid).unwrap(), before);
        drop(child.stdin.take());
        child.wait().unwrap();
        // One that has gone is named, and nothing is bound.
        let error = OneCpu::bind(&[pid]).unwrap_err();
        assert!(error.to_string().contains(&pid.to_string()), "{error}");
    }

    #[test]
    fn a_thread_that_joins_has_one_cpu() {
        let one = OneCpu::bind(&[]).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                one.join().unwrap();
                assert_eq!(sched_getaffinity(SELF).unwrap(), only(one.cpu).unwrap());
            });
        });
    }
}
