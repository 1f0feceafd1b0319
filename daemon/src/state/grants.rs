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

use super::Options;
use vswitch_control::lock_file::remove_if_there;
use vswitch_control::settings::{Schema, Setting, SwitchSettings};

/// The link in the directory of the switch.
pub(super) const LINK: &str = "given";

fn granted() -> impl Iterator<Item = &'static Setting> {
    SwitchSettings::ALL.iter().filter(|setting| setting.granted)
}

/// Writes down what a switch is given, in its directory.
///
/// # Errors
/// What the system says.
pub(crate) fn write_down(dir: &Path, settings: &SwitchSettings) -> io::Result<()> {
    let mut given = SwitchSettings::default();
    for setting in granted() {
        given.copy(setting, settings);
    }
    let link = dir.join(LINK);
    remove_if_there(&link)?;
    symlink(serde_json::to_string(&given)?, link)
}

/// Takes out of a state what its switch was not given; says what that was.
pub(super) fn confirm(dir: &Path, options: &mut Options) -> Option<String> {
    let settings = &mut options.settings;
    let link = read(dir);
    if let Some(link) = &link {
        settings.guard = link.guard;
    }
    let mut given = link.unwrap_or_default();
    // It cannot give an attacker anything: `off` is never recalled.
    given.guard = settings.guard;
    let mut missing = Vec::new();
    for setting in granted() {
        let kept = settings.text(setting);
        if kept.is_some() && kept != given.text(setting) {
            settings.copy(setting, &SwitchSettings::default());
            missing.push(format!("--{}", setting.flag()));
        }
    }
    // The order of the message is that of the alphabet.
    missing.sort();
    (!missing.is_empty()).then(|| {
        format!(
            "the state of the switch in {} has a value of {} that the switch was not started with, and which is \
             not used: give the option again",
            dir.display(),
            missing.join(" and of ")
        )
    })
}

fn read(dir: &Path) -> Option<SwitchSettings> {
    let target = fs::read_link(dir.join(LINK)).ok()?;
    serde_json::from_slice(target.as_os_str().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswitch_control::settings::{Group, GuardMode};

    fn given() -> Options {
        let text = r#"{"group":4242,"metrics":"unix:/run/m.sock","guard":"required"}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_was_given_comes_back() {
        let dir = crate::testing::directory().unwrap();
        write_down(dir.path(), &given().settings).unwrap();
        let mut options = given();
        assert_eq!(confirm(dir.path(), &mut options), None);
        assert_eq!(options, given());
        // Another start replaces it.
        write_down(dir.path(), &SwitchSettings::default()).unwrap();
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
        assert_eq!(options.settings.metrics, None);
        assert_eq!(options.group(), None);

        write_down(dir.path(), &given().settings).unwrap();
        let mut options = given();
        options.settings.group = Some(Group(1));
        options.settings.guard = Some(GuardMode::Auto);
        let told = confirm(dir.path(), &mut options).unwrap();
        assert!(!told.contains("--metrics"), "{told}");
        assert_eq!(options.group(), None);
        assert_eq!(options.settings.guard, Some(GuardMode::Required));

        // A file, which a switch can write, is no link.
        fs::remove_file(dir.path().join(LINK)).unwrap();
        fs::write(dir.path().join(LINK), r#"{"group":1}"#).unwrap();
        let mut options = given();
        assert!(confirm(dir.path(), &mut options).is_some());
    }
}
