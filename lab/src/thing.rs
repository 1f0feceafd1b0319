//! What a lab is made of: things, each with a key that tells it from the others and a description
//! of how it is to be. Of these are what a file wants, what was made, and what is there.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use vswitch_control::settings::{Kind, PortSettings, Schema, Setting, SwitchSettings};

/// What tells a thing from all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Key {
    /// A network namespace.
    Host {
        /// The host.
        host: String,
    },
    /// A switch.
    Switch {
        /// The switch.
        switch: String,
    },
    /// A veth pair between two switches, by the names of its ends.
    Pair {
        /// One end.
        end: String,
        /// The other end.
        other: String,
    },
    /// A setting inside a host, by its path below `/proc/sys`.
    Sysctl {
        /// The host.
        host: String,
        /// Its path below `/proc/sys`.
        path: String,
    },
    /// An interface that is a port of a switch.
    Port {
        /// The switch.
        switch: String,
        /// The interface.
        interface: String,
    },
    /// The veth pair of a host, by the name of its inside end.
    Cable {
        /// The host.
        host: String,
        /// The interface.
        interface: String,
    },
    /// A route of a host.
    Route {
        /// The host.
        host: String,
        /// The destination.
        to: IpNet,
    },
    /// The commands that a host is made ready with.
    Setup {
        /// The host.
        host: String,
    },
    /// A command that runs in a host; the same may be there several times.
    Command {
        /// The host.
        host: String,
        /// The command and its arguments.
        words: Vec<String>,
        /// Which of those with the same words.
        nth: usize,
    },
}

/// How a thing is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case")]
pub enum Spec {
    /// Its key says all.
    Plain,
    /// The interface of a port is made; the kind of port.
    Device {
        /// The kind of port.
        device: String,
    },
    /// The settings of a switch, defaults included.
    Switch(Box<SwitchSettings>),
    /// The MTU of a pair between switches.
    Pair {
        /// The MTU in bytes.
        mtu: u32,
    },
    /// A setting's value.
    Sysctl {
        /// The value.
        value: String,
    },
    /// A host's cable.
    Cable(CableSpec),
    /// A route's next hop.
    Route {
        /// The address of the next hop.
        via: IpAddr,
    },
    /// Commands, in their order.
    Setup {
        /// The commands.
        commands: Vec<Vec<String>>,
    },
}

/// How a host is plugged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CableSpec {
    /// The switch.
    pub switch: String,
    /// The end at the switch.
    pub port: String,
    /// The addresses of the inside end.
    pub addresses: Vec<IpNet>,
    /// The MAC address of the inside end.
    pub mac: String,
    /// The MTU in bytes.
    pub mtu: u32,
    /// What is set for its port.
    #[serde(default)]
    pub settings: Box<PortSettings>,
}

/// Things, by their keys.
pub(crate) type Things = BTreeMap<Key, Spec>;

/// The number of different [`Key::rank`]s.
pub(crate) const RANKS: u8 = 7;

