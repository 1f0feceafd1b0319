//! `vswitch schema`: the JSON schema of lab files.

use crate::{render, topology};

pub(crate) fn run() -> anyhow::Result<()> {
    render::print(&topology::schema()?)?;
    Ok(())
}
