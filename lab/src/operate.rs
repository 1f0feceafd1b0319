//! The operations on labs: each takes hold of the lab, looks at what is there, and goes on from
//! there.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::apply::Doer;
use super::commands;
use super::conflicts::conflicts;
use super::hold::Hold;
use super::lab::{self, Lab};
use super::metrics::Sockets;
use super::place::Source;
use super::plan::{Plan, Present, plan};
use super::record::{Journal, Record};
use super::survey::{Survey, survey};
use super::switches::Switches;
use super::thing::{Key, Things};
use vswitch_control::names::LabName;
use vswitch_control::runtime_dir::{LabDir, RuntimeDir};
use vswitch_control::stop::Stop;

/// The labs of a runtime directory.
pub struct Labs<'a> {
    runtime: &'a RuntimeDir,
    switches: &'a dyn Switches,
}

/// What `up` is to do, before it does it.
pub struct Intent {
    /// The lab that is wanted.
    pub lab: Lab,
    /// The way there.
    pub plan: Plan,
    /// What was there when it was planned.
    pub present: Present,
    /// Whether nothing of it is there yet.
    pub fresh: bool,
}

/// What was done, as far as it came.
#[derive(Debug)]
pub struct Outcome {
    /// What went wrong, each by itself; nothing if all is done.
    pub failures: Vec<anyhow::Error>,
    /// Whether what was made was removed again.
    pub undone: bool,
}

impl<'a> Labs<'a> {
    /// Those of this directory, whose switches are started and stopped by `switches`.
    pub const fn new(runtime: &'a RuntimeDir, switches: &'a dyn Switches) -> Self {
        Self { runtime, switches }
    }

    /// The names of those that there is a record of.
    pub fn names(&self) -> anyhow::Result<Vec<LabName>> {
        Ok(self.runtime.labs()?)
    }

    /// The name of the lab in a file.
    pub fn name_in(source: &Source) -> anyhow::Result<LabName> {
        lab::name_in(&source.text, source.stem()).map_err(|wrong| source.wrong(&wrong).into())
    }

    /// The record of a lab, and how what is in it is now.
    pub fn look(&self, name: &LabName) -> anyhow::Result<(Record, Survey)> {
        let record = self.load(name)?;
        let survey = survey(self.runtime, name, &record, std::iter::empty())?;
        Ok((record, survey))
    }

    fn load(&self, name: &LabName) -> anyhow::Result<Record> {
        let dir = self.runtime.lab(name);
        dir.require_safe()?;
        Record::load(&dir).map_err(|error| unreadable(&dir.journal(), &error))
    }

    /// What it takes to have the lab of a file as the file says.
    ///
    /// # Errors
    /// All that is wrong with the file, or stands in its way on this machine.
    pub fn intend(&self, source: &Source) -> anyhow::Result<Intent> {
        let name = Self::name_in(source)?;
        let record = self.load(&name)?;
        let lab = lab::read(&source.text, name, &record.specs())
            .map_err(|problems| source.wrong(&problems))?;
        let switches = lab.things.keys().filter_map(|key| match key {
            Key::Switch { switch } => Some(switch.clone()),
            _ => None,
        });
        let mut survey = survey(self.runtime, &lab.name, &record, switches)?;
        if let Some((_, error)) = survey.silent.pop_first() {
            return Err(error.into());
        }
        let problems = conflicts(&lab, &survey);
        if !problems.is_empty() {
            return Err(source.wrong(&problems).into());
        }
        let plan = plan(&survey.present, &lab.things);
        Ok(Intent {
            plan,
            fresh: survey.present.is_empty(),
            present: survey.present,
            lab,
        })
    }

    /// Does what is intended, as who has taken hold of the lab. What a lab that was not there
    /// before has got when something goes wrong is removed again.
    pub fn bring_up(
        &self,
        hold: &Hold,
        source: &Path,
        intent: &Intent,
        metrics: &Sockets,
        stop: &Stop,
    ) -> anyhow::Result<Outcome> {
        let source = std::path::absolute(source).unwrap_or_else(|_| PathBuf::from(source));
        let journal = Journal::open(hold.dir(), Some(&source))
            .map_err(|error| unreadable(&hold.dir().journal(), &error))?;
        let journal = Mutex::new(journal);
        let doer = Doer {
            runtime: self.runtime,
            switches: self.switches,
            lab: &intent.lab.name,
            dir: hold.dir(),
            journal: &journal,
            stop,
            silent: &BTreeMap::new(),
            metrics,
            goes_on: false,
        };
        let Err(mut failures) = doer.run(&intent.plan) else {
            return Ok(Outcome {
                failures: Vec::new(),
                undone: false,
            });
        };
        let mut undone = false;
        if intent.fresh {
            match self.take_down(hold, &intent.lab.name) {
                Ok(()) => undone = true,
                Err(mut more) => failures.append(&mut more),
            }
        }
        Ok(Outcome { failures, undone })
    }

    /// Lets go of a lab; if nothing is in its record, nothing is left of it.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn let_go(hold: Hold) -> anyhow::Result<()> {
        let journal = hold.dir().journal();
        let record = Record::load(hold.dir()).map_err(|error| unreadable(&journal, &error))?;
        if record.is_empty() {
            hold.remove()
                .map_err(|error| unreadable(&journal, &error))?;
        }
        Ok(())
    }

    /// Removes all that is in the record of a lab; nothing interrupts it.
    ///
    /// # Errors
    /// What could not be removed, and is still in the record.
    pub fn take_down(&self, hold: &Hold, name: &LabName) -> Result<(), Vec<anyhow::Error>> {
        let journal = open_to_remove(hold.dir())
            .map_err(|error| vec![unreadable(&hold.dir().journal(), &error)])?;
        let record = journal.record().clone();
        let survey = survey(self.runtime, name, &record, std::iter::empty());
        let survey = survey.map_err(|error| vec![error])?;
        let journal = Mutex::new(journal);
        let stop = Stop::never();
        let doer = Doer {
            runtime: self.runtime,
            switches: self.switches,
            lab: name,
            dir: hold.dir(),
            journal: &journal,
            stop: &stop,
            silent: &survey.silent,
            metrics: &Sockets::default(),
            goes_on: true,
        };
        doer.run(&plan(&survey.present, &Things::new()))
    }
}

/// Opens the record of a lab that is to be removed, also where the file system is full: the
/// commands may have filled it by what they print. They go first, then.
fn open_to_remove(dir: &LabDir) -> io::Result<Journal> {
    let opened = Journal::open(dir, None);
    let is_full = matches!(
        opened.as_ref().map_err(io::Error::kind),
        Err(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    );
    if !is_full {
        return opened;
    }
    commands::make_room(dir, &Record::load(dir)?);
    Journal::open(dir, None).or_else(|_| Journal::reopen(dir))
}

fn unreadable(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!(
        "the record of the lab, {}, cannot be read or written: {error}",
        path.display()
    )
}
