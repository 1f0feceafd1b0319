//! `vswitch schema`: the JSON schema of lab files.

use crate::args::SchemaArgs;
use crate::render;
use vswitch_control::settings;

pub(crate) fn run(args: &SchemaArgs) -> anyhow::Result<()> {
    if args.reference {
        render::print(&settings::reference())?;
    } else {
        render::print(&vswitch_lab::schema()?)?;
    }
    Ok(())
}
