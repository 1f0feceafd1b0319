//! Tests of the namespace library, `vswitch-netns`.

mod addresses;
mod bridges;
mod elsewhere;
mod inside;
mod links;
mod monitor;
mod namespaces;
mod offloads;
mod quiet;
mod veth;

use libtest_mimic::Trial;
use vswitch_netns::{InterfaceName, VethEnd};

/// Tests of the area.
pub(crate) fn tests() -> Vec<Trial> {
    let areas = [
        addresses::tests(),
        bridges::tests(),
        elsewhere::tests(),
        inside::tests(),
        links::tests(),
        monitor::tests(),
        namespaces::tests(),
        offloads::tests(),
        quiet::tests(),
        veth::tests(),
    ];
    areas.into_iter().flatten().collect()
}

fn end(name: &str) -> VethEnd {
    VethEnd::new(InterfaceName::new(name).unwrap())
}
