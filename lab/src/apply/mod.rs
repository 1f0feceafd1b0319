//! Doing what a plan says, and writing down what is done.
//!
//! Theory of operation. The steps of a stage are done side by side by some threads, for most of
//! their time is spent waiting for the kernel. Each step is written down before it is begun and
//! when it is complete ([`super::record`]), and each can be done again after it was interrupted:
//! removing what is gone is no failure. After a failure no further step is begun.

mod cable;
mod host;
mod pair;
mod route;
mod switch;
mod sysctl;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Context;

use super::commands::Job;
use super::metrics::Sockets;
use super::plan::{Action, Plan, Step};
use super::progress::Progress;
use super::record::{Entry, Journal, Noted, Proof};
use super::supervise::End;
use super::switches::Switches;
use super::thing::{Key, Spec, shown};
use vswitch_control::client::{Client, ClientError};
use vswitch_control::names::{LabName, SwitchName};
use vswitch_control::runtime_dir::{LabDir, RuntimeDir};
use vswitch_control::stop::Stop;

/// Threads that do steps at the same time. Most of the time they wait.
const THREADS: usize = 8;

/// What steps are done with.
pub(crate) struct Doer<'a> {
    pub(crate) runtime: &'a RuntimeDir,
    /// What starts and stops switches.
    pub(crate) switches: &'a dyn Switches,
    pub(crate) lab: &'a LabName,
    pub(crate) dir: &'a LabDir,
    pub(crate) journal: &'a Mutex<Journal>,
    pub(crate) stop: &'a Stop,
    /// The switches that do not answer: nobody waits for them again.
    pub(crate) silent: &'a BTreeMap<String, ClientError>,
    /// The sockets for the metrics of its switches.
    pub(crate) metrics: &'a Sockets,
    /// Whether to do what can be done all the same when something has failed.
    pub(crate) goes_on: bool,
}

/// What one thread has for its steps.
struct Worker<'a> {
    doer: &'a Doer<'a>,
    /// Connections to switches.
    clients: BTreeMap<String, Client>,
}

impl Doer<'_> {
    /// Does all steps of a plan.
    ///
    /// # Errors
    /// What went wrong, each by itself; no further step was begun then, or all that could be
    /// done was.
    pub(crate) fn run(&self, plan: &Plan) -> Result<(), Vec<anyhow::Error>> {
        let progress = Progress::new(self.lab, plan.steps().count());
        let failures = Mutex::new(Vec::new());
        for stage in &plan.stages {
            let next = AtomicUsize::new(0);
            thread::scope(|scope| {
                for _ in 0..THREADS.min(stage.len()) {
                    scope.spawn(|| self.work(stage, &next, &failures, &progress));
                }
            });
            let failed = failures.lock().unwrap_or_else(PoisonError::into_inner);
            if !failed.is_empty() && !self.goes_on {
                break;
            }
        }
        let failures = failures.into_inner();
        let failures = failures.unwrap_or_else(PoisonError::into_inner);
        if failures.is_empty() {
            Ok(())
        } else {
            Err(failures)
        }
    }

    /// Does steps of a stage until there are no more.
    fn work(
        &self,
        stage: &[Step],
        next: &AtomicUsize,
        failures: &Mutex<Vec<anyhow::Error>>,
        progress: &Progress,
    ) {
        let mut worker = Worker {
            doer: self,
            clients: BTreeMap::new(),
        };
        let fail = |error: anyhow::Error| {
            let mut failed = failures.lock().unwrap_or_else(PoisonError::into_inner);
            // What stands in the way of many steps is told once.
            let told = format!("{error:#}");
            if failed.iter().all(|other| format!("{other:#}") != told) {
                failed.push(error);
            }
            if !self.goes_on {
                next.store(stage.len(), Ordering::Relaxed);
            }
        };
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(step) = stage.get(index) else { return };
            let done = self.stop.check().map_err(Into::into);
            match done.and_then(|()| worker.step(step)) {
                Ok(()) => progress.done(),
                Err(error) => fail(error),
            }
        }
    }

    fn note(&self, entry: Entry) -> anyhow::Result<()> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = journal.note(entry);
        noted.with_context(|| format!("cannot write {}", self.dir.journal().display()))
    }

    fn noted(&self, key: &Key) -> Option<Noted> {
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.record().things.get(key).cloned()
    }

    /// Refuses a switch that did not answer, for the same reason.
    fn refuse_silent(&self, switch: &str) -> anyhow::Result<()> {
        match self.silent.get(switch) {
            Some(error) => anyhow::bail!("{error}"),
            None => Ok(()),
        }
    }

    /// Writes down that something is about to be made.
    fn making(&self, key: &Key, spec: &Spec, proof: Proof) -> anyhow::Result<()> {
        self.note(Entry::Making {
            key: key.clone(),
            spec: spec.clone(),
            proof,
        })
    }
}

