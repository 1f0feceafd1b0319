//! A running switch between real namespaces: what its users see of it.

mod accounting;
mod churn;
mod descriptors;
mod frames;
mod groups;
mod idle;
mod jumbo;
mod kinds;
mod lab;
mod learning;
mod link;
mod memory;
mod order;
mod protection;
mod reference;
mod storm;
mod tcp;
mod tutorial;
mod udp;

use libtest_mimic::Trial;

/// Tests of the area.
pub(crate) fn tests() -> Vec<Trial> {
    let areas = [
        accounting::tests,
        churn::tests,
        descriptors::tests,
        groups::tests,
        idle::tests,
        jumbo::tests,
        kinds::tests,
        learning::tests,
        link::tests,
        memory::tests,
        order::tests,
        protection::tests,
        storm::tests,
        tcp::tests,
        tutorial::tests,
        udp::tests,
    ];
    areas.into_iter().flat_map(|tests| tests()).collect()
}
