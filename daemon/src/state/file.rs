//! The file in which a switch's state is kept, and the last good version beside it.
//!
//! Theory of operation. A new version is written to a file of its own and forced to disk before it
//! takes the place of the one before, which becomes the last good one; the directory is forced to
//! disk at last. So at every moment there is a whole version of what was acknowledged. A version
//! begins with a line that says what it is, and has a checksum over the rest.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Saved, grants};
use vswitch_control::lock_file::remove_if_there;
use vswitch_control::names::SwitchName;

/// The version that counts.
const PRESENT: &str = "state";
/// The one before.
const LAST_GOOD: &str = "state.old";
/// One that is being written.
const COMING: &str = "state.new";

/// What the first line says that this is.
const KIND: &str = "vswitch state";
/// The format that is written.
const FORMAT: u32 = 2;
/// The oldest that is read: in it limits of ports have other names.
const OLDEST: u32 = 1;
/// No state is longer: that of 4,095 ports and as many static stations has two megabytes.
const MAX_BYTES: u64 = 64 << 20;

/// The first line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    kind: String,
    format: u32,
    crc32c: String,
}

/// Why a state cannot be kept or recalled.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be written.
    #[error(
        "cannot keep the state of the switch in {}: {source}; nothing was changed",
        path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read the state of the switch in {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what this program has written.
    #[error("cannot use the saved state of the switch in {}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// There is a state, and no version of it is good.
    #[error(
        "{present}, and so is the version before it ({last}): 'vswitch run {name} --fresh' begins \
         without it, 'vswitch stop {name}' removes it"
    )]
    Lost {
        /// The switch.
        name: String,
        /// What is wrong with the present version.
        present: String,
        /// What is wrong with the last good one.
        last: String,
    },
}

/// A state that was kept.
#[derive(Debug)]
pub(crate) struct Recalled {
    /// The state.
    pub(crate) saved: Saved,
    /// Why it is not the latest, or not all of it, where that is so.
    pub(crate) warnings: Vec<String>,
}

/// Where a living switch keeps its state.
#[derive(Debug)]
pub(crate) struct StateFile {
    dir: PathBuf,
    /// What is there, so that nothing is written twice.
    written: Option<Vec<u8>>,
}

impl StateFile {
    /// In the directory of the switch.
    pub(crate) const fn new(dir: PathBuf) -> Self {
        Self { dir, written: None }
    }

    /// Keeps this: when it returns, it is on disk.
    ///
    /// # Errors
    /// [`StateError::Write`]; what was kept before is still.
    pub(crate) fn keep(&mut self, saved: &Saved) -> Result<(), StateError> {
        let bytes = encode(saved).map_err(|source| self.write_error(source))?;
        if self.written.as_ref() == Some(&bytes) {
            return Ok(());
        }
        // Whatever comes of it, what is there is written anew the next time.
        self.written = None;
        if let Err(error) = self.replace(&bytes) {
            // It may fill a disk that has no room.
            let _ = remove_if_there(&self.dir.join(COMING));
            return Err(self.write_error(error));
        }
        self.written = Some(bytes);
        Ok(())
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let path = |name| self.dir.join(name);
        let directory = File::open(&self.dir)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path(COMING))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        match fs::rename(path(PRESENT), path(LAST_GOOD)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(path(COMING), path(PRESENT))?;
        directory.sync_all()
    }

    fn write_error(&self, source: io::Error) -> StateError {
        let path = self.dir.join(PRESENT);
        StateError::Write { path, source }
    }
}

/// What the switch `name` has kept in its directory, as far as it was given that; none where it has
/// kept nothing.
///
/// # Errors
/// [`StateError::Lost`] where there is something, and no version of it is good.
pub(crate) fn recall(dir: &Path, name: &SwitchName) -> Result<Option<Recalled>, StateError> {
    let mut found = newest(dir, name)?;
    if let Some(found) = &mut found {
        let untrue = grants::confirm(dir, &mut found.saved.options);
        found.warnings.extend(untrue);
    }
    Ok(found)
}

/// The newest version that is good.
fn newest(dir: &Path, name: &SwitchName) -> Result<Option<Recalled>, StateError> {
    let wrong = match read(&dir.join(PRESENT), name) {
        Ok(Some(saved)) => {
            let warnings = Vec::new();
            return Ok(Some(Recalled { saved, warnings }));
        }
        Ok(None) => None,
        Err(error) => Some(error.to_string()),
    };
    match (read(&dir.join(LAST_GOOD), name), wrong) {
        (Ok(None), None) => Ok(None),
        (Ok(Some(saved)), wrong) => {
            let wrong = wrong.map(|wrong| format!("{wrong}: the version before it is used"));
            let warnings = wrong.into_iter().collect();
            Ok(Some(Recalled { saved, warnings }))
        }
        (last, wrong) => Err(StateError::Lost {
            name: name.to_string(),
            present: wrong.unwrap_or_else(|| {
                format!("the state of the switch in {} is missing", dir.display())
            }),
            last: match last {
                Err(error) => error.to_string(),
                Ok(_) => "there is none".to_owned(),
            },
        }),
    }
}