impl Worker<'_> {
    fn step(&mut self, step: &Step) -> anyhow::Result<()> {
        let key = &step.key;
        match &step.action {
            Action::Make { to } => {
                self.make(key, to)?;
                self.doer.note(Entry::Made { key: key.clone() })
            }
            Action::Change { from, to } => {
                self.doer.note(Entry::Changing {
                    key: key.clone(),
                    spec: to.clone(),
                })?;
                self.change(key, from, to)
            }
            Action::Remove { from, implied } => {
                if !implied {
                    self.remove(key, from)?;
                }
                self.doer.note(Entry::Removed { key: key.clone() })
            }
        }
    }

    fn make(&mut self, key: &Key, spec: &Spec) -> anyhow::Result<()> {
        match (key, spec) {
            (Key::Host { host }, _) => self.make_host(host, key),
            (Key::Switch { switch }, Spec::Switch(wanted)) => {
                self.doer.making(key, spec, Proof::None)?;
                self.make_switch(switch, wanted)
            }
            (Key::Pair { end, other }, Spec::Pair { mtu }) => {
                self.make_pair(key, [end, other], *mtu)
            }
            (Key::Port { switch, interface }, _) => {
                self.doer.making(key, spec, Proof::None)?;
                self.make_port(switch, interface, spec)
            }
            (Key::Cable { host, interface }, Spec::Cable(cable)) => {
                self.doer.making(key, spec, Proof::None)?;
                self.make_cable(host, interface, cable)
            }
            (Key::Sysctl { host, path }, Spec::Sysctl { value }) => {
                self.make_sysctl(key, host, path, value)
            }
            (Key::Route { host, to }, Spec::Route { via }) => {
                self.doer.making(key, spec, Proof::None)?;
                self.make_route(host, *to, *via)
            }
            (Key::Setup { host }, Spec::Setup { commands }) => {
                self.doer.making(key, spec, Proof::None)?;
                self.set_up(host, commands)
            }
            (Key::Command { host, .. }, _) => {
                self.doer.making(key, spec, Proof::None)?;
                self.start(key, host)
            }
            _ => Ok(()),
        }
    }

    fn change(&mut self, key: &Key, from: &Spec, to: &Spec) -> anyhow::Result<()> {
        match (key, from, to) {
            (Key::Switch { switch }, Spec::Switch(from), Spec::Switch(to)) => {
                self.change_switch(switch, from, to)
            }
            (Key::Cable { .. }, Spec::Cable(from), Spec::Cable(to)) => self.change_cable(from, to),
            (Key::Sysctl { host, path }, _, Spec::Sysctl { value }) => {
                self.change_sysctl(host, path, value)
            }
            _ => Ok(()),
        }
    }

    fn remove(&mut self, key: &Key, spec: &Spec) -> anyhow::Result<()> {
        match (key, spec) {
            (Key::Host { host }, _) => self.remove_host(host, key),
            (Key::Switch { switch }, _) => self.remove_switch(switch),
            (Key::Pair { end, other }, _) => self.remove_pair(key, [end, other]),
            (Key::Port { switch, interface }, _) => self.remove_port(switch, interface),
            (Key::Cable { host, interface }, Spec::Cable(cable)) => {
                self.remove_cable(host, interface, cable)
            }
            (Key::Sysctl { host, path }, _) => self.remove_sysctl(key, host, path),
            (Key::Route { host, to }, Spec::Route { via }) => self.remove_route(host, *to, *via),
            (Key::Command { .. }, _) => match Job::of(self.doer.dir, key) {
                Some(job) => job.end(),
                None => Ok(()),
            },
            (Key::Setup { host }, Spec::Setup { commands }) => {
                let mut jobs = commands.iter().enumerate();
                jobs.try_for_each(|(index, words)| {
                    Job::of_setup(self.doer.dir, host, words, index).end()
                })
            }
            _ => Ok(()),
        }
    }

    /// A connection to a switch of this lab; none if it does not run, or is another's by now.
    fn find_switch(&mut self, switch: &str) -> anyhow::Result<Option<&mut Client>> {
        use std::collections::btree_map::Entry as Slot;
        self.doer.refuse_silent(switch)?;
        match self.clients.entry(switch.to_owned()) {
            Slot::Occupied(open) => Ok(Some(open.into_mut())),
            Slot::Vacant(slot) => {
                let name: SwitchName = switch.parse()?;
                let mut client = match Client::connect(self.doer.runtime, &name) {
                    Ok(client) => client,
                    Err(ClientError::NotRunning(_) | ClientError::Killed(_)) => return Ok(None),
                    Err(error) => return Err(error.into()),
                };
                client.set_patience(switch::PATIENCE)?;
                let lab = client.show()?.lab;
                let is_ours = lab.as_deref() == Some(self.doer.lab.as_str());
                Ok(is_ours.then(|| slot.insert(client)))
            }
        }
    }

    /// The same, where it has to be there.
    fn client(&mut self, switch: &str) -> anyhow::Result<&mut Client> {
        let found = self.find_switch(switch)?;
        found.with_context(|| format!("the switch '{switch}' of this lab is not running"))
    }

    fn start(&self, key: &Key, host: &str) -> anyhow::Result<()> {
        let job = Job::of(self.doer.dir, key).context("it is no command")?;
        job.start(&self.open_host(host)?.0)
    }

    fn set_up(&self, host: &str, commands: &[Vec<String>]) -> anyhow::Result<()> {
        let (namespace, _) = self.open_host(host)?;
        for (index, words) in commands.iter().enumerate() {
            let job = Job::of_setup(self.doer.dir, host, words, index);
            // A try before this one may have left something.
            job.end()?;
            job.start(&namespace)?;
            let end = job.wait(self.doer.stop);
            if !matches!(end, Ok(Some(End::Status(0)))) {
                job.end()?;
            }
            match end? {
                Some(End::Status(0)) => {}
                end => anyhow::bail!(
                    "the setup of the host '{host}' has failed: '{}' {}; {}",
                    shown(words),
                    end.map_or_else(|| "was killed".to_owned(), End::in_words),
                    job.last_words()
                ),
            }
        }
        Ok(())
    }
}
