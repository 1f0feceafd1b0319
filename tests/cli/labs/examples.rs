//! The labs in examples/labs.

use libtest_mimic::Trial;

use super::{LabFile, nothing_is_left, reaches};
use crate::cli::{Surroundings, json};
use crate::harness::isolated;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli::labs::the_tutorial_comes_up_and_goes", tutorial),
        isolated("cli::labs::a_router_joins_two_subnets", router),
        isolated("cli::labs::a_data_centre_is_one_network", datacentre),
    ]
}

fn tutorial() {
    let before = Surroundings::now();
    let lab = LabFile::new(include_str!("../../../examples/labs/tutorial.toml"));
    assert_eq!(lab.up(), "the lab 'lab' is up: 1 switch, 2 hosts\n");
    reaches("mario", "10.0.0.2");
    assert!(lab.up().starts_with("nothing to do"));
    lab.down();
    nothing_is_left(&before);
}

fn router() {
    let before = Surroundings::now();
    let lab = LabFile::new(include_str!("../../../examples/labs/router.toml"));
    lab.up();
    reaches("mario", "10.0.2.1");
    reaches("mario", "fd00:2::1");
    // What has been given the next free address comes back through the router too.
    reaches("peach", "10.0.1.2");
    assert!(lab.up().starts_with("nothing to do"));
    let status = json("status");
    assert_eq!(status[0]["whole"], true, "{status}");
    lab.down();
    nothing_is_left(&before);
}

fn datacentre() {
    let before = Surroundings::now();
    let lab = LabFile::new(include_str!("../../../examples/labs/datacentre.toml"));
    lab.up();
    // From one end of the tree to the other, and out of it.
    reaches("web1", "10.10.0.2");
    reaches("web4", "10.10.1.1");
    reaches("db2", "10.20.0.1");
    assert!(lab.up().starts_with("nothing to do"));
    lab.down();
    nothing_is_left(&before);
}