/// Removes what was kept in this directory.
///
/// # Errors
/// What the system says.
pub(crate) fn discard(dir: &Path) -> io::Result<()> {
    for name in [COMING, PRESENT, LAST_GOOD, grants::LINK] {
        remove_if_there(&dir.join(name))?;
    }
    Ok(())
}

/// Whether something is kept in this directory, good or not.
pub(crate) fn is_kept(dir: &Path) -> bool {
    let is_there = |name| dir.join(name).symlink_metadata().is_ok();
    is_there(PRESENT) || is_there(LAST_GOOD)
}

pub(super) fn encode(saved: &Saved) -> io::Result<Vec<u8>> {
    let mut body = serde_json::to_vec(saved)?;
    body.push(b'\n');
    with_header(&body)
}

/// What belongs before a body, and the body.
pub(super) fn with_header(body: &[u8]) -> io::Result<Vec<u8>> {
    let header = Header {
        kind: KIND.to_owned(),
        format: FORMAT,
        crc32c: format!("{:08x}", crc32c::crc32c(body)),
    };
    let mut bytes = serde_json::to_vec(&header)?;
    bytes.push(b'\n');
    bytes.extend(body);
    Ok(bytes)
}

fn read(path: &Path, name: &SwitchName) -> Result<Option<Saved>, StateError> {
    let bytes = match read_bytes(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let path = path.to_owned();
            return Err(StateError::Read { path, source });
        }
    };
    let saved = decode(&bytes).and_then(|saved| {
        if saved.name == name.as_str() {
            return Ok(saved);
        }
        Err(format!(
            "it is that of a switch '{}'",
            vswitch_control::plain::text(&saved.name)
        ))
    });
    saved.map(Some).map_err(|why| StateError::Damaged {
        path: path.to_owned(),
        why,
    })
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new()
        .read(true)
        // A pipe in its place does not hold us up.
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The state in these bytes, or what is wrong with them.
pub(crate) fn decode(bytes: &[u8]) -> Result<Saved, String> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (first, body) = bytes.split_at(end.map_or(0, |end| end + 1));
    let header: Header =
        serde_json::from_slice(first).map_err(|_| "it is not one that vswitch wrote".to_owned())?;
    if header.kind != KIND {
        return Err("it is not one that vswitch wrote".to_owned());
    }
    if !(OLDEST..=FORMAT).contains(&header.format) {
        return Err(format!(
            "its format is {} and this version of vswitch reads {OLDEST} to {FORMAT}",
            header.format
        ));
    }
    if header.crc32c != format!("{:08x}", crc32c::crc32c(body)) {
        return Err("its checksum is wrong: it was not written to its end, or was changed".into());
    }
    serde_json::from_slice(body).map_err(|error| format!("it cannot be understood: {error}"))
}

#[cfg(test)]
mod tests {
    use super::super::{SavedPort, SavedStation};
    use super::*;
    use crate::lab::{SavedCable, SavedKind};
    use vswitch_control::settings::PortSettings;

    fn name() -> SwitchName {
        "s".parse().unwrap()
    }

