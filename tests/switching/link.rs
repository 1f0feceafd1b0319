//! Interfaces that vanish, and that go down and up again, under a running switch.

use libtest_mimic::Trial;
use vswitch_netns::Netlink;
use vswitch_switch::control::Event;
use vswitch_switch::port::LinkState;

use super::lab::{Host, INSIDE, Lab, Plan, wait_for_carrier};
use crate::harness::isolated;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated(
            "switching_others_go_on_when_an_interface_vanishes",
            interface_vanishes,
        ),
        isolated(
            "switching_others_go_on_when_a_namespace_vanishes",
            namespace_vanishes,
        ),
        isolated(
            "switching_a_vanished_interface_is_noticed_without_traffic",
            noticed_without_traffic,
        ),
        isolated(
            "switching_a_port_works_again_when_its_interface_is_up_again",
            port_goes_down_and_up,
        ),
        isolated(
            "switching_a_host_is_reached_again_when_it_is_up_again",
            host_goes_down_and_up,
        ),
        isolated(
            "switching_an_interface_that_is_moved_away_is_absent",
            interface_moves_away,
        ),
    ]
}

/// Everybody has spoken with everybody.
fn acquainted(count: usize) -> Lab {
    let lab = Lab::talking(count);
    all_pings(&lab);
    for host in &lab.hosts {
        assert_eq!(lab.whereabouts(host.mac()), [host.port_name()]);
    }
    lab
}

fn all_pings(lab: &Lab) {
    for from in &lab.hosts {
        for to in lab.hosts.iter().filter(|to| to.mac() != from.mac()) {
            from.ping(to.v4(), 56);
            from.ping(to.v6(), 56);
        }
    }
}

/// A port whose interface has gone is absent, has no stations, and can be removed; and there can
/// be another one of its name.
fn replace_absent(lab: &mut Lab, gone: [u8; 6], name: &str) {
    lab.wait_for("the port is absent", || {
        lab.port(name).link == LinkState::Absent
    });
    assert_eq!(lab.whereabouts(gone), [""; 0], "its stations are forgotten");
    all_pings(lab);
    assert_eq!(lab.port(name).link, LinkState::Absent);
    drop(lab.handle().remove_port(name).unwrap());
    assert_eq!(lab.handle().ports().unwrap().len(), lab.hosts.len());

    let host = Host::new(&mut lab.netlink, 3, Plan::TALKING);
    lab.handle().add_port(host.open_port()).unwrap();
    lab.hosts.push(host);
    all_pings(lab);
}

fn interface_vanishes() {
    let mut lab = acquainted(3);
    let host = lab.hosts.pop().unwrap();
    let link = lab.netlink.link(&host.port_name()).unwrap();
    lab.netlink.delete_link(&link).unwrap();
    replace_absent(&mut lab, host.mac(), &host.port_name());
    lab.stop();
}

fn namespace_vanishes() {
    let mut lab = acquainted(3);
    let host = lab.hosts.pop().unwrap();
    let (gone, name) = (host.mac(), host.port_name());
    // Nothing else keeps the namespace, and it takes the cable with it.
    drop(host);
    replace_absent(&mut lab, gone, &name);
    lab.stop();
}

fn noticed_without_traffic() {
    let mut lab = Lab::silent(2);
    let events = lab.handle().subscribe(100).unwrap();
    let id = lab.port("sw2").id;
    let link = lab.netlink.link("sw2").unwrap();
    lab.netlink.delete_link(&link).unwrap();
    let gone = Event::Link {
        port: id,
        state: LinkState::Absent,
    };
    lab.wait_for("the port is absent", || {
        lab.port("sw2").link == LinkState::Absent
    });
    assert!(
        events
            .receiver()
            .try_iter()
            .any(|notice| notice.event == gone),
        "listeners are told"
    );
    assert_eq!(lab.port("sw1").link, LinkState::Up);
    lab.stop();
}

fn interface_moves_away() {
    let mut lab = acquainted(3);
    let host = lab.hosts.pop().unwrap();
    let link = lab.netlink.link(&host.port_name()).unwrap();
    let elsewhere = vswitch_netns::Namespace::create_unnamed().unwrap();
    let change = vswitch_netns::LinkChange::new().namespace(&elsewhere);
    lab.netlink.change_link(&link, &change).unwrap();
    replace_absent(&mut lab, host.mac(), &host.port_name());
    lab.stop();
}

fn port_goes_down_and_up() {
    let mut lab = acquainted(3);
    let (gone, name) = (lab.hosts[2].mac(), lab.hosts[2].port_name());
    for _ in 0..5 {
        let link = lab.netlink.link(&name).unwrap();
        lab.netlink.set_down(&link).unwrap();
        lab.wait_for("the port is down", || {
            lab.port(&name).link == LinkState::Down
        });
        assert_eq!(lab.whereabouts(gone), [""; 0], "its stations are forgotten");
        lab.hosts[0].ping(lab.hosts[1].v4(), 56);
        lab.netlink.set_up(&link).unwrap();
        wait_for_carrier(&mut lab.netlink, &name);
        let mut inside = Netlink::open_in(&lab.hosts[2].namespace).unwrap();
        wait_for_carrier(&mut inside, INSIDE);
        // Whoever speaks first: this time one of the others.
        lab.hosts[0].ping(lab.hosts[2].v4(), 56);
        lab.wait_for("the port is up", || lab.port(&name).link == LinkState::Up);
        all_pings(&lab);
    }
    lab.stop();
}

fn host_goes_down_and_up() {
    let mut lab = acquainted(3);
    let host = &lab.hosts[2];
    let mut inside = Netlink::open_in(&host.namespace).unwrap();
    for _ in 0..5 {
        let link = inside.link(INSIDE).unwrap();
        inside.set_down(&link).unwrap();
        lab.hosts[0].ping(lab.hosts[1].v4(), 56);
        inside.set_up(&link).unwrap();
        wait_for_carrier(&mut inside, INSIDE);
        wait_for_carrier(&mut lab.netlink, &host.port_name());
        // Its IPv6 address went with the link; its IPv4 address stayed.
        host.ping(lab.hosts[0].v4(), 56);
        lab.hosts[1].ping(host.v4(), 56);
    }
    lab.stop();
}
