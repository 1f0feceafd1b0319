//! Programs that manage the interfaces of the machine, and may take the ends of cables for theirs.

use super::listed;
use crate::doctor::{Area, Finding, Grade, Living, Machine};

/// A program, and how it is told to leave the ends of cables alone.
struct Manager {
    name: &'static str,
    /// What is there while it runs.
    trace: &'static str,
    /// Where it says what it does with the interface of an index.
    links: &'static str,
    /// What is said there of an interface that it manages.
    managed: &'static [&'static str],
    /// Directories of its settings, and how files there end.
    settings: (&'static [&'static str], &'static str),
    remedy: &'static str,
}

/// What settings say that are about the ends of cables.
const PATTERN: &str = "-vsw";
/// Directories of rules that mark them for both (`82-vswitch.rules`).
const RULES: &[&str] = &[
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/local/lib/udev/rules.d",
    "/usr/lib/udev/rules.d",
];

const MANAGERS: [Manager; 2] = [
    Manager {
        name: "systemd-networkd",
        trace: "/run/systemd/netif/state",
        links: "/run/systemd/netif/links",
        managed: &[
            "ADMIN_STATE=configuring",
            "ADMIN_STATE=configured",
            "ADMIN_STATE=failed",
        ],
        settings: (
            &[
                "/etc/systemd/network",
                "/run/systemd/network",
                "/usr/local/lib/systemd/network",
                "/usr/lib/systemd/network",
            ],
            ".network",
        ),
        remedy: "install contrib/systemd/network/10-vswitch.network in /etc/systemd/network ([Match] \
                 Name=*-vsw, [Link] Unmanaged=yes), then 'networkctl reload'",
    },
    Manager {
        name: "NetworkManager",
        trace: "/run/NetworkManager",
        links: "/run/NetworkManager/devices",
        managed: &["managed=true"],
        settings: (
            &[
                "/etc/NetworkManager/conf.d",
                "/run/NetworkManager/conf.d",
                "/usr/lib/NetworkManager/conf.d",
            ],
            ".conf",
        ),
        remedy: "install contrib/NetworkManager/conf.d/10-vswitch.conf in \
                 /etc/NetworkManager/conf.d, then 'nmcli general reload'",
    },
];

pub(in crate::doctor) fn all(machine: &Machine, living: &Living) -> Vec<Finding> {
    let running = MANAGERS.iter().filter(|manager| machine.has(manager.trace));
    running
        .map(|manager| examine(manager, machine, living))
        .collect()
}

fn examine(manager: &Manager, machine: &Machine, living: &Living) -> Finding {
    let finding = |grade, found| Finding::new(Area::Network, manager.name, grade, found);
    let ports = living.switches.iter().flat_map(|switch| &switch.ports);
    let taken: Vec<&str> = ports
        .filter(|port| {
            let link = living.links.iter().find(|link| link.name == port.name);
            link.is_some_and(|link| manages(manager, machine, link.index))
        })
        .map(|port| port.name.as_str())
        .collect();
    if !taken.is_empty() {
        let found = format!(
            "it manages ports of switches, so packets of the host (such as DHCP requests) enter \
             the lab: {}",
            listed(taken)
        );
        return finding(Grade::Warning, found).remedy(manager.remedy);
    }
    let (dirs, ending) = manager.settings;
    if says(machine, dirs, ending) || says(machine, RULES, ".rules") {
        return finding(Grade::Ok, "it leaves the ends of cables alone".to_owned());
    }
    let found =
        "it runs, and its settings do not keep it away from the ends of cables: one for all \
                 interfaces would take them over"
            .to_owned();
    finding(Grade::Note, found).remedy(manager.remedy)
}

fn manages(manager: &Manager, machine: &Machine, index: u32) -> bool {
    let text = machine.text(&format!("{}/{index}", manager.links));
    let text = text.unwrap_or_default();
    text.lines().any(|line| manager.managed.contains(&line))
}

/// Whether there is a file of these that is about the ends of cables.
fn says(machine: &Machine, dirs: &[&str], ending: &str) -> bool {
    dirs.iter().any(|dir| {
        let files = machine.files(dir).into_iter();
        let mut files = files.filter(|file| file.ends_with(ending));
        files.any(|file| {
            let text = machine.text(&format!("{dir}/{file}"));
            text.is_some_and(|text| text.contains(PATTERN))
        })
    })
}

