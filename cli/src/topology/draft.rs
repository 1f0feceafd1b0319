//! A lab as its file has it, everything that may be left out filled in, each part with its place.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;
use vswitch_netns::{InterfaceName, NamespaceName};

use super::file::{HostAddress, HostSection, InterfaceSection, LabFile, Receive, Station};
use super::hash::fnv;
use super::parse::Problem;
use super::text::{At, List, Text};
use super::thing::SwitchSpec;
use crate::names::{LabName, SwitchName};

/// The MTU where none is given.
const MTU_BYTES: u32 = 1500;
/// As `run` has them.
const AGEING_S: std::ops::RangeInclusive<u32> = 1..=1_000_000;
const MAX_MACS: std::ops::RangeInclusive<u32> = 1..=4_194_304;
const MTUS: std::ops::RangeInclusive<u32> = 68..=65_535;
const COUNTS: std::ops::RangeInclusive<u32> = 1..=10_000;

/// A place in the file, in bytes.
pub(super) type Span = Range<usize>;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// All of a lab.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) switches: BTreeMap<String, Switch>,
    pub(super) hosts: Vec<Host>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) links: Vec<Link>,
}

#[derive(Debug)]
pub(super) struct Switch {
    pub(super) span: Span,
    pub(super) subnet_span: Option<Span>,
    pub(super) receive_span: Option<Span>,
    pub(super) spec: SwitchSpec,
    pub(super) ports: Vec<Placed<String>>,
}

#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) forward: bool,
    pub(super) gateways: Vec<Placed<IpAddr>>,
    pub(super) routes: Vec<(Placed<IpNet>, Placed<IpAddr>)>,
    pub(super) sysctls: Vec<(Placed<String>, String)>,
    pub(super) setup: Vec<Vec<String>>,
    pub(super) commands: Vec<Vec<String>>,
}

/// An interface of a host, and where it is plugged in.
#[derive(Debug)]
pub(super) struct Attachment {
    pub(super) host: String,
    pub(super) span: Span,
    pub(super) interface: String,
    pub(super) port: String,
    pub(super) switch: Placed<String>,
    /// None where the subnet's next free address is to be taken.
    pub(super) addresses: Option<Vec<Placed<IpNet>>>,
    pub(super) mac: Placed<String>,
    pub(super) mtu: Placed<u32>,
}

/// A cable between two switches.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) span: Span,
    pub(super) between: [Placed<String>; 2],
    /// Its ends, at the one and at the other.
    pub(super) ends: [String; 2],
    pub(super) mtu: u32,
}

/// Fills in what the file leaves out.
pub(super) fn draft(name: &LabName, file: &LabFile, problems: &mut Vec<Problem>) -> Draft {
    let mut draft = Draft::default();
    for (key, section) in &file.switch.0 {
        let mut number = |value: &Option<At<u32>>, range, what, otherwise| {
            value
                .as_ref()
                .map_or(otherwise, |value| in_range(value, range, what, problems))
        };
        let spec = SwitchSpec {
            subnet: section.subnet.as_ref().map(|subnet| subnet.0.0),
            ageing_s: number(&section.ageing, &AGEING_S, "'ageing'", 300),
            max_macs: number(&section.max_macs, &MAX_MACS, "'max_macs'", 65_536),
            forward_reserved: section.forward_reserved,
            receive: receive(section.receive.as_deref().copied()).to_owned(),
        };
        let switch = Switch {
            span: key.span(),
            subnet_span: section.subnet.as_ref().map(At::span),
            receive_span: section.receive.as_ref().map(At::span),
            spec,
            ports: placed(section.ports.as_ref(), |name: &InterfaceName| {
                name.to_string()
            }),
        };
        draft.switches.insert(key.0.to_string(), switch);
    }
    for section in &file.link {
        draft.links.extend(link(section, problems));
    }
    for (key, section) in &file.host.0 {
        let filler = Filler {
            lab: name,
            section,
            key,
            only_switch: only(&draft.switches),
        };
        for host in filler.names(problems) {
            draft
                .attachments
                .extend(filler.attachments(&host, problems));
            draft.hosts.push(filler.host(host));
        }
    }
    draft
}

fn receive(way: Option<Receive>) -> &'static str {
    match way {
        None | Some(Receive::Auto) => "auto",
        Some(Receive::Ring) => "ring",
        Some(Receive::Socket) => "socket",
    }
}

/// The name of the only switch, if there is just one.
fn only(switches: &BTreeMap<String, Switch>) -> Option<String> {
    let mut names = switches.keys();
    names.next().filter(|_| names.next().is_none()).cloned()
}

