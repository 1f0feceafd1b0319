//! What earlier runs have left.

use std::collections::BTreeMap;

use vswitch_netns::Link;

use super::listed;
use crate::doctor::{Area, Finding, Ghost, Grade, Living};
use vswitch_control::marks::owner_of;

pub(in crate::doctor) fn all(living: &Living) -> Vec<Finding> {
    let found = [
        killed(living),
        empty(living),
        cables(living),
        quiet(living),
        stale(living),
    ];
    let mut findings: Vec<Finding> = found.into_iter().flatten().collect();
    findings.extend(living.ghosts.iter().map(ghost));
    findings.extend(living.mute.iter().map(|told| {
        finding("switches", Grade::Warning, told.clone()).remedy(
            "see its log ('vswitch show' names it); if it hangs, end it by 'kill -9' and start it \
             again, which restores it",
        )
    }));
    if findings.is_empty() {
        findings.push(finding("leftovers", Grade::Ok, "none"));
    }
    findings
}

fn finding(check: &'static str, grade: Grade, found: impl Into<String>) -> Finding {
    Finding::new(Area::Leftovers, check, grade, found)
}

/// A process that no command finds any more.
fn ghost(ghost: &Ghost) -> Finding {
    let directory = ghost.directory.display().to_string();
    let directory = directory.escape_debug();
    let pid = ghost.pid;
    let (found, remedy) = match &ghost.switch {
        Some(name) => (
            format!(
                "process {pid} is the switch '{}', whose directory {directory} is gone or another \
                 switch's: no command can reach it",
                name.escape_debug()
            ),
            format!("'kill -INT {pid}' ends it and removes the cables that it made"),
        ),
        None => (
            format!(
                "process {pid} is the keeper of a lab whose directory {directory} is gone or \
                 another lab's: no command finds it"
            ),
            format!("'kill {pid}' ends it, and the lab with it if no switch runs there"),
        ),
    };
    finding("processes", Grade::Warning, found).remedy(remedy)
}

fn killed(living: &Living) -> Option<Finding> {
    let first = living.killed.first()?;
    let names = listed(living.killed.iter().map(String::as_str));
    Some(
        finding("switches", Grade::Warning, format!("killed: {names}")).remedy(format!(
            "'vswitch run {first} --detach' restores it, 'vswitch stop {first}' removes what it left"
        )),
    )
}

fn empty(living: &Living) -> Option<Finding> {
    living.empty.first()?;
    let names = listed(living.empty.iter().map(String::as_str));
    let found = format!("directories without a switch, unless it is just starting: {names}");
    Some(
        finding("directories", Grade::Note, found)
            .remedy("none needed: the next switch of that name takes it over"),
    )
}

/// Cables that no switch has any more, by the switches that made them.
fn cables(living: &Living) -> Option<Finding> {
    let mut left: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let ports = living.switches.iter().flat_map(|switch| &switch.ports);
    let ports: Vec<&str> = ports.map(|port| port.name.as_str()).collect();
    // A TAP device is claimed by nothing but its descriptor.
    let free = |link: &&Link| {
        !living.claimed.contains(&link.index) && !ports.contains(&link.name.as_str())
    };
    for link in living.links.iter().filter(free) {
        if let Some(switch) = owner_of(link) {
            left.entry(switch).or_default().push(&link.name);
        }
    }
    let (first, _) = left.first_key_value()?;
    let told: Vec<String> = left
        .iter()
        .map(|(switch, cables)| {
            format!(
                "{} of {}",
                listed(cables.iter().copied()),
                vswitch_control::plain::text(switch)
            )
        })
        .collect();
    let found = format!(
        "interfaces of switches that no switch uses: {}",
        told.join("; ")
    );
    Some(finding("cables", Grade::Warning, found).remedy(format!(
        "'vswitch run {} --detach' removes those of its name",
        vswitch_control::plain::text(first)
    )))
}

fn quiet(living: &Living) -> Option<Finding> {
    living.quiet.first()?;
    let names = listed(living.quiet.iter().map(String::as_str));
    let found = format!("ports of a switch that was killed, of no use to the host: {names}");
    Some(
        finding("interfaces", Grade::Warning, found)
            .remedy("the next 'vswitch run NAME' restores them"),
    )
}

fn stale(living: &Living) -> Option<Finding> {
    living.stale.first()?;
    let names = listed(living.stale.iter().map(String::as_str));
    let found = format!("names that no longer lead to a namespace: {names}");
    Some(
        finding("namespaces", Grade::Warning, found)
            .remedy(format!("'vswitch netns del {}'", names.replace(", ", " "))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::the;

    fn link(index: u32, name: &str, alias: Option<&str>) -> Link {
        let mut link = Link::default();
        link.index = index;
        name.clone_into(&mut link.name);
        link.alias = alias.map(str::to_owned);
        link
    }

    #[test]
    fn a_tidy_machine_has_none() {
        let living = Living {
            links: vec![
                link(1, "lo", None),
                link(2, "mario-vsw", Some("vswitch:s")),
                link(3, "eth0", Some("uplink")),
            ],
            claimed: [2].into(),
            ..Living::default()
        };
        let found = all(&living);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(the(&found, "leftovers").grade, Grade::Ok);
    }

    #[test]
    fn all_that_is_left_is_told_with_what_to_do() {
        let living = Living {
            links: vec![link(2, "mario-vsw", Some("vswitch:s"))],
            killed: vec!["s".into()],
            empty: vec!["t".into()],
            mute: vec!["the switch 'u' did not answer".into()],
            quiet: vec!["eth1".into()],
            stale: vec!["a".into(), "b".into()],
            ghosts: [Some("s".to_owned()), None]
                .map(|switch| Ghost {
                    pid: 4711,
                    switch,
                    directory: "/r/s".into(),
                })
                .into(),
            ..Living::default()
        };
        let found = all(&living);
        assert_eq!(found.len(), 8, "{found:#?}");
        assert!(found.iter().all(|f| f.remedy.is_some()), "{found:#?}");
        let cables = the(&found, "cables");
        assert!(cables.found.contains("mario-vsw of s"), "{cables:?}");
        let stale = the(&found, "namespaces").remedy.clone().unwrap();
        assert_eq!(stale, "'vswitch netns del a b'");
    }
}
