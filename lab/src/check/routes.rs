//! Routers: that they are where a host can reach them, and are there at all.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::links::Segments;
use crate::draft::{Attachment, Draft, Host, Placed};
use crate::parse::Problem;
use crate::thing::is_link_local;

pub(super) fn check(draft: &Draft, problems: &mut Vec<Problem>) {
    let world = World::of(draft);
    for host in &draft.hosts {
        let mut families = BTreeSet::new();
        for gateway in &host.gateways {
            if !families.insert(gateway.value.is_ipv4()) {
                let wrong = format!(
                    "the host '{}' has two gateways of one kind: leave one, or write the other as \
                     a route",
                    host.name
                );
                problems.push(Problem::new(gateway.span.clone(), wrong));
            }
            problems.extend(world.router(host, gateway));
        }
        for (to, via) in &host.routes {
            if to.value.addr().is_ipv4() != via.value.is_ipv4() {
                let wrong = format!("the route to {} mixes IPv4 and IPv6", to.value);
                problems.push(Problem::new(via.span.clone(), wrong));
                continue;
            }
            problems.extend(world.router(host, via));
        }
    }
}

/// Who is where.
struct World<'a> {
    attachments: BTreeMap<&'a str, Vec<&'a Attachment>>,
    addresses: BTreeSet<IpAddr>,
    segments: Segments,
    /// Segments that an existing interface leads out of.
    open: BTreeSet<String>,
}

impl<'a> World<'a> {
    fn of(draft: &'a Draft) -> Self {
        let mut attachments: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for attachment in &draft.attachments {
            let of_host = attachments.entry(&attachment.host).or_default();
            of_host.push(attachment);
        }
        let all = draft.attachments.iter().flat_map(|a| &a.addresses);
        let addresses = all.flatten().map(|address| address.value.addr()).collect();
        let segments = Segments::of(draft);
        let with_ports = draft.switches.iter().filter(|(_, s)| !s.ports.is_empty());
        let open = with_ports
            .map(|(name, _)| segments.segment(name).to_owned())
            .collect();
        Self {
            attachments,
            addresses,
            segments,
            open,
        }
    }

    /// What is wrong with a router of a host, if anything.
    fn router(&self, host: &Host, via: &Placed<IpAddr>) -> Option<Problem> {
        let name = &host.name;
        let address = via.value;
        let none = Vec::new();
        let own = self.attachments.get(name.as_str()).unwrap_or(&none);
        let problem = |wrong: String| Some(Problem::new(via.span.clone(), wrong));
        if is_link_local(address) {
            return match own.len() {
                1 => None,
                _ => problem(format!(
                    "{address} is link-local, and the host '{name}' has not just one interface \
                     for it: use another address of the router's"
                )),
            };
        }
        let nets = || own.iter().flat_map(|a| &a.addresses).flatten();
        if nets().any(|net| net.value.addr() == address) {
            return problem(format!(
                "{address} is the address of the host '{name}' itself: it cannot be its router"
            ));
        }
        let leads = own.iter().find(|attachment| {
            let mut nets = attachment.addresses.iter().flatten();
            nets.any(|net| net.value.contains(&address))
        });
        let Some(leads) = leads else {
            return problem(format!(
                "the host '{name}' cannot reach the router {address}: it has no address in a \
                 network with it"
            ));
        };
        let segment = self.segments.segment(&leads.switch.value);
        if self.addresses.contains(&address) || self.open.contains(segment) {
            return None;
        }
        problem(format!(
            "no host of this lab has the address {address}, which '{name}' takes for a router"
        ))
    }
}