fn in_range(
    value: &At<u32>,
    range: &std::ops::RangeInclusive<u32>,
    what: &str,
    problems: &mut Vec<Problem>,
) -> u32 {
    if !range.contains(value) {
        problems.push(Problem::new(
            value.span(),
            format!(
                "{what} cannot be {}: choose {} to {}",
                **value,
                range.start(),
                range.end()
            ),
        ));
    }
    **value
}

fn placed<T, U>(list: Option<&At<List<Text<T>>>>, convert: impl Fn(&T) -> U) -> Vec<Placed<U>> {
    let all = list.into_iter().flat_map(|list| {
        let items = list.0.iter();
        items.map(|item| (item, item.span.clone().unwrap_or_else(|| list.span())))
    });
    all.map(|(item, span)| Placed {
        value: convert(&item.value.0),
        span,
    })
    .collect()
}

fn link(section: &super::file::LinkSection, problems: &mut Vec<Problem>) -> Option<Link> {
    let span = section.between.span();
    let [a, b] = section.between.as_slice() else {
        let wrong = "a link is between two switches: between = [\"one\", \"other\"]";
        problems.push(Problem::new(span, wrong));
        return None;
    };
    let end = |near: &str, far: &str| InterfaceName::shortened(&format!("{near}-{far}"));
    let switch = |name: &At<Text<SwitchName>>| Placed {
        value: name.0.to_string(),
        span: name.span(),
    };
    let mtu = section.mtu.as_ref();
    Some(Link {
        span,
        ends: [
            end(a.as_str(), b.as_str()).to_string(),
            end(b.as_str(), a.as_str()).to_string(),
        ],
        between: [switch(a), switch(b)],
        mtu: mtu.map_or(MTU_BYTES, |mtu| in_range(mtu, &MTUS, "an MTU", problems)),
    })
}

/// Fills in one section of a host.
struct Filler<'a> {
    lab: &'a LabName,
    section: &'a HostSection,
    key: &'a At<Text<NamespaceName>>,
    only_switch: Option<String>,
}

/// What an interface is to be, whichever way it was written.
struct Wanted<'a> {
    span: Span,
    switch: Placed<String>,
    /// Its name inside and at the switch.
    names: [String; 2],
    ip: Option<&'a At<List<Text<HostAddress>>>>,
    mac: Option<&'a At<Text<Station>>>,
    mtu: Option<&'a At<u32>>,
}

