//! The ports of the switches that run.

use std::collections::BTreeMap;

use super::listed;
use crate::doctor::{Area, Finding, Grade, Living};
use vswitch_control::protocol::{PortState, SwitchView};

pub(in crate::doctor) fn all(living: &Living) -> Vec<Finding> {
    let mut findings = Vec::new();
    for switch in &living.switches {
        findings.extend(mtu(switch));
        findings.extend(ends(switch, living));
        findings.extend(offloads(switch, living));
        findings.extend(states(switch));
        findings.extend(rules(switch, living));
        findings.extend(warnings(switch));
    }
    let ports: usize = living.switches.iter().map(|s| s.ports.len()).sum();
    if findings.is_empty() && ports > 0 {
        let found = format!("no problem at the {ports} there are");
        findings.push(finding("ports", Grade::Ok, found));
    }
    findings
}

fn finding(check: &'static str, grade: Grade, found: impl Into<String>) -> Finding {
    Finding::new(Area::Ports, check, grade, found)
}

/// Ports of one switch that take frames of different sizes.
fn mtu(switch: &SwitchView) -> Option<Finding> {
    let mut by_mtu: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for port in switch.ports.iter().filter(|p| p.state != PortState::Absent) {
        by_mtu.entry(port.mtu).or_default().push(&port.name);
    }
    if by_mtu.len() < 2 {
        return None;
    }
    let told: Vec<String> = by_mtu
        .iter()
        .map(|(mtu, ports)| format!("{mtu} ({})", listed(ports.iter().copied().take(8))))
        .collect();
    let found = format!(
        "the ports of {} differ: {}; what is too long for a port is dropped there",
        switch.name,
        told.join(", ")
    );
    Some(finding("MTU", Grade::Warning, found).remedy(
        "give all the same: 'vswitch attach NS --mtu N', or 'vswitch link set IFACE mtu N' at both \
         ends",
    ))
}

/// Cables whose two ends differ.
fn ends(switch: &SwitchView, living: &Living) -> Option<Finding> {
    let differing = switch.ports.iter().filter_map(|port| {
        let inside = living.inside_ends.get(&port.name)?;
        (u64::from(inside.mtu_bytes) != port.mtu)
            .then(|| format!("{} {} and inside {}", port.name, port.mtu, inside.mtu_bytes))
    });
    let differing: Vec<String> = differing.collect();
    if differing.is_empty() {
        return None;
    }
    let found = format!("the two ends of a cable differ: {}", differing.join(", "));
    Some(
        finding("MTU of cables", Grade::Warning, found)
            .remedy("set the same at both ends: what is longer than the smaller one is lost"),
    )
}

/// Kinds of segmentation that would come to the switch and could not leave it.
fn offloads(switch: &SwitchView, living: &Living) -> Option<Finding> {
    let offering = switch.ports.iter().filter_map(|port| {
        let inside = living.inside_ends.get(&port.name)?;
        let kinds = listed(inside.undescribable.iter().map(String::as_str));
        (!kinds.is_empty()).then(|| format!("{} ({kinds})", port.name))
    });
    let offering: Vec<String> = offering.collect();
    if offering.is_empty() {
        return None;
    }
    let found = format!(
        "segmentation that no packet socket can pass on is on behind {}: the switch has to cut what comes \
         through tunnels itself, and what it cannot cut is lost",
        offering.join(", ")
    );
    Some(
        finding("offloads", Grade::Warning, found).remedy(
            "'vswitch detach NS' and 'vswitch attach NS' switch it off again, or 'ethtool -K'",
        ),
    )
}

/// Rules that drop nothing of what the switch gets.
fn rules(switch: &SwitchView, living: &Living) -> Vec<Finding> {
    let ruled = switch.ports.iter().filter_map(|port| {
        let rules = living.ingress_rules.get(&port.name)?;
        let found = format!(
            "rules at the ingress of {} have no effect on what the switch gets, which sees frames \
             before they do: {}",
            vswitch_control::plain::text(&port.name),
            listed(rules.iter().map(String::as_str))
        );
        Some(
            finding("ingress rules", Grade::Warning, found)
                .remedy("filter at the host that sends, or at the egress of other ports"),
        )
    });
    ruled.collect()
}

/// What the switch itself says is wrong with a port, with the remedy.
fn warnings(switch: &SwitchView) -> Vec<Finding> {
    let mut findings = Vec::new();
    for port in &switch.ports {
        let told = port.warnings.iter();
        let told = told.map(|warning| format!("{} of {}: {warning}", port.name, switch.name));
        findings.extend(told.map(|told| finding("warnings", Grade::Warning, told)));
    }
    findings
}

fn states(switch: &SwitchView) -> Option<Finding> {
    let named = |state| {
        let ports = switch.ports.iter().filter(move |port| port.state == state);
        listed(ports.map(|port| port.name.as_str()))
    };
    let (down, absent) = (named(PortState::Down), named(PortState::Absent));
    let mut told = Vec::new();
    if !down.is_empty() {
        told.push(format!("down: {down}"));
    }
    if !absent.is_empty() {
        told.push(format!("their interface is gone: {absent}"));
    }
    if told.is_empty() {
        return None;
    }
    let found = format!(
        "ports of {} that pass nothing, {}",
        switch.name,
        told.join("; ")
    );
    Some(finding("states", Grade::Note, found).remedy(
        "'vswitch link set IFACE up' at both ends, or take out the port: 'vswitch detach NS', \
         'vswitch port del IFACE'",
    ))
}
