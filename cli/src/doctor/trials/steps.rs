//! The trials, in the namespaces of a child.

use std::fs;
use std::io;

use vswitch_netns::{InterfaceName, Namespace, Netlink, VethEnd};
use vswitch_switch::port::{PacketOptions, PacketPort, ReceivePath, TapOptions, TapPort};

use super::{Outcome, Step};

/// Both ends of the cable on which the rest is tried.
const NEAR: &str = "doctor-a";
const FAR: &str = "doctor-b";

/// Tries everything, one after the other. What needs a cable is left out where there is none.
pub(super) fn all() -> Vec<(Step, Outcome)> {
    let mut found = vec![(Step::NamedNamespaces, named_namespaces())];
    let cable = veth();
    let has_cable = cable.is_ok();
    found.push((Step::Veth, cable));
    if has_cable {
        let port = |path| port(path);
        found.push((Step::PacketSocket, port(ReceivePath::Socket)));
        found.push((Step::Ring, port(ReceivePath::Ring)));
        found.push((Step::Settings, settings()));
        found.push((Step::Classifier, classifier()));
    }
    found.push((Step::Tap, tap()));
    found
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn named_namespaces() -> Outcome {
    Namespace::create("doctor").map_err(told)?;
    Namespace::delete("doctor").map_err(told)
}

fn veth() -> Outcome {
    let end = |name| InterfaceName::new(name).map(VethEnd::new).map_err(told);
    let mut netlink = Netlink::open().map_err(told)?;
    let link = netlink
        .create_veth(&end(NEAR)?, &end(FAR)?, None)
        .map_err(told)?;
    netlink.set_up(&link).map_err(told)
}

fn port(receive: ReceivePath) -> Outcome {
    let options = PacketOptions {
        receive,
        ..PacketOptions::default()
    };
    PacketPort::open_with(NEAR, &options)
        .map(drop)
        .map_err(told)
}

/// Writes what is there already.
fn settings() -> Outcome {
    let path = format!("/proc/sys/net/ipv6/conf/{NEAR}/disable_ipv6");
    match fs::read_to_string(&path) {
        Ok(value) => {
            fs::write(&path, value).map_err(|error| format!("cannot write {path}: {error}"))
        }
        // A kernel without IPv6 has nothing to set.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("cannot read {path}: {error}")),
    }
}

fn classifier() -> Outcome {
    let mut netlink = Netlink::open().map_err(told)?;
    let link = netlink.link(NEAR).map_err(told)?;
    let quiet = netlink.quiet(&link).map_err(told)?;
    if quiet.takes_all() {
        Ok(())
    } else {
        Err("the kernel takes no classifier at ingress".to_owned())
    }
}

fn tap() -> Outcome {
    TapPort::create(None, TapOptions::default())
        .map(drop)
        .map_err(told)
}
