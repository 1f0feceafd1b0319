//! How much there can be at once.

use crate::doctor::{Area, Finding, Grade, Machine};

/// Open files that a port takes: its socket, and the claim on its interface.
const FILES_FOR_A_PORT: u64 = 2;
/// What a switch has open besides.
const OTHER_FILES: u64 = 128;
/// A lab that is meant to work anywhere.
const FEW_PORTS: u64 = 100;
/// A large lab.
const MANY_PORTS: u64 = 1_000;

pub(in crate::doctor) fn all(machine: &Machine) -> Vec<Finding> {
    let kinds = [
        ("net_namespaces", "network namespaces"),
        ("mnt_namespaces", "mount namespaces"),
    ];
    let namespaces = kinds.iter().filter_map(|(kind, check)| {
        let most = machine.number(&format!("user.max_{kind}"))?;
        Some(namespaces(kind, check, most))
    });
    let mut findings = vec![open_files(machine.open_files)];
    findings.extend(namespaces);
    findings
}

fn grade(room: u64) -> Grade {
    match room {
        0..FEW_PORTS => Grade::Warning,
        FEW_PORTS..MANY_PORTS => Grade::Note,
        _ => Grade::Ok,
    }
}

fn open_files(most: u64) -> Finding {
    let ports = most.saturating_sub(OTHER_FILES) / FILES_FOR_A_PORT;
    let grade = grade(ports);
    if grade == Grade::Ok {
        let found = "enough for thousands of ports";
        return Finding::new(Area::Limits, "open files", grade, found);
    }
    let found = format!("{most} for a process: room for about {ports} ports of one switch");
    Finding::new(Area::Limits, "open files", grade, found).remedy(
        "raise the hard limit: 'ulimit -Hn 65536' as root, LimitNOFILE= in a unit of systemd, or a \
         file in /etc/security/limits.d",
    )
}

fn namespaces(kind: &str, check: &'static str, most: u64) -> Finding {
    let grade = match most {
        0 => Grade::Problem,
        most => grade(most),
    };
    let found = format!("{most} at most");
    let finding = Finding::new(Area::Limits, check, grade, found);
    match grade {
        Grade::Ok => finding,
        _ => finding.remedy(format!("'sysctl -w user.max_{kind}=10000' as root")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::the;
    use crate::doctor::machine::made_up::with;

    #[test]
    fn room_for_ports_is_told() {
        assert_eq!(open_files(u64::MAX).grade, Grade::Ok);
        assert_eq!(open_files(524_288).grade, Grade::Ok);
        let few = open_files(1_024);
        assert_eq!(few.grade, Grade::Note);
        assert!(few.found.contains("448 ports"), "{few:?}");
        assert_eq!(open_files(64).grade, Grade::Warning);
    }

    #[test]
    fn a_limit_of_namespaces_is_told() {
        let told = |value: &str| {
            let (_dir, machine) = with(&[("/proc/sys/user/max_net_namespaces", value)]);
            the(&all(&machine), "network namespaces").grade
        };
        assert_eq!(told("63000"), Grade::Ok);
        assert_eq!(told("200"), Grade::Note);
        assert_eq!(told("20"), Grade::Warning);
        assert_eq!(told("0"), Grade::Problem);
    }
}
