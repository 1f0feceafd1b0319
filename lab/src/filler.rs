//! One section of a host, what it leaves out filled in.

use vswitch_netns::{InterfaceName, NamespaceName};

use super::draft::{Attachment, COUNTS, Host, MTU_BYTES, MTUS, Placed, Span, in_range, placed};
use super::file::{HostAddress, HostSection, InterfaceSection, Station};
use super::hash::fnv;
use super::list::List;
use super::parse::Problem;
use super::scalar::CommandLine;
use super::section::With;
use super::text::{At, Text};
use vswitch_control::names::LabName;
use vswitch_control::settings::PortSettings;

/// Fills in one section of a host.
pub(super) struct Filler<'a> {
    pub(super) lab: &'a LabName,
    pub(super) section: &'a With<PortSettings, HostSection>,
    pub(super) key: &'a At<Text<NamespaceName>>,
    /// The switch that it is plugged into if it does not say.
    pub(super) only_switch: Option<String>,
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
    settings: &'a PortSettings,
}

impl Filler<'_> {
    /// The names of the hosts of this section: one, or as many as it says.
    pub(super) fn names(&self, problems: &mut Vec<Problem>) -> Vec<String> {
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

    pub(super) fn host(&self, name: String) -> Host {
        let section = self.section;
        let routes = section.routes.0.iter();
        let words = |lines: &[At<CommandLine>]| lines.iter().map(|line| line.0.clone()).collect();
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

    pub(super) fn attachments(&self, host: &str, problems: &mut Vec<Problem>) -> Vec<Attachment> {
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
        let settings = section.places.iter();
        let settings = settings.map(|(key, place)| (*key, Some(place.clone())));
        for (key, span) in [
            ("ip", section.ip.as_ref().map(At::span)),
            ("mac", section.mac.as_ref().map(At::span)),
            ("mtu", section.mtu.as_ref().map(At::span)),
        ]
        .into_iter()
        .chain(settings)
        {
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
            settings: &self.section.settings,
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
            settings: wanted.settings.clone(),
            span: wanted.span,
            interface,
            port,
            switch: wanted.switch,
        }
    }
}

/// One of several interfaces of a host.
fn several<'a>(host: &str, item: &'a At<With<PortSettings, InterfaceSection>>) -> Wanted<'a> {
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
        settings: &item.settings,
    }
}

/// A MAC address of one's own making (IEEE 802-2014 8.4.2), always the same for the same text: so
/// it stays when the host is plugged in anew.
fn station(text: &str) -> String {
    let hash = fnv(text);
    let [_, _, _, b, c, d, e, f] = (hash ^ (hash >> 24)).to_be_bytes();
    vswitch_switch::frame::MacAddr([2, b, c, d, e, f]).to_string()
}