impl Filler<'_> {
    /// The names of the hosts of this section: one, or as many as it says.
    fn names(&self, problems: &mut Vec<Problem>) -> Vec<String> {
        let name = self.key.as_str();
        let Some(count) = &self.section.count else {
            return vec![name.to_owned()];
        };
        let before = problems.len();
        for (key, span) in [
            ("ip", self.section.ip.as_ref().map(At::span)),
            ("mac", self.section.mac.as_ref().map(At::span)),
        ] {
            if let Some(span) = span {
                let wrong = format!(
                    "'{key}' is one host's, and this is a kind of which there are several: leave \
                     it out"
                );
                problems.push(Problem::new(span, wrong));
            }
        }
        let count = in_range(count, &COUNTS, "'count'", problems);
        if problems.len() > before {
            return Vec::new();
        }
        (1..=count)
            .map(|number| format!("{name}{number}"))
            .collect()
    }

    fn host(&self, name: String) -> Host {
        let section = self.section;
        let routes = section.routes.0.iter();
        let words = |lines: &[At<super::text::CommandLine>]| {
            lines.iter().map(|line| line.0.clone()).collect()
        };
        Host {
            name,
            span: self.key.span(),
            forward: section.forward,
            gateways: placed(section.gateway.as_ref(), |address| *address),
            routes: routes
                .map(|(to, via)| {
                    let to = Placed {
                        value: to.0.0,
                        span: to.span(),
                    };
                    let via = Placed {
                        value: via.0,
                        span: via.span(),
                    };
                    (to, via)
                })
                .collect(),
            sysctls: section
                .sysctl
                .0
                .iter()
                .map(|(key, value)| {
                    let key = Placed {
                        value: key.0.0.clone(),
                        span: key.span(),
                    };
                    (key, value.0.clone())
                })
                .collect(),
            setup: words(&section.setup),
            commands: words(&section.commands),
        }
    }

    fn attachments(&self, host: &str, problems: &mut Vec<Problem>) -> Vec<Attachment> {
        let mut wanted = Vec::new();
        match (&self.section.interface, self.switch()) {
            (Some(interfaces), None) => {
                wanted.extend(interfaces.iter().map(|item| several(host, item)));
                self.refuse_own(problems, "write it with the interface");
            }
            (Some(_), Some(switch)) if self.section.switch.is_some() => {
                let wrong = "a host has either 'switch' or a list of 'interface'";
                problems.push(Problem::new(switch.span, wrong));
            }
            (Some(interfaces), Some(_)) => {
                wanted.extend(interfaces.iter().map(|item| several(host, item)));
                self.refuse_own(problems, "write it with the interface");
            }
            (None, Some(switch)) => wanted.extend(self.single(host, switch, problems)),
            (None, None) => self.refuse_own(problems, "say which 'switch' it is plugged into"),
        }
        let wanted = wanted.into_iter();
        wanted
            .map(|wanted| self.attachment(host, wanted, problems))
            .collect()
    }

    /// The switch that the host as a whole is plugged into.
    fn switch(&self) -> Option<Placed<String>> {
        match (&self.section.switch, &self.only_switch) {
            (Some(name), _) => Some(Placed {
                value: name.0.to_string(),
                span: name.span(),
            }),
            (None, Some(only)) => Some(Placed {
                value: only.clone(),
                span: self.key.span(),
            }),
            (None, None) => None,
        }
    }

    /// What belongs to one interface makes no sense with none, or with several.
    fn refuse_own(&self, problems: &mut Vec<Problem>, instead: &str) {
        let section = self.section;
        for (key, span) in [
            ("ip", section.ip.as_ref().map(At::span)),
            ("mac", section.mac.as_ref().map(At::span)),
            ("mtu", section.mtu.as_ref().map(At::span)),
        ] {
            if let Some(span) = span {
                let wrong = format!("the host has '{key}' but no switch of its own: {instead}");
                problems.push(Problem::new(span, wrong));
            }
        }
    }

    fn single(
        &self,
        host: &str,
        switch: Placed<String>,
        problems: &mut Vec<Problem>,
    ) -> Option<Wanted<'_>> {
        let namespace = match NamespaceName::new(host) {
            Ok(namespace) => namespace,
            Err(error) => {
                problems.push(Problem::new(self.key.span(), error.to_string()));
                return None;
            }
        };
        Some(Wanted {
            span: self.key.span(),
            switch,
            names: [
                InterfaceName::inside(&namespace).to_string(),
                InterfaceName::switch_side(&namespace).to_string(),
            ],
            ip: self.section.ip.as_ref(),
            mac: self.section.mac.as_ref(),
            mtu: self.section.mtu.as_ref(),
        })
    }

    fn attachment(
        &self,
        host: &str,
        wanted: Wanted<'_>,
        problems: &mut Vec<Problem>,
    ) -> Attachment {
        let [interface, port] = wanted.names;
        let addresses = wanted
            .ip
            .map(|ip| placed(Some(ip), |address: &HostAddress| address.0));
        let mac = wanted.mac.map(|mac| Placed {
            value: mac.0.0.to_string(),
            span: mac.span(),
        });
        let mtu = wanted
            .mtu
            .map_or(MTU_BYTES, |mtu| in_range(mtu, &MTUS, "an MTU", problems));
        Attachment {
            host: host.to_owned(),
            addresses,
            mac: mac.unwrap_or_else(|| Placed {
                value: station(&format!("{}/{host}/{interface}", self.lab)),
                span: wanted.span.clone(),
            }),
            mtu: Placed {
                value: mtu,
                span: wanted.mtu.map_or_else(|| wanted.span.clone(), At::span),
            },
            span: wanted.span,
            interface,
            port,
            switch: wanted.switch,
        }
    }
}

/// One of several interfaces of a host.
fn several<'a>(host: &str, item: &'a At<InterfaceSection>) -> Wanted<'a> {
    let switch = Placed {
        value: item.switch.0.to_string(),
        span: item.switch.span(),
    };
    let inside = match &item.name {
        Some(name) => name.0.to_string(),
        None => InterfaceName::shortened(&switch.value).to_string(),
    };
    let port = InterfaceName::shortened(&format!("{host}-{inside}"));
    Wanted {
        span: item
            .name
            .as_ref()
            .map_or_else(|| item.switch.span(), At::span),
        switch,
        names: [inside, port.to_string()],
        ip: item.ip.as_ref(),
        mac: item.mac.as_ref(),
        mtu: item.mtu.as_ref(),
    }
}

/// A MAC address of one's own making (IEEE 802-2014 8.4.2), always the same for the same text: so
/// it stays when the host is plugged in anew.
fn station(text: &str) -> String {
    let hash = fnv(text);
    let [_, _, _, b, c, d, e, f] = (hash ^ (hash >> 24)).to_be_bytes();
    vswitch_switch::wire::MacAddr([2, b, c, d, e, f]).to_string()
}
