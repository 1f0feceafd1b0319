//! What the kernel can do.

use crate::doctor::trials::{Inside, Step, Trials};
use crate::doctor::{Area, Finding, Grade, Machine};

/// The first kernel in which a packet socket can leave out its own frames
/// (`PACKET_IGNORE_OUTGOING`).
const OLDEST: (u32, u32) = (4, 20);
/// The first one in which segmentation of UDP can be passed on.
const WITH_UDP_SEGMENTATION: (u32, u32) = (6, 2);

/// What is told of one trial.
struct Meaning {
    check: &'static str,
    works: &'static str,
    /// How bad it is where it does not.
    grade: Grade,
    /// What follows from it.
    consequence: &'static str,
    remedy: &'static str,
}

pub(in crate::doctor) fn all(machine: &Machine, trials: &Trials) -> Vec<Finding> {
    let mut findings = vec![version(machine)];
    let best = trials.best();
    if best.namespaces.is_err() {
        let found = "not tried: there are no namespaces to try it in";
        findings.push(Finding::new(Area::Kernel, "trials", Grade::Note, found));
    }
    findings.extend(tried(best));
    findings
}

fn version(machine: &Machine) -> Finding {
    let release = &machine.release;
    let (grade, found) = match machine.version() {
        (0, _) => (Grade::Note, "its version is unknown".to_owned()),
        version if version < OLDEST => (
            Grade::Problem,
            format!("Linux {release} is too old: switches need 4.20 or later"),
        ),
        version if version < WITH_UDP_SEGMENTATION => (
            Grade::Note,
            format!(
                "Linux {release}; UDP segmentation is switched off in attached namespaces, because \
                 it can be passed on only since Linux 6.2"
            ),
        ),
        _ => (Grade::Ok, format!("Linux {release}")),
    };
    let finding = Finding::new(Area::Kernel, "version", grade, found);
    match grade {
        Grade::Problem => finding.remedy("install a later kernel"),
        _ => finding,
    }
}

fn tried(inside: &Inside) -> impl Iterator<Item = Finding> {
    inside.steps.iter().map(|(step, outcome)| {
        let meaning = meaning(*step);
        let finding =
            |grade, found: String| Finding::new(Area::Kernel, meaning.check, grade, found);
        match outcome {
            Ok(()) => finding(Grade::Ok, meaning.works.to_owned()),
            Err(reason) => {
                let found = format!("{}: {reason}", meaning.consequence);
                finding(meaning.grade, found).remedy(meaning.remedy)
            }
        }
    })
}

const fn of(
    check: &'static str,
    works: &'static str,
    grade: Grade,
    consequence: &'static str,
    remedy: &'static str,
) -> Meaning {
    Meaning {
        check,
        works,
        grade,
        consequence,
        remedy,
    }
}

fn meaning(step: Step) -> Meaning {
    match step {
        Step::NamedNamespaces => of(
            "named namespaces",
            "can be mounted on /run/netns",
            Grade::Problem,
            "namespaces cannot have names",
            "in a container: allow mounts (--cap-add SYS_ADMIN, --security-opt apparmor=unconfined)",
        ),
        Step::Veth => of(
            "veth pairs",
            "can be made",
            Grade::Problem,
            "no namespace can be attached",
            "'modprobe veth', or a kernel with CONFIG_VETH",
        ),
        Step::PacketSocket => of(
            "packet sockets",
            "can be opened",
            Grade::Problem,
            "no interface can be a port",
            "'modprobe af_packet', or a kernel with CONFIG_PACKET; in a container: --cap-add NET_RAW",
        ),
        Step::Ring => of(
            "mapped rings",
            "can be mapped: frames are received in the fastest way",
            Grade::Warning,
            "frames are received through the socket's queue, which is slower",
            "a kernel with CONFIG_PACKET_MMAP; with little memory, fewer ports",
        ),
        Step::Settings => of(
            "interface settings",
            "can be written",
            Grade::Warning,
            "IPv6 stays on at the switch-side ends, so the host can send packets into the lab",
            "in a container: mount /proc/sys writable (--privileged, or --security-opt \
             systempaths=unconfined)",
        ),
        Step::Classifier => of(
            "ingress classifier",
            "keeps the host's own stack out of the ports",
            Grade::Warning,
            "the host's stack receives the frames of the ports too, which costs time",
            "'modprobe -a sch_ingress cls_bpf', or a kernel with CONFIG_NET_SCH_INGRESS and \
             CONFIG_NET_CLS_BPF",
        ),
        Step::Tap => of(
            "TAP devices",
            "can be made",
            Grade::Note,
            "virtual machines and programs cannot be plugged in by TAP; everything else works",
            "'modprobe tun', and a /dev/net/tun that you may open; in a container: --device \
             /dev/net/tun",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::the;
    use crate::doctor::machine::made_up::with;

    const STEPS: [Step; 7] = [
        Step::NamedNamespaces,
        Step::Veth,
        Step::PacketSocket,
        Step::Ring,
        Step::Classifier,
        Step::Settings,
        Step::Tap,
    ];

    fn tried_all(outcome: &Result<(), String>) -> Inside {
        Inside {
            namespaces: Ok(()),
            steps: STEPS.iter().map(|step| (*step, outcome.clone())).collect(),
        }
    }

    fn version_of(release: &str) -> Grade {
        let (_dir, mut machine) = with(&[]);
        release.clone_into(&mut machine.release);
        version(&machine).grade
    }

    #[test]
    fn old_kernels_are_told() {
        assert_eq!(version_of("4.19.300"), Grade::Problem);
        assert_eq!(version_of("4.20.1-arch1"), Grade::Note);
        assert_eq!(version_of("5.15.0-91-generic"), Grade::Note);
        assert_eq!(version_of("6.2.0"), Grade::Ok);
        assert_eq!(version_of("odd"), Grade::Note);
    }

    #[test]
    fn whatever_fails_is_told_with_its_reason_and_a_remedy() {
        let failed: Vec<_> = tried(&tried_all(&Err("a reason".into()))).collect();
        assert_eq!(failed.len(), STEPS.len());
        for finding in &failed {
            assert!(finding.grade > Grade::Ok, "{finding:?}");
            assert!(finding.found.ends_with(": a reason"), "{finding:?}");
            assert!(finding.remedy.is_some(), "{finding:?}");
        }
        assert!(tried(&tried_all(&Ok(()))).all(|f| f.grade == Grade::Ok));
    }

    #[test]
    fn the_rights_that_a_lab_would_have_count() {
        let (_dir, machine) = with(&[]);
        let refused = Inside {
            namespaces: Err("no".into()),
            steps: Vec::new(),
        };
        let trials = Trials {
            own: Some(refused.clone()),
            user: tried_all(&Ok(())),
        };
        assert_eq!(the(&all(&machine, &trials), "TAP devices").grade, Grade::Ok);
        let trials = Trials {
            own: None,
            user: refused,
        };
        assert_eq!(the(&all(&machine, &trials), "trials").grade, Grade::Note);
    }
}
