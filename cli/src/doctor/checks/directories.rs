//! Where things are kept.

use crate::doctor::{Area, Finding, Grade, Living, Machine};
use vswitch_control::runtime_dir::{RuntimeDir, RuntimeDirError};

pub(in crate::doctor) fn all(
    machine: &Machine,
    runtime: &Result<RuntimeDir, RuntimeDirError>,
    living: &Living,
) -> Vec<Finding> {
    let mut findings = vec![runtime_dir(runtime, living)];
    findings.extend(user_runtime_dir(machine));
    findings
}

fn finding(check: &'static str, grade: Grade, found: impl Into<String>) -> Finding {
    Finding::new(Area::Directories, check, grade, found)
}

fn runtime_dir(runtime: &Result<RuntimeDir, RuntimeDirError>, living: &Living) -> Finding {
    const CHECK: &str = "runtime directory";
    let usable = runtime.as_ref().map(|dir| (dir, dir.examine()));
    match usable {
        Ok((dir, Ok(()))) => {
            let switches = living.switches.len();
            let running = match switches {
                0 => "no switch runs".to_owned(),
                1 => "one switch runs".to_owned(),
                some => format!("{some} switches run"),
            };
            finding(
                CHECK,
                Grade::Ok,
                format!("{}: {running}", dir.path().display()),
            )
        }
        // Its sentence says what to do.
        Ok((_, Err(error))) => finding(CHECK, Grade::Problem, error.to_string()),
        Err(error) => finding(CHECK, Grade::Problem, error.to_string()),
    }
}

fn user_runtime_dir(machine: &Machine) -> Option<Finding> {
    const CHECK: &str = "XDG_RUNTIME_DIR";
    if machine.user == 0 {
        return None;
    }
    let Some(path) = &machine.user_runtime_dir else {
        let found =
            "not set, as in many containers and after 'su': /tmp/vswitch-UID is used instead";
        return Some(finding(CHECK, Grade::Note, found).remedy(
            "none needed; a login session (ssh, or 'machinectl shell') has a directory that ends with it",
        ));
    };
    Some(if path.is_dir() {
        finding(CHECK, Grade::Ok, path.display().to_string())
    } else {
        finding(
            CHECK,
            Grade::Warning,
            format!("{} is not a directory", path.display()),
        )
        .remedy("log in again, or set VSWITCH_RUNTIME_DIR to a directory of your own")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::the;
    use crate::doctor::machine::made_up::with;
    use std::path::{Path, PathBuf};

    fn examine(dir: &Path, user: u32, xdg: Option<&Path>) -> Vec<Finding> {
        let (_dir, mut machine) = with(&[]);
        machine.user = user;
        machine.user_runtime_dir = xdg.map(PathBuf::from);
        let runtime = RuntimeDir::resolve(Some(dir.to_owned()), |_| None);
        all(&machine, &runtime, &Living::default())
    }

    #[test]
    fn a_directory_that_can_be_made_is_fine() {
        let base = crate::testing::directory().unwrap();
        let found = examine(&base.path().join("a/b"), 0, None);
        assert_eq!(the(&found, "runtime directory").grade, Grade::Ok);
        assert!(!base.path().join("a").exists(), "nothing is made");
        assert_eq!(found.len(), 1, "{found:#?}");
    }

    #[test]
    fn one_that_cannot_is_a_problem() {
        let base = crate::testing::directory().unwrap();
        let file = base.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            let found = examine(&path, 0, None);
            let finding = the(&found, "runtime directory");
            assert_eq!(finding.grade, Grade::Problem);
            // What is in the way is named, which may be above it.
            let named = finding.found.contains(file.to_str().unwrap());
            assert!(named, "{finding:?}");
        }
    }

    #[test]
    fn an_ordinary_user_has_a_directory_of_the_session() {
        let base = crate::testing::directory().unwrap();
        let grade = |xdg| the(&examine(base.path(), 1000, xdg), "XDG_RUNTIME_DIR").grade;
        assert_eq!(grade(None), Grade::Note);
        assert_eq!(grade(Some(base.path())), Grade::Ok);
        assert_eq!(grade(Some(Path::new("/nonexistent"))), Grade::Warning);
    }
}
