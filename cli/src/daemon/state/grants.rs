//! What a switch was given when it was started, kept where its own process cannot write.
//!
//! Theory of operation. The next switch of a name takes over what the one before has kept, before it gives its
//! rights up. An attacker who has taken over a switch's process can write its state, and might so give the
//! switch to a group of theirs, or have a socket made and removed anywhere. So the group, the address of
//! metrics and `--guard` of a state count only as far as they are in the target of a symbolic link beside it. The
//! link is made before the switch gives up its rights: neither its list of system calls nor its list of paths
//! lets it make another one. It can remove it, and then the next switch has less than this one.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Options;
use crate::daemon::GuardMode;
use crate::lock_file::remove_if_there;

/// The link in the directory of the switch.
pub(super) const LINK: &str = "given";

/// What was given.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Grants {
    #[serde(default)]
    group: Option<u32>,
    #[serde(default)]
    metrics: Option<String>,
    #[serde(default)]
    guard: Option<GuardMode>,
}

/// Writes down what a switch is given, in its directory.
///
/// # Errors
/// What the system says.
pub(crate) fn write_down(dir: &Path, options: &Options) -> io::Result<()> {
    let grants = Grants {
        group: options.group,
        metrics: options.metrics.clone(),
        guard: options.guard,
    };
    let link = dir.join(LINK);
    remove_if_there(&link)?;
    symlink(serde_json::to_string(&grants)?, link)
}

/// Takes out of a state what its switch was not given; says what that was.
pub(super) fn confirm(dir: &Path, options: &mut Options) -> Option<String> {
    let link = read(dir);
    if let Some(link) = &link {
        options.guard = link.guard;
    }
    let given = link.unwrap_or_default();
    let mut missing = Vec::new();
    if options.group != given.group && options.group.take().is_some() {
        missing.push("--group");
    }
    if options.metrics != given.metrics && options.metrics.take().is_some() {
        missing.push("--metrics");
    }
    (!missing.is_empty()).then(|| {
        format!(
            "the state of the switch in {} has a value of {} that the switch was not started with, and which is \
             not used: give the option again",
            dir.display(),
            missing.join(" and of ")
        )
    })
}

fn read(dir: &Path) -> Option<Grants> {
    let target = fs::read_link(dir.join(LINK)).ok()?;
    serde_json::from_slice(target.as_os_str().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> Options {
        Options {
            group: Some(4242),
            metrics: Some("unix:/run/m.sock".to_owned()),
            guard: Some(GuardMode::Required),
            ..Options::default()
        }
    }

    #[test]
    fn what_was_given_comes_back() {
        let dir = crate::testing::directory().unwrap();
        write_down(dir.path(), &given()).unwrap();
        let mut options = given();
        assert_eq!(confirm(dir.path(), &mut options), None);
        assert_eq!(options, given());
        // Another start replaces it.
        write_down(dir.path(), &Options::default()).unwrap();
        let mut options = given();
        assert!(confirm(dir.path(), &mut options).is_some());
        assert_eq!(options, Options::default());
    }

    #[test]
    fn what_was_not_given_is_taken_out() {
        let dir = crate::testing::directory().unwrap();
        let mut options = given();
        let told = confirm(dir.path(), &mut options).unwrap();
        assert!(told.contains("--group and of --metrics"), "{told}");
        assert_eq!((options.group, options.metrics), (None, None));

        write_down(dir.path(), &given()).unwrap();
        let mut options = Options {
            group: Some(1),
            guard: Some(GuardMode::Auto),
            ..given()
        };
        let told = confirm(dir.path(), &mut options).unwrap();
        assert!(!told.contains("--metrics"), "{told}");
        assert_eq!(options.group, None);
        assert_eq!(options.guard, Some(GuardMode::Required));

        // A file, which a switch can write, is no link.
        fs::remove_file(dir.path().join(LINK)).unwrap();
        fs::write(dir.path().join(LINK), r#"{"group":1}"#).unwrap();
        let mut options = given();
        assert!(confirm(dir.path(), &mut options).is_some());
    }
}
