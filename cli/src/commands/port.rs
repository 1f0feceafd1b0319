//! `vswitch port`: interfaces as ports.

use anyhow::anyhow;
use vswitch_netns::Netlink;

use crate::args::PortAction;
use crate::ingress;
use crate::render;
use crate::userlab;
use vswitch_control::client::{Client, ClientError};
use vswitch_control::protocol::{
    NoParams, PortAddParams, PortDelParams, PortSetParams, PortView, Removed, method,
};
use vswitch_control::runtime_dir::RuntimeDir;

pub(crate) fn run(runtime: &RuntimeDir, action: PortAction) -> anyhow::Result<()> {
    let connect = |switch: Option<_>| Client::choose(runtime, switch, super::BY_OPTION);
    match action {
        PortAction::Add(args) => {
            let mut client = connect(args.switch.as_ref())?;
            let params = PortAddParams {
                interface: args.what.interface.to_string(),
                kind: args.what.kind.map(str::to_owned),
                force: args.force,
                settings: args.settings.0.into(),
            };
            client
                .call::<PortView>(method::PORT_ADD, &params)
                .map_err(|error| explain(error, &client, &params))?;
            match params.kind {
                None => warn_of_rules(&params.interface),
                Some(_) => warn_of_place(&params.interface, &client),
            }
        }
        PortAction::Del(args) => {
            let params = PortDelParams {
                name: args.interface.to_string(),
            };
            connect(args.switch.as_ref())?.call::<Removed>(method::PORT_DEL, &params)?;
        }
        PortAction::Set(args) => {
            let params = PortSetParams {
                name: args.port,
                change: args.change.0,
                unblock: args.unblock,
            };
            connect(args.switch.as_ref())?.call::<PortView>(method::PORT_SET, &params)?;
        }
        PortAction::List(args) => {
            let mut client = connect(args.switch.as_ref())?;
            let ports: Vec<PortView> = client.call(method::PORT_LIST, &NoParams {})?;
            if args.json {
                render::print_json(&ports)?;
            } else {
                render::print(&render::ports(&ports))?;
            }
        }
    }
    Ok(())
}

/// Says what rules of the interface have no effect on what the switch gets.
fn warn_of_rules(interface: &str) {
    let rules = ingress::rules(interface);
    if !rules.is_empty() {
        crate::complain(&format!("warning: {}", ingress::warning(interface, &rules)));
    }
}

/// Says where an interface was made, if it is not here.
fn warn_of_place(interface: &str, client: &Client) {
    if !is_here(interface) {
        crate::complain(&format!(
            "warning: the switch '{}' runs in another network namespace than this command, and so does \
             the interface {interface}: move it with 'ip link set {interface} netns ...' there",
            client.switch()
        ));
    }
}

fn is_here(interface: &str) -> bool {
    Netlink::open().is_ok_and(|mut here| here.link(interface).is_ok())
}

/// Why an interface that is to be seen here could not be plugged into a switch that is elsewhere.
fn explain(error: ClientError, client: &Client, params: &PortAddParams) -> anyhow::Error {
    let interface = &params.interface;
    if params.kind.is_none()
        && matches!(error, ClientError::Refused(_))
        && userlab::is_home_of(client)
        && is_here(interface)
    {
        return anyhow!(
            "the switch '{}' runs in your lab, into which the interface '{interface}' of the host \
             can't be plugged: start a switch with 'sudo vswitch run' for that",
            client.switch()
        );
    }
    error.into()
}
