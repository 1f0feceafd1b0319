//! `vswitch link`: network interfaces.

mod add;
mod set;
mod show;

pub(super) use show::flags;

use super::WrongUsage;
use crate::args::{LinkAction, LinkArgs, LinkFilter};
use crate::place::Place;

pub(crate) fn run(args: LinkArgs) -> anyhow::Result<()> {
    match args.action {
        None => show::run(&args.inside, &LinkFilter::default(), args.json),
        Some(LinkAction::Show(args)) => {
            let (inside, json) = (args.inside.clone(), args.json);
            let filter = args.resolve().map_err(WrongUsage)?;
            show::run(&inside, &filter, json)
        }
        Some(LinkAction::Add(args)) => {
            let inside = args.inside.clone();
            add::run(&inside, &args.resolve().map_err(WrongUsage)?)
        }
        Some(LinkAction::Set(args)) => {
            let inside = args.inside.clone();
            let (name, settings) = args.resolve().map_err(WrongUsage)?;
            set::run(&inside, &name, &settings)
        }
        Some(LinkAction::Del(args)) => {
            let inside = args.inside.clone();
            let names = args.resolve().map_err(WrongUsage)?;
            let mut place =
                Place::open_to("delete a network interface", inside.namespace.as_ref())?;
            // Nothing is deleted unless all are there.
            for name in &names {
                place.link(name)?;
            }
            for name in &names {
                // Gone with its other end, which was named before it.
                if let Some(link) = place.netlink.find_link(name.as_str())? {
                    place.netlink.delete_link(&link)?;
                }
            }
            Ok(())
        }
    }
}
