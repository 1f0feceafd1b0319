//! What stands in the way of a lab on this machine: names that are taken, interfaces that are not
//! there. Told before anything is done.

use vswitch_netns::{Link, Namespace, Netlink};

use super::draft::Span;
use super::lab::Lab;
use super::observe::read_sysctl;
use super::parse::Problem;
use super::plan::{Held, fixed};
use super::survey::Survey;
use super::thing::{CableSpec, Key, Spec};
use vswitch_control::settings::{Schema, SwitchSettings};

/// All that stands in the way.
pub(crate) fn conflicts(lab: &Lab, survey: &Survey) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, spec) in &lab.things {
        let wrong = if survey.foreign.contains(key) {
            Some(format!(
                "the {key} is not the one that this lab made, but another one of its name; remove \
                 it, or choose another name"
            ))
        } else {
            unfit(lab, survey, key, spec)
        };
        if let Some(wrong) = wrong {
            let place = match key {
                Key::Switch { switch } => place_of_fixed(lab, survey, key, switch),
                _ => None,
            };
            let place = place.or_else(|| lab.places.get(key));
            problems.push(Problem::new(place.cloned().unwrap_or_default(), wrong));
        }
    }
    problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
    problems
}

fn unfit(lab: &Lab, survey: &Survey, key: &Key, spec: &Spec) -> Option<String> {
    let held = survey.present.get(key);
    let link = |name: &str| survey.links.iter().find(|link| link.name == name);
    match (key, spec) {
        (Key::Host { host }, _) if held.is_none() && Namespace::exists(host) => Some(format!(
            "there is a namespace '{host}' already, which this lab has not made: choose another \
             name, or remove it ('vswitch netns del {host}')"
        )),
        (Key::Switch { switch }, Spec::Switch(wanted)) => match held {
            None => survey.switches.contains_key(switch).then(|| {
                format!(
                    "a switch '{switch}' runs already, which this lab has not started: choose \
                     another name, or stop it ('vswitch stop {switch}')"
                )
            }),
            Some(held) if held.broken.is_none() => cannot_change(switch, &held.spec, wanted),
            Some(_) => None,
        },
        (Key::Pair { end, other }, _) if held.is_none() => {
            let taken = [end, other].into_iter().find(|name| link(name).is_some());
            taken.map(|name| interface_taken(name))
        }
        (Key::Port { interface, .. }, _) if lab.existing.contains_key(interface) => {
            match link(interface) {
                None => Some(format!(
                    "there is no interface '{interface}' on this machine: 'vswitch link' lists \
                     those that there are"
                )),
                Some(_) if held.is_some() => None,
                Some(found) => cannot_be_port(found).or_else(|| {
                    let may_be_lost = lab.forced.contains(interface);
                    (!may_be_lost).then(|| is_needed(found)).flatten()
                }),
            }
        }
        // That its host is another's is told already.
        (Key::Cable { host, .. }, _)
            if !survey
                .present
                .contains_key(&Key::Host { host: host.clone() })
                && Namespace::exists(host) =>
        {
            None
        }
        (Key::Cable { host, interface }, Spec::Cable(cable))
            if is_ipv6_off(lab, host, governing(held, interface, cable), cable) =>
        {
            Some(format!(
                "IPv6 is switched off in the namespace '{host}', so it cannot have an IPv6 address: \
                 switch it on ('vswitch exec {host} -- sysctl -w net.ipv6.conf.all.disable_ipv6=0'), \
                 or have the lab do so (sysctl.\"net.ipv6.conf.all.disable_ipv6\" = 0)"
            ))
        }
        (Key::Cable { .. }, Spec::Cable(cable)) if held.is_none() => {
            let found = link(&cable.port)?;
            // What a switch that was killed has left, the next of its name removes.
            let alias = format!("vswitch:{}", cable.switch);
            (found.alias.as_deref() != Some(&alias)).then(|| interface_taken(&cable.port))
        }
        _ => None,
    }
}

