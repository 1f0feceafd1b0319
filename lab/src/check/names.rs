//! Names: that none is taken twice, and that each leads somewhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::draft::{Draft, Placed, Span};
use crate::parse::Problem;
use vswitch_control::near::nearest;

pub(super) fn check(draft: &Draft, problems: &mut Vec<Problem>) {
    let links = draft.links.iter().flat_map(|link| &link.between);
    let attached = draft
        .attachments
        .iter()
        .map(|attachment| &attachment.switch);
    for named in links.chain(attached) {
        if !draft.switches.contains_key(&named.value) {
            problems.push(no_switch(draft, named));
        }
    }
    hosts(draft, problems);
    interfaces(draft, problems);
    stations(draft, problems);
}

fn no_switch(draft: &Draft, named: &Placed<String>) -> Problem {
    let name = &named.value;
    let near = nearest(name, draft.switches.keys().map(String::as_str));
    let hint = match near {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("add '[switch.{name}]'"),
    };
    let wrong = format!("there is no switch '{name}' in this lab: {hint}");
    Problem::new(named.span.clone(), wrong)
}

fn hosts(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for host in &draft.hosts {
        if !seen.insert(&host.name) {
            let wrong = format!("there are two hosts '{}': rename one", host.name);
            problems.push(Problem::new(host.span.clone(), wrong));
        }
    }
}

/// Those inside each host, and those of the machine: ports, ends of links, existing ones.
fn interfaces(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut inside: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut outside: BTreeMap<&str, String> = BTreeMap::new();
    let mut claim = |name, span: &Span, whose: String, problems: &mut Vec<Problem>| {
        if let Some(other) = outside.insert(name, whose.clone()) {
            let wrong = format!(
                "{whose} needs an interface '{name}' on the machine, and so does {other}: rename \
                 one of them"
            );
            problems.push(Problem::new(span.clone(), wrong));
        }
    };
    let mut hosts = BTreeSet::new();
    let doubled: BTreeSet<&str> = draft
        .hosts
        .iter()
        .map(|host| host.name.as_str())
        .filter(|name| !hosts.insert(*name))
        .collect();
    for attachment in &draft.attachments {
        if doubled.contains(attachment.host.as_str()) {
            continue;
        }
        let (host, name) = (attachment.host.as_str(), attachment.interface.as_str());
        if name == "lo" {
            let wrong = "every host has a loopback 'lo' already: give the interface another name";
            problems.push(Problem::new(attachment.span.clone(), wrong));
        }
        if !inside.insert((host, name)) {
            let wrong =
                format!("the host '{host}' has two interfaces '{name}': give one of them a 'name'");
            problems.push(Problem::new(attachment.span.clone(), wrong));
            continue;
        }
        let whose = format!("the host '{host}'");
        claim(&attachment.port, &attachment.span, whose, problems);
    }
    for link in &draft.links {
        let [a, b] = &link.between;
        if a.value == b.value {
            continue;
        }
        for end in &link.ends {
            let whose = format!("the link between '{}' and '{}'", a.value, b.value);
            claim(end, &link.span, whose, problems);
        }
    }
    for (name, switch) in &draft.switches {
        for port in &switch.ports {
            let whose = format!("the switch '{name}'");
            claim(&port.value.interface, &port.span, whose, problems);
        }
    }
}

fn stations(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for attachment in &draft.attachments {
        let mac = &attachment.mac;
        let own = (attachment.host.as_str(), attachment.interface.as_str());
        // That two interfaces have one name is told already.
        if let Some(other) = seen.insert(&mac.value, own).filter(|other| *other != own) {
            let wrong = format!(
                "the MAC address {} is that of the host '{}' too: give '{}' another one",
                mac.value, other.0, own.0
            );
            problems.push(Problem::new(mac.span.clone(), wrong));
        }
    }
}
