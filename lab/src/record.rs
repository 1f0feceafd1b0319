//! The record of what was made: what `down` may remove.
//!
//! Theory of operation. It is a file of lines that only grows while a lab is changed. Each thing is
//! written down before it is made, with what tells it from another of the same name (for a
//! namespace its number, for a cable between switches its MAC addresses), and again when it is
//! complete. So after a crash the record names at least all that is there. A last line that was cut
//! off is of something that was not begun. Nothing is synchronised to a disk: what is recorded is
//! gone with the running kernel, and a kernel that runs on has the lines.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::thing::{Key, Spec, Things};
use vswitch_control::runtime_dir::LabDir;

/// What tells a thing that was made from any other of its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// It is inside something that has one, or has a file of its own here.
    #[default]
    None,
    /// A namespace, by its inode and its cookie.
    Namespace { inode: u64, cookie: Option<u64> },
    /// The MAC addresses of the two ends.
    Stations([String; 2]),
    /// What a setting was before; none if it could not be read.
    Former(Option<String>),
}

/// A thing in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// How it was to be.
    pub spec: Spec,
    /// What tells it.
    pub proof: Proof,
    /// Whether it was seen complete.
    pub made: bool,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// Which lab this is, and when the machine was started.
    Lab { file: PathBuf, boot: String },
    /// It is about to be made.
    Making { key: Key, spec: Spec, proof: Proof },
    /// It is complete.
    Made { key: Key },
    /// It is about to be changed to this.
    Changing { key: Key, spec: Spec },
    /// It is gone.
    Removed { key: Key },
}

/// What was made of a lab.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The file that it was made from.
    pub file: PathBuf,
    /// Of which start of the machine.
    boot: String,
    /// The things.
    pub things: BTreeMap<Key, Noted>,
}

impl Record {
    /// Reads the record of a lab; empty if there is none, or if it is of before the machine was
    /// started.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn load(dir: &LabDir) -> io::Result<Self> {
        let text = match fs::read(dir.journal()) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let mut record = Self::default();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            // One that has no end was never finished: what it is of was not begun.
            if line.last() == Some(&b'\n') {
                record.apply(serde_json::from_slice(line)?);
            }
        }
        if record.boot != boot() {
            record.things.clear();
        }
        Ok(record)
    }

    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Lab { file, boot } => (self.file, self.boot) = (file, boot),
            Entry::Making { key, spec, proof } => {
                let made = false;
                self.things.insert(key, Noted { spec, proof, made });
            }
            Entry::Made { key } => {
                if let Some(noted) = self.things.get_mut(&key) {
                    noted.made = true;
                }
            }
            Entry::Changing { key, spec } => {
                if let Some(noted) = self.things.get_mut(&key) {
                    noted.spec = spec;
                }
            }
            Entry::Removed { key } => drop(self.things.remove(&key)),
        }
    }

    /// How everything was to be.
    pub fn specs(&self) -> Things {
        let noted = self.things.iter();
        noted
            .map(|(key, noted)| (key.clone(), noted.spec.clone()))
            .collect()
    }

    /// Whether nothing is left of the lab.
    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }
}

/// A record that is being written.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    /// The bytes of the lines that are complete.
    len: u64,
    /// Whether something stands behind them that could not be taken back.
    is_damaged: bool,
    record: Record,
}

impl Journal {
    /// Goes on with the record of a lab, from `source` from now on; begins one if there is none.
    /// To be called by who holds the lab's lock.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub(crate) fn open(dir: &LabDir, source: Option<&Path>) -> io::Result<Self> {
        let mut record = Record::load(dir)?;
        if let Some(source) = source {
            source.clone_into(&mut record.file);
        }
        record.boot = boot();
        // What was changed many times is written down once, in a file of its own until it is
        // complete.
        let new = dir.path().join("journal.new");
        let mut text = Vec::new();
        for entry in entries(&record) {
            line(&mut text, &entry)?;
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        let mut file = options.open(&new)?;
        file.set_len(0)?;
        if let Err(error) = file.write_all(&text) {
            // Room for others: the old one is still there.
            let _ = fs::remove_file(&new);
            return Err(error);
        }
        fs::rename(&new, dir.journal())?;
        Ok(Self::of(file, text.len(), record))
    }