/// Whose setting counts: that of the interface where it stays, else the default.
fn governing<'a>(held: Option<&Held>, interface: &'a str, wanted: &CableSpec) -> &'a str {
    let stays = held.is_some_and(|held| match &held.spec {
        Spec::Cable(is) if held.broken.is_none() => {
            let readdressed = CableSpec {
                addresses: wanted.addresses.clone(),
                ..is.clone()
            };
            readdressed == *wanted
        }
        _ => false,
    });
    if stays { interface } else { "default" }
}

/// Whether a host that is there could not be given the IPv6 addresses of a cable, as its settings
/// are, or will be by this lab.
fn is_ipv6_off(lab: &Lab, host: &str, governing: &str, cable: &CableSpec) -> bool {
    let is_set = |path: &str| {
        let key = Key::Sysctl {
            host: host.to_owned(),
            path: path.to_owned(),
        };
        lab.things.contains_key(&key)
    };
    let of = |name: &str| format!("net/ipv6/conf/{name}/disable_ipv6");
    let needed = cable
        .addresses
        .iter()
        .any(|address| address.addr().is_ipv6());
    if !needed || ["all", governing].iter().any(|name| is_set(&of(name))) {
        return false;
    }
    let off = Namespace::open(host).and_then(|namespace| {
        namespace.run(|| read_sysctl(&of(governing)).is_ok_and(|value| value == "1"))
    });
    off.unwrap_or(false)
}

fn interface_taken(name: &str) -> String {
    format!(
        "there is an interface '{name}' on this machine already, which this lab has not made: \
         rename it, or what needs the name here"
    )
}

/// Why a running switch cannot become as wanted.
fn cannot_change(switch: &str, is: &Spec, wanted: &SwitchSettings) -> Option<String> {
    let Spec::Switch(is) = is else { return None };
    let setting = fixed(is, wanted)?;
    let shown = |settings: &SwitchSettings| match settings.text(setting) {
        Some(text) => format!(
            "'{} = {}'",
            setting.name,
            vswitch_control::plain::text(&text)
        ),
        None => format!("no '{}'", setting.name),
    };
    Some(format!(
        "the switch '{switch}' has {} and cannot change to {} while it runs: stop it \
         ('vswitch stop {switch}'), then try again",
        shown(is),
        shown(wanted)
    ))
}

/// Where in the file that is.
fn place_of_fixed<'a>(lab: &'a Lab, survey: &Survey, key: &Key, switch: &str) -> Option<&'a Span> {
    let held = survey.present.get(key)?;
    let (Spec::Switch(is), Some(Spec::Switch(wanted))) = (&held.spec, lab.things.get(key)) else {
        return None;
    };
    let setting = fixed(is, wanted)?;
    lab.setting_places.get(switch)?.get(setting.name)
}

/// Whether the machine's default route would be lost with this interface.
fn is_needed(link: &Link) -> Option<String> {
    let mut netlink = Netlink::open().ok()?;
    let through = netlink.default_route_through(link).ok()??;
    Some(format!(
        "the machine's default route leads through '{}' and would be lost with '{}' as a port: name \
         another interface, or say 'force_ports = true' beside 'ports'",
        through.name, link.name
    ))
}

fn cannot_be_port(link: &Link) -> Option<String> {
    let name = &link.name;
    if !link.is_ethernet() {
        return Some(format!(
            "the interface '{name}' is the loopback, or not Ethernet: only Ethernet interfaces can \
             be ports"
        ));
    }
    if link.master.is_some() {
        return Some(format!(
            "the interface '{name}' is a member of a bridge or bond: take it out first"
        ));
    }
    let cable = link.alias.as_deref()?.strip_prefix("vswitch:")?;
    Some(format!(
        "the interface '{name}' connects a namespace to the switch '{cable}': it cannot be a port \
         of its own"
    ))
}