impl Key {
    /// When it is made: after all that have a lower number. Removed in the reverse order. Hosts
    /// go last: a switch that somebody else has asked to attach one has ended by then.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Host { .. } => 0,
            Self::Switch { .. } | Self::Pair { .. } => 1,
            Self::Sysctl { path, .. } if interface_of(path).is_none() => 2,
            Self::Port { .. } => 2,
            Self::Cable { .. } => 3,
            Self::Sysctl { .. } | Self::Route { .. } => 4,
            Self::Setup { .. } => 5,
            Self::Command { .. } => 6,
        }
    }

    /// The host that it is in, or is.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Host { host }
            | Self::Sysctl { host, .. }
            | Self::Cable { host, .. }
            | Self::Route { host, .. }
            | Self::Setup { host }
            | Self::Command { host, .. } => Some(host),
            Self::Switch { .. } | Self::Pair { .. } | Self::Port { .. } => None,
        }
    }

    /// What it is, in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Host { .. } => "host",
            Self::Switch { .. } => "switch",
            Self::Pair { .. } => "link",
            Self::Sysctl { .. } => "sysctl",
            Self::Port { .. } => "port",
            Self::Cable { .. } => "cable",
            Self::Route { .. } => "route",
            Self::Setup { .. } => "setup",
            Self::Command { .. } => "command",
        }
    }

    /// What must be there for this to be: when one of them goes, or is made anew, this goes too.
    pub fn needs(&self, spec: &Spec, things: &Things) -> Vec<Self> {
        let host = |host: &String| Self::Host { host: host.clone() };
        match (self, spec) {
            (Self::Host { .. } | Self::Switch { .. } | Self::Pair { .. }, _) => Vec::new(),
            (Self::Port { switch, interface }, _) => {
                let has_it = |key: &&Self| matches!(key, Self::Pair { end, other } if end == interface || other == interface);
                let pair = things.keys().find(has_it).cloned();
                let switch = switch.clone();
                [Self::Switch { switch }].into_iter().chain(pair).collect()
            }
            (Self::Cable { host: of, .. }, Spec::Cable(cable)) => {
                let switch = cable.switch.clone();
                vec![host(of), Self::Switch { switch }]
            }
            (Self::Route { host: of, .. }, Spec::Route { via }) => {
                let cables = cables_of(things, of);
                let leads = cables.filter(|(_, cable)| is_on(cable, *via));
                [host(of)]
                    .into_iter()
                    .chain(leads.map(|(key, _)| key.clone()))
                    .collect()
            }
            (Self::Sysctl { host: of, path }, _) => {
                let interface = interface_of(path).map(str::to_owned);
                let cable = interface.map(|interface| Self::Cable {
                    host: of.clone(),
                    interface,
                });
                let cable = cable.filter(|cable| things.contains_key(cable));
                [host(of)].into_iter().chain(cable).collect()
            }
            (
                Self::Cable { host: of, .. }
                | Self::Route { host: of, .. }
                | Self::Setup { host: of }
                | Self::Command { host: of, .. },
                _,
            ) => vec![host(of)],
        }
    }
}

/// The cables of a host.
pub(crate) fn cables_of<'a>(
    things: &'a Things,
    of: &'a str,
) -> impl Iterator<Item = (&'a Key, &'a CableSpec)> {
    let first = Key::Cable {
        host: of.to_owned(),
        interface: String::new(),
    };
    things
        .range(first..)
        .take_while(move |(key, _)| matches!(key, Key::Cable { host, .. } if host == of))
        .filter_map(|(key, spec)| match spec {
            Spec::Cable(cable) => Some((key, cable)),
            _ => None,
        })
}

/// Whether an address is on the network behind a cable. A link-local one is on any.
pub(crate) fn is_on(cable: &CableSpec, address: IpAddr) -> bool {
    is_link_local(address) || cable.addresses.iter().any(|net| net.contains(&address))
}