    fn saved(ports: u16) -> Saved {
        Saved {
            name: "s".to_owned(),
            options: serde_json::from_str(r#"{"ageing_s":60,"subnet":"10.0.0.0/24"}"#).unwrap(),
            ports: (1..=ports)
                .map(|id| SavedPort {
                    id,
                    name: format!("p{id}"),
                    interface: format!("p{id}"),
                    ifindex: 7,
                    kind: SavedKind::Cable(SavedCable {
                        namespace: "mario".to_owned(),
                        peer: "mario-netns".to_owned(),
                        addresses: vec!["10.0.0.1/24".parse().unwrap()],
                        former: None,
                        home: None,
                        source: None,
                    }),
                    settings: PortSettings::default(),
                })
                .collect(),
            stations: vec![SavedStation {
                vlan: 0,
                mac: "02:00:00:00:00:01".to_owned(),
                port: "p1".to_owned(),
            }],
        }
    }

    #[test]
    fn what_is_kept_is_recalled() {
        let dir = crate::testing::directory().unwrap();
        assert!(recall(dir.path(), &name()).unwrap().is_none());
        let mut file = StateFile::new(dir.path().to_owned());
        for ports in [1, 3, 2] {
            file.keep(&saved(ports)).unwrap();
            let recalled = recall(dir.path(), &name()).unwrap().unwrap();
            assert_eq!(recalled.saved, saved(ports));
            assert_eq!(recalled.warnings, Vec::<String>::new());
        }
        discard(dir.path()).unwrap();
        assert!(!is_kept(dir.path()));
    }

    #[test]
    fn wherever_it_was_cut_off_or_changed_the_one_before_is_used() {
        let dir = crate::testing::directory().unwrap();
        let mut file = StateFile::new(dir.path().to_owned());
        file.keep(&saved(1)).unwrap();
        file.keep(&saved(2)).unwrap();
        let path = dir.path().join(PRESENT);
        let whole = fs::read(&path).unwrap();
        for index in 0..whole.len() {
            let mut changed = whole.clone();
            changed[index] ^= 1;
            for bytes in [&whole[..index], &changed] {
                fs::write(&path, bytes).unwrap();
                let recalled = recall(dir.path(), &name()).unwrap().unwrap();
                assert_eq!(recalled.saved, saved(1), "{index}");
                let [warning] = recalled.warnings.try_into().unwrap();
                assert!(warning.contains("cannot use the saved state"), "{warning}");
            }
        }
        // Killed between the two renamings.
        fs::remove_file(&path).unwrap();
        let recalled = recall(dir.path(), &name()).unwrap().unwrap();
        assert_eq!((recalled.saved, recalled.warnings), (saved(1), Vec::new()));
        fs::write(dir.path().join(LAST_GOOD), "torn").unwrap();
        let error = recall(dir.path(), &name()).unwrap_err().to_string();
        assert!(error.contains("run s --fresh"), "{error}");
    }

    #[test]
    fn the_state_of_another_is_none_of_ours() {
        let dir = crate::testing::directory().unwrap();
        let mut file = StateFile::new(dir.path().to_owned());
        file.keep(&saved(1)).unwrap();
        let error = recall(dir.path(), &"other".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("a switch 's'"), "{error}");
        let path = dir.path().join(PRESENT);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"format\":2", "\"format\":9")).unwrap();
        let error = recall(dir.path(), &name()).unwrap_err().to_string();
        assert!(error.contains("its format is 9"), "{error}");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(recall(dir.path(), &name()).is_err());
    }

    #[test]
    fn a_full_disk_leaves_what_was_kept() {
        let dir = crate::testing::directory().unwrap();
        let mut file = StateFile::new(dir.path().to_owned());
        file.keep(&saved(1)).unwrap();
        // Nothing can be written to it, as on a full disk.
        std::os::unix::fs::symlink("/dev/full", dir.path().join(COMING)).unwrap();
        let error = file.keep(&saved(2)).unwrap_err().to_string();
        assert!(error.contains("nothing was changed"), "{error}");
        let recalled = recall(dir.path(), &name()).unwrap().unwrap();
        assert_eq!(recalled.saved, saved(1));
        file.keep(&saved(2)).unwrap();
    }

    #[test]
    fn the_first_format_is_read_and_a_later_one_is_not() {
        let body = br#"{"name":"s","options":{"ageing_s":60,"max_macs":null,"subnet":"10.0.0.0/24",
            "receive":"socket","lab":"my_lab","group":104,"metrics":null,"guard":"auto",
            "protection":{"broadcast_limit":0,"loop_guard":false}},"ports":[{"id":1,"name":"a",
            "interface":"a","ifindex":7,"kind":{"cable":{"namespace":"n","peer":"b","addresses":[]}},
            "settings":{"max_stations":5,"broadcast":null,"multicast":0,"unknown_unicast":null}}],
            "stations":[]}"#;
        let of_format = |format: u32| {
            let whole = String::from_utf8(with_header(body).unwrap()).unwrap();
            let present = format!("\"format\":{FORMAT}");
            whole.replacen(&present, &format!("\"format\":{format}"), 1)
        };
        let saved = decode(of_format(1).as_bytes()).unwrap();
        assert_eq!(saved.options.lab().unwrap().as_str(), "my_lab");
        assert_eq!(saved.options.settings.ageing_s(), 60);
        assert_eq!(saved.options.settings.bridge().port_limits.broadcast, 0);
        let bounds = saved.ports[0].settings.bounds();
        assert_eq!((bounds.max_stations, bounds.multicast), (Some(5), Some(0)));
        assert_eq!((bounds.broadcast, bounds.unknown_unicast), (None, None));
        assert_eq!(decode(&encode(&saved).unwrap()), Ok(saved));
        let later = decode(of_format(FORMAT + 1).as_bytes()).unwrap_err();
        assert!(later.contains("reads 1 to 2"), "{later}");
    }
}
