//! `vswitch bench`.

use crate::args::BenchArgs;
use crate::runtime_dir::RuntimeDir;

pub(crate) fn run(runtime: &RuntimeDir, args: BenchArgs) -> anyhow::Result<()> {
    anyhow::bail!("bench is not part of this build ({runtime:?} {args:?})")
}
