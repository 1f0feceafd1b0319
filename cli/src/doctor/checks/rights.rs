//! What this process may do.

use crate::doctor::trials::{Inside, Trials};
use crate::doctor::{Area, Finding, Grade, Machine};

/// Settings that forbid user namespaces: the sysctl, what forbids, what allows, and what it is.
const SETTINGS: [(&str, &str, &str); 3] = [
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "10000"),
];

pub(in crate::doctor) fn all(machine: &Machine, trials: &Trials) -> Vec<Finding> {
    let mut findings = vec![
        capabilities(machine, &trials.user),
        user_namespaces(machine, &trials.user),
    ];
    findings.extend(trials.own.as_ref().and_then(own_namespaces));
    findings.extend(container(machine));
    findings
}

fn finding(check: &'static str, grade: Grade, found: impl Into<String>) -> Finding {
    Finding::new(Area::Rights, check, grade, found)
}

fn capabilities(machine: &Machine, in_user_namespace: &Inside) -> Finding {
    const CHECK: &str = "capabilities";
    let missing = machine.missing();
    if missing.is_empty() {
        let found = "CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN are held";
        return finding(CHECK, Grade::Ok, found);
    }
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let found = format!("user {} has no {}", machine.user, names.join(", no "));
    if in_user_namespace.namespaces.is_ok() {
        let found = format!("{found}: labs are made inside a user namespace of your own");
        return finding(CHECK, Grade::Note, found).remedy(
            "none needed; with 'sudo vswitch ...' labs can have the host's interfaces too",
        );
    }
    let remedy = if machine.user == 0 {
        "start the container with these rights (--cap-add NET_ADMIN --cap-add NET_RAW --cap-add SYS_ADMIN)"
    } else {
        "use 'sudo vswitch ...', or allow user namespaces"
    };
    finding(CHECK, Grade::Problem, found).remedy(remedy)
}

fn user_namespaces(machine: &Machine, inside: &Inside) -> Finding {
    const CHECK: &str = "user namespaces";
    let Err(reason) = &inside.namespaces else {
        let found = "can be made, so that labs work without root";
        return finding(CHECK, Grade::Ok, found);
    };
    // Root with all rights needs none.
    let grade = if machine.may_make_labs() {
        Grade::Note
    } else {
        Grade::Warning
    };
    let forbids =
        |(name, forbids, _): &(&str, &str, &str)| machine.sysctl(name).as_deref() == Some(*forbids);
    let Some((name, value, remedy)) = SETTINGS.into_iter().find(forbids) else {
        return finding(CHECK, grade, reason.clone()).remedy(
            "in a container: start it with more rights (--security-opt seccomp=unconfined, or \
             --privileged)",
        );
    };
    let found = format!("cannot be made: {name} is {value}");
    let remedy =
        format!("'sysctl -w {name}={remedy}' as root, and a file in /etc/sysctl.d to keep it");
    finding(CHECK, grade, found).remedy(remedy)
}

/// Capabilities that turn out to be worth nothing.
fn own_namespaces(inside: &Inside) -> Option<Finding> {
    let reason = inside.namespaces.as_ref().err()?;
    let found = format!("the capabilities are held, and yet: {reason}");
    Some(finding("namespaces", Grade::Problem, found).remedy(
        "in a container: start it without its seccomp filter (--security-opt \
             seccomp=unconfined) or with --privileged",
    ))
}

fn container(machine: &Machine) -> Option<Finding> {
    let container = machine.container()?;
    let mut found = format!(
        "this is a container ({})",
        vswitch_control::plain::text(&container)
    );
    if machine.status("Seccomp").as_deref() == Some("2") {
        found.push_str(" with a filter on system calls (seccomp)");
    }
    if machine.is_read_only("/sys") {
        found.push_str(", /sys is read-only");
    }
    Some(
        finding("container", Grade::Note, found).remedy(
            "if something below is refused, it is the container's doing: see docs/install.md",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::the;
    use crate::doctor::machine::made_up::{ALL_RIGHTS, NO_RIGHTS, with};

    fn inside(namespaces: Result<(), &str>) -> Inside {
        Inside {
            namespaces: namespaces.map_err(str::to_owned),
            steps: Vec::new(),
        }
    }

    fn examine(files: &[(&str, &str)], user: u32, inside: Inside) -> Vec<Finding> {
        let (_dir, mut machine) = with(files);
        machine.user = user;
        let own = None;
        all(&machine, &Trials { own, user: inside })
    }

    #[test]
    fn root_has_all_it_needs() {
        let found = examine(&[ALL_RIGHTS], 0, inside(Ok(())));
        assert!(found.iter().all(|f| f.grade == Grade::Ok), "{found:#?}");
        let found = examine(&[ALL_RIGHTS], 0, inside(Err("no")));
        assert_eq!(the(&found, "user namespaces").grade, Grade::Note);
    }

    #[test]
    fn an_ordinary_user_needs_user_namespaces() {
        let found = examine(&[NO_RIGHTS], 1000, inside(Ok(())));
        assert_eq!(the(&found, "capabilities").grade, Grade::Note);
        let found = examine(&[NO_RIGHTS], 1000, inside(Err("EPERM")));
        let capabilities = the(&found, "capabilities");
        assert_eq!(capabilities.grade, Grade::Problem);
        assert!(capabilities.remedy.as_ref().unwrap().contains("sudo"));
        let told = &the(&found, "user namespaces").found;
        assert!(told.contains("EPERM"), "{told}");
    }

    #[test]
    fn what_forbids_user_namespaces_is_named_with_what_allows_them() {
        for (name, forbids, allows) in SETTINGS {
            let path = format!("/proc/sys/{}", name.replace('.', "/"));
            let value = format!("{forbids}\n");
            let found = examine(&[NO_RIGHTS, (&path, &value)], 1000, inside(Err("EPERM")));
            let remedy = the(&found, "user namespaces").remedy.clone().unwrap();
            assert!(remedy.contains(&format!("{name}={allows}")), "{remedy}");
        }
    }

    #[test]
    fn a_container_is_told() {
        let files = [NO_RIGHTS, ("/.dockerenv", "")];
        let found = examine(&files, 0, inside(Err("EPERM")));
        let told = &the(&found, "container").found;
        assert!(
            told.contains("docker") && told.contains("seccomp"),
            "{told}"
        );
        let remedy = the(&found, "capabilities").remedy.clone().unwrap();
        assert!(remedy.contains("--cap-add"), "{remedy}");
    }

    #[test]
    fn rights_that_are_worth_nothing_are_a_problem() {
        let (_dir, machine) = with(&[ALL_RIGHTS]);
        let trials = Trials {
            own: Some(inside(Err("EPERM"))),
            user: inside(Err("EPERM")),
        };
        let found = all(&machine, &trials);
        assert_eq!(the(&found, "namespaces").grade, Grade::Problem);
    }
}
