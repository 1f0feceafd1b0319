//! From the text of a lab file to the things that make up the lab, or to all that is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::addresses;
use super::check;
use super::draft::{Draft, Host, Span, Switch, draft};
use super::parse::{Problem, parse};
use super::section::Places;
use super::source::PortSource;
use super::thing::{CableSpec, Key, Spec, Things};
use vswitch_control::names::LabName;

/// A lab that can be, as far as its file tells.
#[derive(Debug)]
pub struct Lab {
    /// Its name.
    pub name: LabName,
    /// What it is made of.
    pub things: Things,
    /// Where in the file each of them comes from.
    pub places: BTreeMap<Key, Span>,
    /// Where the settings of each switch are.
    pub setting_places: BTreeMap<String, Places>,
    /// Interfaces that must be there before, and where they are named.
    pub existing: BTreeMap<String, Span>,
    /// Those of them that are taken even if a default route leads through them.
    pub forced: BTreeSet<String>,
}

/// The lab's name: as the file says, or `otherwise`.
pub(crate) fn name_in(text: &str, otherwise: Option<LabName>) -> Result<LabName, Vec<Problem>> {
    let (file, problems) = parse(text);
    match (file.lab.name, otherwise) {
        (Some(name), _) => Ok(name.0.clone()),
        (None, Some(otherwise)) => Ok(otherwise),
        (None, None) if problems.is_empty() => Err(vec![nameless()]),
        (None, None) => Err(problems),
    }
}

fn nameless() -> Problem {
    let wrong = "the lab has no name, and that of the file cannot be one: begin with '[lab]' and \
                 'name = \"my_lab\"'";
    Problem::new(0..0, wrong)
}

/// Reads a lab. `before` is what was made of it the last time: a host that was given an address
/// keeps it.
///
/// # Errors
/// All that is wrong with it, in the order of the file.
pub(crate) fn read(text: &str, name: LabName, before: &Things) -> Result<Lab, Vec<Problem>> {
    let (file, mut problems) = parse(text);
    let mut draft = draft(&name, &file, &mut problems);
    check::names(&draft, &mut problems);
    addresses::give(&mut draft, before, &mut problems);
    check::rest(&draft, &mut problems);
    if !problems.is_empty() {
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        problems.dedup();
        return Err(problems);
    }
    Ok(Builder::default().build(name, &draft))
}

#[derive(Default)]
struct Builder {
    things: Things,
    places: BTreeMap<Key, Span>,
    existing: BTreeMap<String, Span>,
    forced: BTreeSet<String>,
}

impl Builder {
    fn build(mut self, name: LabName, draft: &Draft) -> Lab {
        let mut setting_places = BTreeMap::new();
        for (switch, section) in &draft.switches {
            let key = Key::Switch {
                switch: switch.clone(),
            };
            self.put(
                key,
                Spec::Switch(Box::new(section.settings.clone())),
                &section.span,
            );
            setting_places.insert(switch.clone(), section.places.clone());
            self.ports(switch, section);
        }
        for link in &draft.links {
            let [end, other] = link.ends.clone();
            for (end, switch) in link.ends.iter().zip(&link.between) {
                self.port(&switch.value, end, Spec::Plain, &link.span);
            }
            let spec = Spec::Pair { mtu: link.mtu };
            self.put(Key::Pair { end, other }, spec, &link.span);
        }
        for attachment in &draft.attachments {
            let key = Key::Cable {
                host: attachment.host.clone(),
                interface: attachment.interface.clone(),
            };
            let addresses = attachment.addresses.iter().flatten();
            let spec = CableSpec {
                switch: attachment.switch.value.clone(),
                port: attachment.port.clone(),
                addresses: addresses.map(|address| address.value).collect(),
                mac: attachment.mac.value.clone(),
                mtu: attachment.mtu.value,
                settings: Box::new(attachment.settings.clone()),
            };
            self.put(key, Spec::Cable(spec), &attachment.span);
        }
        for host in &draft.hosts {
            self.host(host);
        }
        Lab {
            name,
            things: self.things,
            places: self.places,
            setting_places,
            existing: self.existing,
            forced: self.forced,
        }
    }

    fn put(&mut self, key: Key, spec: Spec, place: &Span) {
        self.places.insert(key.clone(), place.clone());
        self.things.insert(key, spec);
    }

    fn ports(&mut self, name: &str, switch: &Switch) {
        for port in &switch.ports {
            let PortSource { kind, interface } = &port.value;
            let spec = if let Some(kind) = kind {
                let device = kind.clone();
                Spec::Device { device }
            } else {
                self.existing.insert(interface.clone(), port.span.clone());
                if switch.force_ports {
                    self.forced.insert(interface.clone());
                }
                Spec::Plain
            };
            self.port(name, interface, spec, &port.span);
        }
    }

    fn port(&mut self, switch: &str, interface: &str, spec: Spec, place: &Span) {
        let key = Key::Port {
            switch: switch.to_owned(),
            interface: interface.to_owned(),
        };
        self.put(key, spec, place);
    }

    fn host(&mut self, section: &Host) {
        let host = || section.name.clone();
        self.put(Key::Host { host: host() }, Spec::Plain, &section.span);
        if section.forward {
            for path in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"] {
                self.sysctl(host(), path, "1", &section.span);
            }
        }
        for (path, value) in &section.sysctls {
            self.sysctl(host(), &path.value, value, &path.span);
        }
        for gateway in &section.gateways {
            let to = everything(gateway.value);
            let spec = Spec::Route { via: gateway.value };
            self.put(Key::Route { host: host(), to }, spec, &gateway.span);
        }
        for (to, via) in &section.routes {
            let spec = Spec::Route { via: via.value };
            let to = to.value;
            self.put(Key::Route { host: host(), to }, spec, &via.span);
        }
        if !section.setup.is_empty() {
            let commands = section.setup.clone();
            self.put(
                Key::Setup { host: host() },
                Spec::Setup { commands },
                &section.span,
            );
        }
        let mut seen: Vec<&[String]> = Vec::new();
        for words in &section.commands {
            let nth = seen
                .iter()
                .filter(|other| **other == words.as_slice())
                .count();
            seen.push(words);
            let key = Key::Command {
                host: host(),
                words: words.clone(),
                nth,
            };
            self.put(key, Spec::Plain, &section.span);
        }
    }

    fn sysctl(&mut self, host: String, path: &str, value: &str, place: &Span) {
        let path = path.to_owned();
        let value = value.to_owned();
        self.put(Key::Sysctl { host, path }, Spec::Sysctl { value }, place);
    }
}

/// The network that everything is in.
pub(crate) fn everything(of_the_family_of: IpAddr) -> IpNet {
    match of_the_family_of {
        IpAddr::V4(_) => IpNet::V4(ipnet::Ipv4Net::default()),
        IpAddr::V6(_) => IpNet::V6(ipnet::Ipv6Net::default()),
    }
}

impl Lab {
    /// How many there are of a kind.
    pub fn count(&self, kind: &str) -> usize {
        let keys: BTreeSet<_> = self
            .things
            .keys()
            .filter(|key| key.kind() == kind)
            .collect();
        keys.len()
    }
}

#[cfg(test)]
#[path = "lab_tests.rs"]
mod tests;
