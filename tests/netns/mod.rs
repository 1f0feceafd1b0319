//! Tests of the namespace library, `vswitch-netns`.

mod quiet;
mod veth;

use libtest_mimic::Trial;
use vswitch_netns::{InterfaceName, VethEnd};

/// Tests of the area.
pub(crate) fn tests() -> Vec<Trial> {
    [quiet::tests(), veth::tests()]
        .into_iter()
        .flatten()
        .collect()
}

fn end(name: &str) -> VethEnd {
    VethEnd::new(InterfaceName::new(name).unwrap())
}
