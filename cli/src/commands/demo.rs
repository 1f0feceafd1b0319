//! `vswitch demo`.

use crate::args::DemoArgs;

pub(crate) fn run(args: DemoArgs) -> anyhow::Result<()> {
    anyhow::bail!("the demo is not part of this build ({})", args.json)
}