#[cfg(test)]
mod tests {
    use vswitch_netns::Link;

    use super::super::the;
    use super::*;
    use crate::doctor::machine::made_up;
    use vswitch_control::protocol::SwitchView;

    const RUNNING: (&str, &str) = ("/run/systemd/netif/state", "OPER_STATE=routable");

    /// One with the port `mario-vsw`, which is the interface 7.
    fn living() -> Living {
        let view = r#"{"name":"s","pid":1,"uptime_s":1,"datapath":"user space","ageing_s":300,
            "max_macs":1,"macs":0,"forward_reserved":false,"subnet":null,"log":null,
            "version":"0.1.0","ports":[{"id":1,"name":"mario-vsw","namespace":"mario",
            "peer":"mario-netns","state":"up","mtu":1500,"driver":"","rx":{"frames":0,"bytes":0},
            "tx":{"frames":0,"bytes":0},"drops":{},"addresses":[]}]}"#;
        let mut link = Link::default();
        link.index = 7;
        link.name = "mario-vsw".to_owned();
        let switch: SwitchView = serde_json::from_str(view).unwrap();
        Living {
            switches: vec![switch],
            links: vec![link],
            ..Living::default()
        }
    }

    fn grade(files: &[(&str, &str)], name: &str) -> Grade {
        let (_dir, machine) = made_up::with(files);
        the(&all(&machine, &living()), name).grade
    }

    #[test]
    fn a_manager_that_could_take_ports_over_is_told_of() {
        let name = "systemd-networkd";
        let catch_all = ("/etc/systemd/network/80-all.network", "[Match]\nName=*\n");
        let link = |state| ("/run/systemd/netif/links/7", state);
        assert_eq!(grade(&[RUNNING, catch_all], name), Grade::Note);
        let seen = [RUNNING, link("ADMIN_STATE=configuring\nOPER_STATE=x")];
        assert_eq!(grade(&seen, name), Grade::Warning);
        let ours = include_str!("../../../../contrib/systemd/network/10-vswitch.network");
        let ours = ("/etc/systemd/network/10-vswitch.network", ours);
        let unmanaged = link("ADMIN_STATE=unmanaged");
        assert_eq!(
            grade(&[RUNNING, catch_all, ours, unmanaged], name),
            Grade::Ok
        );
        // What is, counts for more than what is written.
        let still = link("ADMIN_STATE=configured");
        assert_eq!(grade(&[RUNNING, ours, still], name), Grade::Warning);

        let name = "NetworkManager";
        let device = |text| ("/run/NetworkManager/devices/7", text);
        assert_eq!(
            grade(&[device("[device]\nmanaged=true")], name),
            Grade::Warning
        );
        assert_eq!(
            grade(&[device("[device]\nmanaged=false")], name),
            Grade::Note
        );
        let rules = include_str!("../../../../contrib/udev/rules.d/82-vswitch.rules");
        let rules = ("/etc/udev/rules.d/82-vswitch.rules", rules);
        assert_eq!(grade(&[device(""), rules], name), Grade::Ok);
        let ours = include_str!("../../../../contrib/NetworkManager/conf.d/10-vswitch.conf");
        let ours = ("/etc/NetworkManager/conf.d/10-vswitch.conf", ours);
        assert_eq!(grade(&[device(""), ours], name), Grade::Ok);
    }

    #[test]
    fn none_that_runs_is_nothing_to_tell() {
        let (_dir, machine) = made_up::with(&[]);
        assert!(all(&machine, &living()).is_empty());
    }

    /// The rule goes by the group that the switch gives to its ends.
    #[test]
    fn the_udev_rule_knows_the_group() {
        let rules = include_str!("../../../../contrib/udev/rules.d/82-vswitch.rules");
        let rule = format!(
            "ATTR{{netdev_group}}==\"{}\"",
            vswitch_control::marks::GROUP
        );
        assert!(rules.contains(&rule), "{rule}");
    }
}
