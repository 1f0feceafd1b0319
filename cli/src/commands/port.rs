//! `vswitch port`: existing interfaces as ports.

use crate::args::PortAction;
use crate::client::Client;
use crate::protocol::{NoParams, PortAddParams, PortDelParams, PortView, Removed, method};
use crate::render;
use crate::runtime_dir::RuntimeDir;

pub(crate) fn run(runtime: &RuntimeDir, action: PortAction) -> anyhow::Result<()> {
    let connect = |switch: Option<_>| Client::choose(runtime, switch, super::BY_OPTION);
    match action {
        PortAction::Add(args) => {
            let params = PortAddParams {
                interface: args.interface.to_string(),
            };
            connect(args.switch.as_ref())?.call::<PortView>(method::PORT_ADD, &params)?;
        }
        PortAction::Del(args) => {
            let params = PortDelParams {
                name: args.interface.to_string(),
            };
            connect(args.switch.as_ref())?.call::<Removed>(method::PORT_DEL, &params)?;
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
