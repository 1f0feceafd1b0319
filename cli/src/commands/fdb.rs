//! `vswitch fdb`: the MAC table.

use crate::args::{FdbAction, FdbArgs, FdbShowArgs};
use crate::render;
use vswitch_control::client::Client;
use vswitch_control::protocol::{
    FdbAddParams, FdbDelParams, FdbEntry, FdbFlushParams, Removed, method,
};
use vswitch_control::runtime_dir::RuntimeDir;

pub(crate) fn run(runtime: &RuntimeDir, args: FdbArgs) -> anyhow::Result<()> {
    let connect = |switch: Option<_>| Client::choose(runtime, switch, super::BY_OPTION);
    match args.action.unwrap_or(FdbAction::Show(args.show)) {
        FdbAction::Show(FdbShowArgs { switch, json }) => {
            let stations = connect(switch.as_ref())?.stations()?;
            if json {
                render::print_json(&stations)?;
            } else {
                render::print(&render::stations(&stations))?;
            }
        }
        FdbAction::Add(args) => {
            let params = FdbAddParams {
                mac: args.mac.to_string(),
                port: args.port,
                vlan: args.vlan,
            };
            connect(args.switch.as_ref())?.call::<FdbEntry>(method::FDB_ADD, &params)?;
        }
        FdbAction::Del(args) => {
            let params = FdbDelParams {
                mac: args.mac.to_string(),
                vlan: args.vlan,
            };
            connect(args.switch.as_ref())?.call::<Removed>(method::FDB_DEL, &params)?;
        }
        FdbAction::Flush(args) => {
            let params = FdbFlushParams { port: args.port };
            connect(args.switch.as_ref())?.call::<Removed>(method::FDB_FLUSH, &params)?;
        }
    }
    Ok(())
}
