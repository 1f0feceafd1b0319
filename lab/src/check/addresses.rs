//! Addresses: that no two are the same, and that each is where it can be reached.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::links::Segments;
use crate::draft::{Attachment, Draft, Switch};
use crate::parse::Problem;
use crate::thing::is_link_local;

/// The least MTU with which the kernel does IPv6 (RFC 8200, 5).
const MIN_IPV6_MTU_BYTES: u32 = 1280;

pub(super) fn check(draft: &Draft, problems: &mut Vec<Problem>) {
    subnets(draft, problems);
    let mut seen: BTreeMap<(IpAddr, Option<&str>), &str> = BTreeMap::new();
    for attachment in &draft.attachments {
        for address in attachment.addresses.iter().flatten() {
            let ip = address.value.addr();
            // A link-local one may be used on every link anew.
            let link = is_link_local(ip).then_some(attachment.switch.value.as_str());
            if let Some(other) = seen.insert((ip, link), &attachment.host) {
                let wrong = if other == attachment.host {
                    format!("the host '{other}' has the address {ip} twice: remove one")
                } else {
                    format!(
                        "the address {ip} is that of the host '{other}' too: give '{}' another one",
                        attachment.host
                    )
                };
                problems.push(Problem::new(address.span.clone(), wrong));
            }
        }
        outside_of_subnet(draft, attachment, problems);
        small_mtu(attachment, problems);
    }
    overlapping_interfaces(draft, problems);
}

fn overlaps(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// Two switches share a subnet if links connect them, and must not otherwise.
fn subnets(draft: &Draft, problems: &mut Vec<Problem>) {
    let segments = Segments::of(draft);
    let with_subnet = draft
        .switches
        .iter()
        .filter_map(|(name, switch)| Some((name, switch, switch.subnet()?)));
    let mut seen: Vec<(&str, IpNet)> = Vec::new();
    let mut ordered: Vec<_> = with_subnet.collect();
    ordered.sort_by_key(|(_, switch, _)| switch.span.start);
    for (name, switch, subnet) in ordered {
        let clash = seen.iter().find(|(other, taken)| {
            let together = segments.segment(other) == segments.segment(name);
            overlaps(taken, &subnet) && !(together && *taken == subnet)
        });
        if let Some((other, taken)) = clash {
            let span = switch.places.get("subnet").unwrap_or(&switch.span).clone();
            let wrong = format!(
                "the subnet {subnet} of the switch '{name}' overlaps with {taken} of '{other}': \
                 choose another one"
            );
            problems.push(Problem::new(span, wrong));
        }
        seen.push((name, subnet));
    }
}

fn outside_of_subnet(draft: &Draft, attachment: &Attachment, problems: &mut Vec<Problem>) {
    let switch = draft.switches.get(&attachment.switch.value);
    let Some(subnet) = switch.and_then(Switch::subnet) else {
        return;
    };
    for address in attachment.addresses.iter().flatten() {
        let ip = address.value.addr();
        if ip.is_ipv4() != subnet.addr().is_ipv4() || is_link_local(ip) {
            continue;
        }
        let wrong = if !subnet.contains(&ip) {
            format!(
                "{ip} is outside of {subnet}, the subnet of the switch '{}'",
                attachment.switch.value
            )
        } else if address.value.prefix_len() != subnet.prefix_len() {
            format!(
                "{} has another prefix length than {subnet}, the subnet of the switch '{}': write \
                 {ip}/{}",
                address.value,
                attachment.switch.value,
                subnet.prefix_len()
            )
        } else {
            continue;
        };
        problems.push(Problem::new(address.span.clone(), wrong));
    }
}

fn small_mtu(attachment: &Attachment, problems: &mut Vec<Problem>) {
    let mtu = &attachment.mtu;
    let mut addresses = attachment.addresses.iter().flatten();
    if mtu.value < MIN_IPV6_MTU_BYTES
        && let Some(v6) = addresses.find(|address| address.value.addr().is_ipv6())
    {
        let wrong = format!(
            "an MTU of {} bytes is too small for the IPv6 address {}: choose \
             {MIN_IPV6_MTU_BYTES} or more",
            mtu.value, v6.value
        );
        problems.push(Problem::new(mtu.span.clone(), wrong));
    }
}

/// A host would not know by which interface to send.
fn overlapping_interfaces(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut nets: BTreeMap<&str, Vec<(IpNet, &str)>> = BTreeMap::new();
    for attachment in &draft.attachments {
        let host = nets.entry(&attachment.host).or_default();
        for address in attachment.addresses.iter().flatten() {
            let net = address.value;
            if is_link_local(net.addr()) {
                continue;
            }
            let clash = host.iter().find(|(other, interface)| {
                *interface != attachment.interface && overlaps(&other.trunc(), &net.trunc())
            });
            if let Some((other, interface)) = clash {
                let wrong = format!(
                    "the network of {net} overlaps with that of {other} on '{interface}' of the \
                     same host '{}': it would not know by which of them to send",
                    attachment.host
                );
                problems.push(Problem::new(address.span.clone(), wrong));
            }
            host.push((net, &attachment.interface));
        }
    }
}