    /// Goes on with the record of a lab as it is, without writing it anew: for who finds no room
    /// for that. To be called by who holds the lab's lock.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub(crate) fn reopen(dir: &LabDir) -> io::Result<Self> {
        let record = Record::load(dir)?;
        let text = fs::read(dir.journal())?;
        let complete = text.iter().rposition(|byte| *byte == b'\n');
        let complete = complete.map_or(0, |last| last + 1);
        let file = OpenOptions::new().append(true).open(dir.journal())?;
        file.set_len(complete as u64)?;
        Ok(Self::of(file, complete, record))
    }

    const fn of(file: File, len: usize, record: Record) -> Self {
        Self {
            file,
            len: len as u64,
            is_damaged: false,
            record,
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// Where it cannot be written: then what it is about must not be done.
    pub(crate) fn note(&mut self, entry: Entry) -> io::Result<()> {
        let mut text = Vec::new();
        line(&mut text, &entry)?;
        if self.is_damaged {
            return Err(io::Error::other("a line before could not be completed"));
        }
        if let Err(error) = self.file.write_all(&text) {
            // Half a line would spoil the next.
            self.is_damaged = self.file.set_len(self.len).is_err();
            return Err(error);
        }
        self.len += text.len() as u64;
        self.record.apply(entry);
        Ok(())
    }

    /// What was written so far.
    pub(crate) const fn record(&self) -> &Record {
        &self.record
    }
}

fn entries(record: &Record) -> Vec<Entry> {
    let mut entries = vec![Entry::Lab {
        file: record.file.clone(),
        boot: record.boot.clone(),
    }];
    for (key, noted) in &record.things {
        entries.push(Entry::Making {
            key: key.clone(),
            spec: noted.spec.clone(),
            proof: noted.proof.clone(),
        });
        if noted.made {
            entries.push(Entry::Made { key: key.clone() });
        }
    }
    entries
}

fn line(text: &mut Vec<u8>, entry: &Entry) -> io::Result<()> {
    serde_json::to_writer(&mut *text, entry)?;
    text.push(b'\n');
    Ok(())
}

/// What tells this start of the machine from any other (random(4)).
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswitch_control::runtime_dir::RuntimeDir;

    fn lab(base: &Path) -> LabDir {
        let runtime = RuntimeDir::resolve(Some(base.to_owned()), |_| None).unwrap();
        let dir = runtime.lab(&"x".parse().unwrap());
        dir.prepare(&runtime).unwrap();
        dir
    }

    fn host(name: &str) -> Key {
        Key::Host { host: name.into() }
    }

    fn making(name: &str) -> Entry {
        Entry::Making {
            key: host(name),
            spec: Spec::Plain,
            proof: Proof::Namespace {
                inode: 1,
                cookie: Some(2),
            },
        }
    }

    #[test]
    fn what_was_noted_is_read_again_whatever_was_cut_off() {
        let base = crate::testing::directory().unwrap();
        let dir = lab(base.path());
        assert!(Record::load(&dir).unwrap().is_empty());
        let mut journal = Journal::open(&dir, Some(Path::new("/x.toml"))).unwrap();
        for entry in [
            making("mario"),
            Entry::Made { key: host("mario") },
            making("luigi"),
            making("peach"),
            Entry::Removed { key: host("peach") },
        ] {
            journal.note(entry).unwrap();
        }
        let whole = fs::read(dir.journal()).unwrap();
        fs::write(dir.journal(), [&whole[..], b"{\"making\":{\"ke"].concat()).unwrap();
        for _ in 0..2 {
            let record = Record::load(&dir).unwrap();
            assert_eq!(record.file, Path::new("/x.toml"));
            let names: Vec<_> = record.things.keys().cloned().collect();
            assert_eq!(names, [host("luigi"), host("mario")]);
            assert!(record.things[&host("mario")].made);
            assert!(!record.things[&host("luigi")].made);
            // Opening it writes it anew, without the cut line.
            Journal::open(&dir, None).unwrap();
        }
    }

    #[test]
    fn half_a_line_spoils_no_other() {
        let base = crate::testing::directory().unwrap();
        let dir = lab(base.path());
        let mut journal = Journal::open(&dir, None).unwrap();
        journal.note(making("mario")).unwrap();
        let whole = fs::read(dir.journal()).unwrap();
        fs::write(dir.journal(), [&whole[..], b"{\"making\":{\"ke"].concat()).unwrap();
        let mut journal = Journal::reopen(&dir).unwrap();
        journal.note(making("luigi")).unwrap();
        let names: Vec<_> = Record::load(&dir).unwrap().things.into_keys().collect();
        assert_eq!(names, [host("luigi"), host("mario")]);
        // Neither is one written behind what could not be taken back.
        journal.file = OpenOptions::new().append(true).open("/dev/full").unwrap();
        journal.note(making("peach")).unwrap_err();
        journal.file = tempfile::tempfile().unwrap();
        journal.note(making("yoshi")).unwrap_err();
        assert_eq!(journal.record().things.len(), 2);
    }

    #[test]
    fn a_record_of_an_earlier_start_of_the_machine_holds_nothing() {
        let base = crate::testing::directory().unwrap();
        let dir = lab(base.path());
        Journal::open(&dir, None)
            .unwrap()
            .note(making("mario"))
            .unwrap();
        let text = fs::read_to_string(dir.journal()).unwrap();
        fs::write(dir.journal(), text.replace(&boot(), "another")).unwrap();
        assert!(Record::load(&dir).unwrap().is_empty());
    }
}
