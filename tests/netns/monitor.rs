//! News of links.

use std::os::fd::AsFd;

use libtest_mimic::Trial;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vswitch_netns::{LinkChange, LinkEvent, LinkMonitor, Namespace, Netlink};

use super::end;
use crate::harness::{PATIENCE, devices, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("netns_monitor_tells_what_came_changed_and_went", tells),
        isolated("netns_monitor_watches_another_namespace", elsewhere),
        isolated(
            "netns_monitor_knows_leaving_a_bridge_from_going",
            leaves_bridge,
        ),
        isolated("netns_monitor_wakes_a_poller", wakes),
        isolated("netns_monitor_survives_an_overrun", overrun),
    ]
}

/// Reads until an event for which `wanted` holds comes; those before it are passed over.
fn expect(monitor: &mut LinkMonitor, wanted: impl Fn(&LinkEvent) -> bool) -> LinkEvent {
    let mut found = None;
    wait_until(PATIENCE, || {
        while let Some(event) = monitor.next_event().unwrap() {
            if wanted(&event) {
                found = Some(event);
                return true;
            }
        }
        false
    });
    found.expect("the event has not come")
}

fn changed(event: &LinkEvent, name: &str, up: bool) -> bool {
    matches!(event, LinkEvent::Changed(link) if link.name == name && link.up == up)
}

fn removed(event: &LinkEvent, wanted: u32) -> bool {
    matches!(event, LinkEvent::Removed { index, .. } if *index == wanted)
}

fn tells() {
    let mario = Namespace::create("mario").unwrap();
    let mut netlink = Netlink::open().unwrap();
    let mut monitor = LinkMonitor::open().unwrap();
    assert_eq!(monitor.next_event().unwrap(), None);
    let near = netlink
        .create_veth(&end("near"), &end("far"), None)
        .unwrap();
    expect(&mut monitor, |event| changed(event, "near", false));
    netlink.set_up(&near).unwrap();
    expect(&mut monitor, |event| changed(event, "near", true));
    netlink
        .change_link(&near, &LinkChange::new().name("renamed".parse().unwrap()))
        .unwrap();
    let event = expect(&mut monitor, |event| changed(event, "renamed", true));
    assert!(matches!(event, LinkEvent::Changed(link) if link.index == near.index));
    netlink.set_down(&near).unwrap();
    expect(&mut monitor, |event| changed(event, "renamed", false));
    // Moving away is going away.
    let far = netlink.link("far").unwrap();
    netlink
        .change_link(&far, &LinkChange::new().namespace(&mario))
        .unwrap();
    expect(&mut monitor, |event| removed(event, far.index));
    netlink.delete_link(&near).unwrap();
    let event = expect(&mut monitor, |event| removed(event, near.index));
    assert!(matches!(event, LinkEvent::Removed { name, .. } if name == "renamed"));
    assert_eq!(monitor.links().unwrap().len(), 1);
}

fn elsewhere() {
    let mario = Namespace::create("mario").unwrap();
    let mut monitor = LinkMonitor::open_in(&mario).unwrap();
    let mut here = Netlink::open().unwrap();
    here.create_veth(&end("near"), &end("far"), Some(&mario))
        .unwrap();
    let is_new = |event: &LinkEvent| matches!(event, LinkEvent::Changed(_));
    let LinkEvent::Changed(link) = expect(&mut monitor, is_new) else {
        unreachable!()
    };
    assert_eq!(link.name, "far", "news of another namespace");
}

fn leaves_bridge() {
    let mut netlink = Netlink::open().unwrap();
    let near = netlink
        .create_veth(&end("near"), &end("far"), None)
        .unwrap();
    devices::bridge("br0").unwrap();
    let bridge = netlink.link("br0").unwrap();
    let mut monitor = LinkMonitor::open().unwrap();
    devices::set_master(near.index, bridge.index).unwrap();
    assert_eq!(netlink.link("near").unwrap().master, Some(bridge.index));
    devices::set_master(near.index, 0).unwrap();
    // The kernel tells of it with RTM_DELLINK, but of the family of bridges.
    netlink.set_up(&near).unwrap();
    let event = expect(&mut monitor, |event| {
        removed(event, near.index) || changed(event, "near", true)
    });
    assert!(changed(&event, "near", true), "{event:?}");
    assert_eq!(netlink.link("near").unwrap().master, None);
}

fn wakes() {
    let mut monitor = LinkMonitor::open().unwrap();
    let readable = |monitor: &LinkMonitor, timeout: PollTimeout| {
        let mut fds = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, timeout).unwrap() == 1
    };
    assert!(!readable(&monitor, PollTimeout::ZERO));
    let mut netlink = Netlink::open().unwrap();
    netlink
        .create_veth(&end("near"), &end("far"), None)
        .unwrap();
    assert!(readable(&monitor, PollTimeout::from(30_000_u16)));
    while monitor.next_event().unwrap().is_some() {}
    assert!(!readable(&monitor, PollTimeout::ZERO));
}

fn overrun() {
    let mut netlink = Netlink::open().unwrap();
    let mut monitor = LinkMonitor::open().unwrap();
    let near = netlink
        .create_veth(&end("near"), &end("far"), None)
        .unwrap();
    // Nobody reads meanwhile: several thousand events do not fit.
    for n in 0..6000 {
        let change = LinkChange::new()
            .alias(format!("{n:0>200}"))
            .mtu_bytes(1000 + n % 2);
        netlink.change_link(&near, &change).unwrap();
    }
    netlink.delete_link(&near).unwrap();
    let first = monitor.next_event().unwrap();
    let mut resynchronised = first == Some(LinkEvent::Resynchronise);
    let mut before = 0;
    while !resynchronised {
        match monitor.next_event().unwrap() {
            Some(LinkEvent::Resynchronise) => resynchronised = true,
            Some(_) => before += 1,
            None => panic!("no overrun was told after {before} events"),
        }
    }
    // What was queued before the loss must not come after it: it would bring the link back.
    assert_eq!(monitor.next_event().unwrap(), None);
    let names: Vec<_> = monitor
        .links()
        .unwrap()
        .into_iter()
        .map(|link| link.name)
        .collect();
    assert_eq!(names, ["lo"]);
    // And the monitor goes on.
    netlink
        .create_veth(&end("again"), &end("far"), None)
        .unwrap();
    expect(&mut monitor, |event| changed(event, "again", false));
}