/// Whether an address means something on its own link alone.
pub(crate) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// The interface that a setting is of, if it is of one.
pub(crate) fn interface_of(path: &str) -> Option<&str> {
    let mut parts = path
        .split('/')
        .skip_while(|part| !matches!(*part, "conf" | "neigh"));
    let (_, interface) = (parts.next()?, parts.next()?);
    (!matches!(interface, "all" | "default") && parts.next().is_some()).then_some(interface)
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { host } => write!(f, "host {host}"),
            Self::Switch { switch } => write!(f, "switch {switch}"),
            Self::Pair { end, other } => write!(f, "link {end} – {other}"),
            Self::Sysctl { host, path } => write!(f, "host {host}, {}", dotted(path)),
            Self::Port { switch, interface } => write!(f, "switch {switch}, port {interface}"),
            Self::Cable { host, interface } => write!(f, "host {host}, {interface}"),
            Self::Route { host, to } if to.prefix_len() == 0 => {
                let version = if to.addr().is_ipv4() { 4 } else { 6 };
                write!(f, "host {host}, IPv{version} gateway")
            }
            Self::Route { host, to } => write!(f, "host {host}, route to {to}"),
            Self::Setup { host } => write!(f, "host {host}, setup"),
            Self::Command { host, words, .. } => write!(f, "host {host}, command {}", shown(words)),
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => Ok(()),
            Self::Device { device } => f.write_str(device),
            Self::Switch(switch) => f.write_str(&joined(&fields_of(switch.as_ref()), true)),
            Self::Pair { mtu } => write!(f, "mtu {mtu}"),
            Self::Sysctl { value } => f.write_str(value),
            Self::Cable(cable) => f.write_str(&joined(&fields_of_cable(cable), true)),
            Self::Route { via } => write!(f, "via {via}"),
            Self::Setup { commands } => {
                let lines: Vec<_> = commands.iter().map(|words| shown(words)).collect();
                f.write_str(&lines.join("; "))
            }
        }
    }
}

/// A field of a description, and whether it is worth telling when it is not what differs.
type Field = (String, bool);

/// A field for each setting.
fn fields_of<S: Schema>(settings: &S) -> Vec<Field> {
    let field = |setting: &Setting| {
        let name = setting.name;
        let text = settings.text(setting);
        let default = setting.default.map(|default| default());
        let is_told = text != default;
        let told = match (setting.kind, text) {
            (_, None) => format!("no {name}"),
            (Kind::Flag { no, .. }, Some(text)) if text == no => format!("no {name}"),
            (Kind::Flag { .. }, Some(_)) => name.to_owned(),
            (_, Some(text)) => format!("{name} {text}"),
        };
        (told, is_told)
    };
    S::ALL.iter().map(field).collect()
}

fn fields_of_cable(cable: &CableSpec) -> Vec<Field> {
    let addresses: Vec<_> = cable.addresses.iter().map(ToString::to_string).collect();
    let addresses = match addresses.as_slice() {
        [] => "no address".to_owned(),
        some => some.join(", "),
    };
    let mut fields = vec![
        (addresses, true),
        (format!("at {}", cable.switch), true),
        (format!("port {}", cable.port), false),
        (format!("mac {}", cable.mac), false),
        (format!("mtu {}", cable.mtu), cable.mtu != 1500),
    ];
    fields.extend(fields_of(cable.settings.as_ref()));
    fields
}

fn joined(fields: &[Field], all: bool) -> String {
    let told = fields.iter().filter(|(_, worth)| !all || *worth);
    let texts: Vec<_> = told.map(|(text, _)| text.as_str()).collect();
    texts.join(", ").replace(", at ", " at ")
}

impl Spec {
    /// This and another in words, only what differs.
    pub fn versus(&self, other: &Self) -> (String, String) {
        let fields = |spec: &Self| match spec {
            Self::Switch(switch) => fields_of(switch.as_ref()),
            Self::Cable(cable) => fields_of_cable(cable),
            other => vec![(other.to_string(), true)],
        };
        let (ours, theirs) = (fields(self), fields(other));
        let differing = ours.into_iter().zip(theirs).filter(|(a, b)| a.0 != b.0);
        let (ours, theirs): (Vec<_>, Vec<_>) = differing.unzip();
        (joined(&ours, false), joined(&theirs, false))
    }
}

/// A setting as in sysctl(8).
pub(crate) fn dotted(path: &str) -> String {
    let swap = |c| match c {
        '/' => '.',
        '.' => '/',
        other => other,
    };
    path.chars().map(swap).collect()
}

/// A command as it was written.
pub(crate) fn shown(words: &[String]) -> String {
    let line = match words {
        [shell, flag, line] if shell == "sh" && flag == "-c" => line.clone(),
        words => words.join(" "),
    };
    vswitch_control::plain::text(&line).into_owned()
}
