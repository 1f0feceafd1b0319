//! What is left of what was made: the record, held against the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::thread;
use std::time::Duration;

use vswitch_netns::{Link, Netlink};

use super::commands;
use super::observe::{self, Found, Inside};
use super::plan::{Held, Present};
use super::record::{Noted, Proof, Record};
use super::thing::{CableSpec, Key, Spec};
use vswitch_control::client::{Client, ClientError};
use vswitch_control::names::{LabName, SwitchName};
use vswitch_control::protocol::{PortState, PortView, SwitchView};
use vswitch_control::runtime_dir::{LabDir, RuntimeDir};
use vswitch_control::settings::{Schema, SwitchSettings};

/// After so long a switch that has hung up is asked once more.
const MOMENT: Duration = Duration::from_millis(50);

/// What was found.
#[derive(Debug)]
pub struct Survey {
    /// All that is in the record, as it is.
    pub present: Present,
    /// Of these, what is not what was made, but something else of the same name.
    pub foreign: BTreeSet<Key>,
    /// The switches that run, whoever has started them.
    pub switches: BTreeMap<String, SwitchView>,
    /// Those that could not be asked, and why.
    pub silent: BTreeMap<String, ClientError>,
    /// The interfaces of the machine.
    pub links: Vec<Link>,
}

/// Looks at all that is in the record, and at the switches that are `named`.
///
/// # Errors
/// Where the kernel cannot be asked at all.
pub(crate) fn survey(
    runtime: &RuntimeDir,
    lab: &LabName,
    record: &Record,
    named: impl Iterator<Item = String>,
) -> anyhow::Result<Survey> {
    let recorded = record.things.keys().filter_map(|key| match key {
        Key::Switch { switch } => Some(switch.clone()),
        _ => None,
    });
    let names: BTreeSet<String> = recorded.chain(named).collect();
    let (mut switches, mut silent) = (BTreeMap::new(), BTreeMap::new());
    for name in names {
        match ask(runtime, &name) {
            Ok(Some(view)) => drop(switches.insert(name, view)),
            Ok(None) => {}
            Err(error) => drop(silent.insert(name, error)),
        }
    }
    let links = Netlink::open()?.links()?;
    let hosts: Vec<(&str, &Noted)> = record
        .things
        .iter()
        .filter_map(|(key, noted)| match key {
            Key::Host { host } => Some((host.as_str(), noted)),
            _ => None,
        })
        .collect();
    let looker = Looker {
        lab,
        dir: runtime.lab(lab),
        hosts: observe::look(&hosts, &sysctls_of(record)),
        switches: &switches,
        silent: &silent,
        links: &links,
    };
    let mut present = Present::new();
    let mut foreign = BTreeSet::new();
    for (key, noted) in &record.things {
        let look = looker.look(key, noted);
        if matches!(look, Look::Foreign(_)) {
            foreign.insert(key.clone());
        }
        present.insert(key.clone(), look.held(noted));
    }
    Ok(Survey {
        present,
        foreign,
        switches,
        silent,
        links,
    })
}

