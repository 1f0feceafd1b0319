//! Interfaces and namespaces that change or vanish under a switch: the others go on.

use std::net::IpAddr;

use libtest_mimic::Trial;
use vswitch_netns::{InterfaceName, LinkChange, Namespace, Netlink};

use super::{Switch, link, ok};
use crate::harness::{PATIENCE, icmp, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_attached_namespaces_talk", talk),
        isolated(
            "cli_vanished_interface_is_absent_and_replaced",
            interface_vanishes,
        ),
        isolated(
            "cli_vanished_namespace_is_absent_and_replaced",
            namespace_vanishes,
        ),
        isolated("cli_port_follows_its_link_down_and_up", down_and_up),
        isolated("cli_port_survives_a_new_name", renamed),
        isolated("cli_namespace_is_attached_again_and_again", again),
    ]
}

fn ping(from: &str, to: &str) {
    let to: IpAddr = to.parse().unwrap();
    let namespace = Namespace::open(from).unwrap();
    namespace
        .run(|| icmp::ping_until(to, None, 56, PATIENCE).map_err(|error| error.to_string()))
        .unwrap()
        .unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
}

fn lab() -> Switch {
    let switch = Switch::start("s");
    for (number, name) in [(1, "mario"), (2, "luigi"), (3, "peach")] {
        ok(&format!(
            "attach {name} --ip 10.0.0.{number}/24 --ip fd00::{number}/64"
        ));
    }
    switch
}

fn becomes(switch: &Switch, port: &str, state: &str) {
    let holds = wait_until(PATIENCE, || switch.port(port)["state"] == state);
    assert!(holds, "{port} is not {state}: {}", switch.port(port));
}

fn talk() {
    let _switch = lab();
    ping("mario", "10.0.0.2");
    ping("luigi", "fd00::1");
    let inside = Namespace::open("mario").unwrap();
    let mut netlink = Netlink::open_in(&inside).unwrap();
    for name in ["lo", "mario-netns"] {
        assert!(netlink.link(name).unwrap().up, "{name}");
    }
    let addresses = netlink.addresses(None).unwrap();
    assert!(
        !addresses
            .iter()
            .any(|a| a.permanent && a.tentative && !is_link_local(a.net.addr()))
    );
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

fn interface_vanishes() {
    let switch = lab();
    let outside = link("mario-vsw").unwrap();
    Netlink::open().unwrap().delete_link(&outside).unwrap();
    becomes(&switch, "mario-vsw", "absent");
    ping("luigi", "10.0.0.3");
    // Attaching anew replaces the port, with its number.
    ok("attach mario --ip 10.0.0.1/24");
    becomes(&switch, "mario-vsw", "up");
    assert_eq!(switch.show()["ports"].as_array().unwrap().len(), 3);
    ping("mario", "10.0.0.3");
    // And what is absent can be detached.
    let outside = link("peach-vsw").unwrap();
    Netlink::open().unwrap().delete_link(&outside).unwrap();
    becomes(&switch, "peach-vsw", "absent");
    ok("detach peach");
    assert!(switch.port("peach-vsw").is_null());
}

fn namespace_vanishes() {
    let switch = lab();
    ok("netns del mario");
    becomes(&switch, "mario-vsw", "absent");
    ping("luigi", "10.0.0.3");
    ok("attach mario --ip 10.0.0.1/24");
    ping("mario", "10.0.0.2");
    switch.stop();
    assert_eq!(super::namespaces(), ["luigi", "mario", "peach"]);
}

fn down_and_up() {
    let switch = lab();
    let mut netlink = Netlink::open().unwrap();
    let outside = link("mario-vsw").unwrap();
    netlink.set_down(&outside).unwrap();
    becomes(&switch, "mario-vsw", "down");
    ping("luigi", "10.0.0.3");
    netlink.set_up(&outside).unwrap();
    becomes(&switch, "mario-vsw", "up");
    ping("mario", "10.0.0.2");
    // The other end does it as well: the carrier is lost.
    let inside = Namespace::open("mario").unwrap();
    let mut inner = Netlink::open_in(&inside).unwrap();
    let end = inner.link("mario-netns").unwrap();
    inner.set_down(&end).unwrap();
    becomes(&switch, "mario-vsw", "down");
    inner.set_up(&end).unwrap();
    becomes(&switch, "mario-vsw", "up");
    ping("mario", "10.0.0.2");
}

fn renamed() {
    let switch = lab();
    let outside = link("mario-vsw").unwrap();
    let rename = LinkChange::new().name(InterfaceName::new("elsewise").unwrap());
    Netlink::open()
        .unwrap()
        .change_link(&outside, &rename)
        .unwrap();
    ping("mario", "10.0.0.2");
    assert_eq!(switch.port("mario-vsw")["state"], "up");
    ok("detach mario");
    assert!(link("elsewise").is_none(), "the pair goes by its index");
}

fn again() {
    let switch = lab();
    for _ in 0..10 {
        ok("detach mario");
        assert!(link("mario-vsw").is_none());
        ok("attach mario --ip 10.0.0.1/24");
    }
    ping("mario", "10.0.0.2");
    let ids: Vec<_> = switch.show()["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| port["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, [1, 2, 3], "numbers are used again");
}
