//! A lab as its file has it, everything that may be left out filled in, each part with its place.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;
use vswitch_netns::InterfaceName;

use super::file::{LabFile, LinkSection};
use super::filler::Filler;
use super::list::List;
use super::parse::Problem;
use super::section::Places;
use super::source::PortSource;
use super::text::{At, Text};
use vswitch_control::names::{LabName, SwitchName};
use vswitch_control::settings::{PortSettings, Schema, SwitchSettings};

/// The MTU where none is given.
pub(super) const MTU_BYTES: u32 = 1500;
pub(super) const MTUS: std::ops::RangeInclusive<u32> = 68..=65_535;
pub(super) const COUNTS: std::ops::RangeInclusive<u32> = 1..=10_000;

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

impl Switch {
    /// The subnet of its hosts.
    pub(super) fn subnet(&self) -> Option<IpNet> {
        self.settings.subnet.map(|subnet| subnet.0)
    }
}

#[derive(Debug)]
pub(super) struct Switch {
    pub(super) span: Span,
    /// Where its settings are.
    pub(super) places: Places,
    /// Defaults included.
    pub(super) settings: SwitchSettings,
    pub(super) ports: Vec<Placed<PortSource>>,
    pub(super) force_ports: bool,
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
    pub(super) settings: PortSettings,
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
        let switch = Switch {
            span: key.span(),
            places: section.places.clone(),
            settings: section.settings.clone().or_default(),
            ports: placed(section.ports.as_ref(), PortSource::clone),
            force_ports: section.force_ports,
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

/// The name of the only switch, if there is just one.
fn only(switches: &BTreeMap<String, Switch>) -> Option<String> {
    let mut names = switches.keys();
    names.next().filter(|_| names.next().is_none()).cloned()
}

pub(super) fn in_range(
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

pub(super) fn placed<T, U>(
    list: Option<&At<List<Text<T>>>>,
    convert: impl Fn(&T) -> U,
) -> Vec<Placed<U>> {
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

fn link(section: &LinkSection, problems: &mut Vec<Problem>) -> Option<Link> {
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
