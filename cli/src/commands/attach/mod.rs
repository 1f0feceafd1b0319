//! `vswitch attach`: connect a namespace to a switch.

mod target;

use std::os::fd::AsFd;

use crate::args::AttachArgs;
use crate::render;
use target::Target;
use vswitch_control::client::Client;
use vswitch_control::protocol::{AttachParams, Attached, method};
use vswitch_control::runtime_dir::RuntimeDir;

pub(crate) fn run(runtime: &RuntimeDir, args: &AttachArgs) -> anyhow::Result<()> {
    let target = Target::find(args)?;
    let mut client = Client::choose(runtime, args.switch.as_ref(), super::BY_OPTION)?;
    let params = AttachParams {
        addresses: args.addresses.iter().map(ToString::to_string).collect(),
        mac: args.mac.map(|mac| mac.to_string()),
        mtu: args.mtu,
        interface: args.interface.as_ref().map(ToString::to_string),
        port: args.port.as_ref().map(ToString::to_string),
        settings: args.settings.0.clone().into(),
        create: !args.no_create,
        ..AttachParams::default()
    };
    let params = target.describe(params);
    let attached: Attached = match &target.opened {
        Some(namespace) => client.call_with(method::ATTACH, &params, namespace.as_fd())?,
        None => client.call(method::ATTACH, &params)?,
    };
    if args.json {
        render::print_json(&attached)?;
    } else {
        render::print_sentence(&sentence(&attached, client.switch().as_str()))?;
    }
    Ok(())
}

fn sentence(attached: &Attached, switch: &str) -> String {
    let created = if attached.created { " (created)" } else { "" };
    let addresses: Vec<String> = attached.addresses.iter().map(ToString::to_string).collect();
    let address = match addresses.as_slice() {
        [] => "no address".to_owned(),
        some => some.join(", "),
    };
    format!(
        "{}{created} is attached to {switch}: {} inside with {address}, {} at the switch\n",
        attached.namespace, attached.peer, attached.port
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_is_one_line() {
        let attached = Attached {
            namespace: "mario".into(),
            created: true,
            port: "mario-vsw".into(),
            id: 1,
            peer: "mario-netns".into(),
            mac: "02:00:00:00:00:01".into(),
            mtu: 1500,
            addresses: vec![
                "10.0.0.1/24".parse().unwrap(),
                "fd00::1/64".parse().unwrap(),
            ],
        };
        assert_eq!(
            sentence(&attached, "my_switch"),
            "mario (created) is attached to my_switch: mario-netns inside with 10.0.0.1/24, \
             fd00::1/64, mario-vsw at the switch\n"
        );
    }
}