/// The switch `name`, if it runs.
fn ask(runtime: &RuntimeDir, name: &str) -> Result<Option<SwitchView>, ClientError> {
    let Ok(name) = name.parse::<SwitchName>() else {
        return Ok(None);
    };
    let show = || Client::connect(runtime, &name).and_then(|mut client| client.show());
    let mut shown = show();
    if matches!(&shown, Err(ClientError::Broken { source, .. }) if !is_timeout(source)) {
        // It was ending at this very moment.
        thread::sleep(MOMENT);
        shown = show();
    }
    match shown {
        Ok(view) => Ok(Some(view)),
        Err(ClientError::NotRunning(_) | ClientError::Killed(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn sysctls_of(record: &Record) -> BTreeMap<&str, Vec<&str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for key in record.things.keys() {
        if let Key::Sysctl { host, path } = key {
            all.entry(host).or_default().push(path);
        }
    }
    all
}

/// What became of one thing.
enum Look {
    /// It is as this says.
    Good(Spec),
    /// It does not do.
    Broken(String),
    /// It is another's.
    Foreign(String),
}

impl Look {
    fn held(self, noted: &Noted) -> Held {
        match self {
            Self::Good(spec) if noted.made => Held { spec, broken: None },
            Self::Good(spec) => Held {
                spec,
                broken: Some("its making was interrupted".to_owned()),
            },
            Self::Broken(why) | Self::Foreign(why) => Held {
                spec: noted.spec.clone(),
                broken: Some(why),
            },
        }
    }
}

struct Looker<'a> {
    lab: &'a LabName,
    dir: LabDir,
    hosts: BTreeMap<&'a str, Found>,
    switches: &'a BTreeMap<String, SwitchView>,
    silent: &'a BTreeMap<String, ClientError>,
    links: &'a [Link],
}

impl Looker<'_> {
    fn look(&self, key: &Key, noted: &Noted) -> Look {
        let look = match (key, &noted.spec) {
            (Key::Host { host }, _) => self.host(host),
            (Key::Switch { switch }, Spec::Switch(noted)) => self
                .switch(switch)
                .map(|view| Spec::Switch(Box::new(settings_of(view, noted)))),
            (Key::Pair { end, other }, _) => self.pair(end, other, noted),
            (Key::Port { switch, interface }, _) => self
                .port(switch, interface, None)
                .map(|_| noted.spec.clone()),
            (Key::Cable { host, interface }, Spec::Cable(cable)) => {
                self.cable(host, interface, cable)
            }
            (Key::Sysctl { host, path }, _) => self.sysctl(host, path, &noted.spec),
            (Key::Route { host, to }, Spec::Route { via }) => {
                self.inside(host).and_then(|inside| {
                    let mut routes = inside.routes.iter();
                    let found = routes.any(|r| r.destination == *to && r.gateway == Some(*via));
                    found.then(|| noted.spec.clone()).ok_or_else(gone)
                })
            }
            (Key::Setup { host }, _) => self.inside(host).map(|_| noted.spec.clone()),
            (Key::Command { .. }, _) => commands::look(&self.dir, key)
                .map(|()| Spec::Plain)
                .map_err(Look::Broken),
            _ => Err(gone()),
        };
        match look {
            Ok(spec) => Look::Good(spec),
            Err(look) => look,
        }
    }

    fn host(&self, host: &str) -> Result<Spec, Look> {
        match self.hosts.get(host) {
            Some(Found::Here(_)) => Ok(Spec::Plain),
            Some(Found::Stale) => Err(Look::Broken("its namespace is gone".to_owned())),
            Some(Found::Foreign) => Err(Look::Foreign(
                "it is a namespace that this lab has not made".to_owned(),
            )),
            Some(Found::Unknown(why)) => Err(Look::Broken(why.clone())),
            Some(Found::Gone) | None => Err(gone()),
        }
    }

    fn inside(&self, host: &str) -> Result<&Inside, Look> {
        match self.hosts.get(host) {
            Some(Found::Here(inside)) => Ok(inside),
            _ => Err(Look::Broken("its host is gone".to_owned())),
        }
    }

    fn switch(&self, name: &str) -> Result<&SwitchView, Look> {
        if let Some(error) = self.silent.get(name) {
            return Err(Look::Broken(error.to_string()));
        }
        let Some(view) = self.switches.get(name) else {
            return Err(Look::Broken("it is not running".to_owned()));
        };
        if view.lab.as_deref() != Some(self.lab.as_str()) {
            return Err(Look::Foreign(
                "another user or program started it".to_owned(),
            ));
        }
        Ok(view)
    }

    fn pair(&self, end: &str, other: &str, noted: &Noted) -> Result<Spec, Look> {
        let Proof::Stations(stations) = &noted.proof else {
            return Err(gone());
        };
        let mut mtu = None;
        for (name, station) in [end, other].into_iter().zip(stations) {
            let Some(link) = self.links.iter().find(|link| link.name == name) else {
                return Err(gone());
            };
            if !is_station(link, station) {
                return Err(Look::Foreign(
                    "it is an interface that this lab has not made".to_owned(),
                ));
            }
            mtu = Some(link.mtu_bytes);
        }
        mtu.map(|mtu| Spec::Pair { mtu }).ok_or_else(gone)
    }

    fn port(&self, switch: &str, port: &str, namespace: Option<&str>) -> Result<&PortView, Look> {
        if self.silent.contains_key(switch) {
            return Err(Look::Broken("its switch does not answer".to_owned()));
        }
        self.switch(switch)
            .map_err(|_| Look::Broken("its switch is not running".to_owned()))?;
        let view = self.switches.get(switch);
        let mut ports = view.iter().flat_map(|view| &view.ports);
        let found = ports.find(|found| found.name == port);
        match found {
            Some(found) if found.state == PortState::Absent => {
                Err(Look::Broken("its interface has vanished".to_owned()))
            }
            Some(found) if found.namespace.as_deref() == namespace => Ok(found),
            _ => Err(Look::Broken("its port is gone".to_owned())),
        }
    }

    fn cable(&self, host: &str, interface: &str, cable: &CableSpec) -> Result<Spec, Look> {
        let inside = self.inside(host)?;
        let port = self.port(&cable.switch, &cable.port, Some(host))?;
        let link = inside.link(interface).ok_or_else(gone)?;
        if port.peer.as_deref() != Some(interface) {
            return Err(Look::Broken("its port is gone".to_owned()));
        }
        if !link.up {
            return Err(Look::Broken("its interface is down".to_owned()));
        }
        // Those that it was given before, too: a change may have been interrupted.
        let before = port.addresses.iter();
        let before = before.filter(|address| !cable.addresses.contains(address));
        let here = cable.addresses.iter().chain(before).copied();
        Ok(Spec::Cable(CableSpec {
            addresses: here.filter(|address| inside.has(link, *address)).collect(),
            mac: mac_of(link),
            mtu: link.mtu_bytes,
            settings: Box::new(port.settings.0.clone()),
            ..cable.clone()
        }))
    }

    fn sysctl(&self, host: &str, path: &str, spec: &Spec) -> Result<Spec, Look> {
        let value = self.inside(host)?.sysctls.get(path).cloned().flatten();
        if value.is_none() && observe::is_of_missing_ipv6(path) {
            return Ok(spec.clone());
        }
        let value = value.ok_or_else(gone)?;
        Ok(Spec::Sysctl { value })
    }
}

fn gone() -> Look {
    Look::Broken("it is gone".to_owned())
}

/// The settings of a running switch. Those that it does not show are as they were `noted` when it was
/// started.
pub(super) fn settings_of(view: &SwitchView, noted: &SwitchSettings) -> SwitchSettings {
    let mut settings = view.settings.0.clone();
    for setting in SwitchSettings::ALL.iter().filter(|setting| !setting.shown) {
        settings.copy(setting, noted);
    }
    settings.or_default()
}

fn mac_of(link: &Link) -> String {
    let mac = link.mac.map(vswitch_switch::frame::MacAddr);
    mac.map(|mac| mac.to_string()).unwrap_or_default()
}

/// Whether an interface is the one that was made with this address.
pub(super) fn is_station(link: &Link, station: &str) -> bool {
    link.kind.as_deref() == Some("veth") && mac_of(link) == station
}
