//! Addresses and routes.

use std::net::IpAddr;

use ipnet::IpNet;
use libtest_mimic::Trial;
use vswitch_netns::{
    AddressError, AddressScope, DuplicateDetection, Link, LinkChange, Namespace, Netlink, Route,
    RouteError, RouteOrigin,
};

use super::end;
use crate::harness::{PATIENCE, icmp, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("netns_addresses_come_and_go", come_and_go),
        isolated("netns_impossible_addresses_are_refused", impossible),
        isolated("netns_ipv6_addresses_work_at_once", work_at_once),
        isolated("netns_routes_come_and_go", routes),
        isolated("netns_routes_carry_packets_over_a_router", router),
        isolated("netns_impossible_routes_are_refused", impossible_routes),
        isolated("netns_routes_tell_who_made_them", origins),
        isolated("netns_neighbours_are_forgotten", neighbours),
    ]
}

const SKIP: DuplicateDetection = DuplicateDetection::Skip;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A pair in the test's namespace, both ends up.
fn pair(netlink: &mut Netlink) -> Link {
    let near = netlink
        .create_veth(&end("near"), &end("far"), None)
        .unwrap();
    let far = netlink.link("far").unwrap();
    netlink.set_up(&near).unwrap();
    netlink.set_up(&far).unwrap();
    near
}

fn come_and_go() {
    let mut netlink = Netlink::open().unwrap();
    let near = pair(&mut netlink);
    let given = [
        "10.0.0.1/24",
        "10.0.0.2/24",
        "192.0.2.1/32",
        "10.1.0.0/31",
        "fd00::1/64",
    ]
    .map(net);
    for address in given {
        netlink.add_address(&near, address, SKIP).unwrap();
    }
    let mut has = |address| {
        let all = netlink.addresses(Some(&near)).unwrap();
        all.iter()
            .any(|a| a.net == address && a.permanent && a.link_index == near.index)
    };
    for address in given {
        assert!(has(address), "{address}");
    }
    assert!(!has(net("10.0.0.3/24")));
    let lo = netlink.link("lo").unwrap();
    let of_lo = netlink.addresses(Some(&lo)).unwrap();
    assert!(
        of_lo.iter().all(|a| a.net.addr().is_loopback()),
        "{of_lo:?}"
    );
    assert!(netlink.addresses(None).unwrap().len() >= of_lo.len() + given.len());

    for address in given {
        let error = netlink.add_address(&near, address, SKIP).unwrap_err();
        assert!(matches!(error, AddressError::Exists { .. }), "{error}");
        let text = format!(
            "the interface near has the address {} already",
            address.addr()
        );
        assert_eq!(error.to_string(), text);
    }
    for address in given.into_iter().rev() {
        netlink.delete_address(&near, address).unwrap();
        let error = netlink.delete_address(&near, address).unwrap_err();
        assert!(matches!(error, AddressError::NotFound { .. }), "{error}");
    }
    let left = netlink.addresses(Some(&near)).unwrap();
    assert!(left.iter().all(|a| !given.contains(&a.net)), "{left:?}");
}

fn impossible() {
    let mut netlink = Netlink::open().unwrap();
    let near = pair(&mut netlink);
    let bad = [
        "0.0.0.0/24",
        "255.255.255.255/24",
        "10.0.0.0/24",
        "10.0.0.255/24",
        "224.0.0.1/24",
        "10.0.0.1/0",
        "::/64",
        "ff02::1/64",
        "fd00::1/0",
    ];
    let count = netlink
        .addresses(None)
        .unwrap()
        .iter()
        .filter(|a| a.net.addr().is_ipv4())
        .count();
    for address in bad {
        let error = netlink.add_address(&near, net(address), SKIP).unwrap_err();
        assert!(matches!(error, AddressError::Unusable { .. }), "{error}");
        assert!(error.to_string().starts_with(address), "{error}");
    }
    let now = netlink.addresses(None).unwrap();
    assert_eq!(now.iter().filter(|a| a.net.addr().is_ipv4()).count(), count);
    std::fs::write("/proc/sys/net/ipv6/conf/near/disable_ipv6", "1").unwrap();
    let error = netlink
        .add_address(&near, net("fd00::1/64"), SKIP)
        .unwrap_err();
    assert!(matches!(error, AddressError::Ipv6Off { .. }), "{error}");
}

fn work_at_once() {
    let mut netlink = Netlink::open().unwrap();
    let near = pair(&mut netlink);
    let tentative = |netlink: &mut Netlink, address| {
        let all = netlink.addresses(Some(&near)).unwrap();
        all.into_iter()
            .find(|a| a.net == address)
            .unwrap()
            .tentative
    };
    assert!(!netlink.leads_here(ip("fd00::1")).unwrap());
    netlink.add_address(&near, net("fd00::1/64"), SKIP).unwrap();
    assert!(!tentative(&mut netlink, net("fd00::1/64")));
    assert!(wait_until(PATIENCE, || {
        netlink.leads_here(ip("fd00::1")).unwrap()
    }));
    assert!(!netlink.leads_here(ip("fd00::99")).unwrap());
    netlink
        .add_address(&near, net("10.0.9.1/24"), SKIP)
        .unwrap();
    assert!(netlink.leads_here(ip("10.0.9.1")).unwrap());
    assert!(!netlink.leads_here(ip("10.0.9.2")).unwrap());
    netlink
        .add_address(&near, net("fd00::2/64"), DuplicateDetection::Perform)
        .unwrap();
    assert!(wait_until(PATIENCE, || !tentative(
        &mut netlink,
        net("fd00::2/64")
    )));
}

fn routes() {
    let mut netlink = Netlink::open().unwrap();
    let near = pair(&mut netlink);
    netlink
        .add_address(&near, net("10.0.0.1/24"), SKIP)
        .unwrap();
    netlink.add_address(&near, net("fd00::1/64"), SKIP).unwrap();
    let given = [
        Route::default_via(ip("10.0.0.254")),
        Route::default_via(ip("fd00::fe")).metric(7),
        Route::via(net("172.16.0.0/12"), ip("10.0.0.253")).metric(50),
        Route::on_link(net("192.0.2.0/24"), &near),
        Route::via(net("2001:db8::/32"), ip("fe80::1")).through(&near),
    ];
    for route in &given {
        netlink.add_route(route).unwrap();
    }
    let listed = |netlink: &mut Netlink, wanted: &Route| {
        let all = netlink.routes().unwrap();
        all.iter().any(|route| {
            route.destination == wanted.destination
                && route.gateway == wanted.gateway
                && route.link_index == Some(near.index)
                && (wanted.metric.is_none() || route.metric == wanted.metric)
        })
    };
    for route in &given {
        assert!(listed(&mut netlink, route), "{route}");
        let error = netlink.add_route(route).unwrap_err();
        assert!(matches!(error, RouteError::Exists { .. }), "{error}");
    }
    for route in &given {
        netlink.delete_route(route).unwrap();
        assert!(!listed(&mut netlink, route), "{route}");
        let error = netlink.delete_route(route).unwrap_err();
        assert!(matches!(error, RouteError::NotFound { .. }), "{error}");
    }
}

fn router() {
    let mario = Namespace::create("mario").unwrap();
    let mut here = Netlink::open().unwrap();
    let mut there = Netlink::open_in(&mario).unwrap();
    let near = here
        .create_veth(&end("near"), &end("far"), Some(&mario))
        .unwrap();
    let (far, lo) = (there.link("far").unwrap(), there.link("lo").unwrap());
    here.set_up(&near).unwrap();
    there.set_up(&far).unwrap();
    there.change_link(&lo, &LinkChange::new().up(true)).unwrap();
    here.add_address(&near, net("10.0.0.1/24"), SKIP).unwrap();
    there.add_address(&far, net("10.0.0.2/24"), SKIP).unwrap();
    there.add_address(&lo, net("203.0.113.5/32"), SKIP).unwrap();
    assert!(
        icmp::ping(ip("203.0.113.5"), None, 8, PATIENCE).is_err(),
        "no route yet"
    );
    here.add_route(&Route::default_via(ip("10.0.0.2"))).unwrap();
    icmp::ping_until(ip("203.0.113.5"), None, 8, PATIENCE).unwrap();
}

fn impossible_routes() {
    let mut netlink = Netlink::open().unwrap();
    let near = pair(&mut netlink);
    netlink
        .add_address(&near, net("10.0.0.1/24"), SKIP)
        .unwrap();
    let error = netlink
        .add_route(&Route::default_via(ip("172.16.0.1")))
        .unwrap_err();
    assert!(matches!(error, RouteError::Unreachable { .. }), "{error}");
    let error = netlink
        .add_route(&Route::via(net("::/0"), ip("10.0.0.2")))
        .unwrap_err();
    assert!(matches!(error, RouteError::Mixed { .. }), "{error}");
}

fn origins() {
    let mut netlink = Netlink::open().unwrap();
    let near = pair(&mut netlink);
    netlink
        .add_address(&near, net("10.0.0.1/24"), SKIP)
        .unwrap();
    let first = Route::default_via(ip("10.0.0.254")).source(ip("10.0.0.1"));
    netlink.add_route(&first).unwrap();
    let second = Route::default_via(ip("10.0.0.253"));
    netlink.replace_route(&second).unwrap();
    let entries = netlink.route_entries().unwrap();
    let to = |destination: &str| {
        let found = entries
            .iter()
            .find(|e| e.route.destination == net(destination));
        found.unwrap_or_else(|| panic!("{destination}: {entries:?}"))
    };
    assert_eq!(to("0.0.0.0/0").origin, RouteOrigin::Static);
    assert_eq!(
        to("0.0.0.0/0").route,
        second.through(&near),
        "the first is replaced"
    );
    assert_eq!(to("10.0.0.0/24").origin, RouteOrigin::Kernel);
    assert_eq!(to("10.0.0.0/24").route.source, Some(ip("10.0.0.1")));
    let mixed = Route::default_via(ip("10.0.0.254")).source(ip("fd00::1"));
    let error = netlink.add_route(&mixed).unwrap_err();
    assert!(matches!(error, RouteError::Mixed { .. }), "{error}");
    netlink.delete_route(&Route::to(net("0.0.0.0/0"))).unwrap();

    let lo = netlink.link("lo").unwrap();
    let scope = |all: &[vswitch_netns::Address], address: &str| {
        all.iter().find(|a| a.net == net(address)).map(|a| a.scope)
    };
    let of_lo = netlink.addresses(Some(&lo)).unwrap();
    assert_eq!(scope(&of_lo, "127.0.0.1/8"), Some(AddressScope::Host));
    let all = netlink.addresses(None).unwrap();
    assert_eq!(scope(&all, "10.0.0.1/24"), Some(AddressScope::Global));
}

fn neighbours() {
    let mut netlink = Netlink::open().unwrap();
    let other = Namespace::create_unnamed().unwrap();
    let near = netlink
        .create_veth(&end("near"), &end("far"), Some(&other))
        .unwrap();
    let mut inside = Netlink::open_in(&other).unwrap();
    let far = inside.link("far").unwrap();
    netlink.set_up(&near).unwrap();
    inside.set_up(&far).unwrap();
    netlink
        .add_address(&near, net("10.0.0.1/24"), SKIP)
        .unwrap();
    inside.add_address(&far, net("10.0.0.2/24"), SKIP).unwrap();
    let known = |netlink: &mut Netlink| {
        netlink
            .forget_neighbour(near.index, ip("10.0.0.2"))
            .unwrap()
    };
    assert!(!known(&mut netlink), "nobody has asked yet");
    icmp::ping_until(ip("10.0.0.2"), None, 56, PATIENCE).unwrap();
    assert!(known(&mut netlink));
    assert!(!known(&mut netlink), "it was forgotten");
    // What it is told it believes: nobody has this address.
    let nobody = [2, 0, 0, 0, 0, 9];
    let mut learn = |mac| netlink.learn_neighbour(near.index, ip("10.0.0.2"), mac);
    assert!(learn(nobody).unwrap());
    assert!(!learn([2, 0, 0, 0, 0, 8]).unwrap(), "it knows one already");
    let deceived = icmp::ping(
        ip("10.0.0.2"),
        None,
        56,
        std::time::Duration::from_millis(100),
    );
    assert!(deceived.is_err());
    assert!(known(&mut netlink));
    icmp::ping_until(ip("10.0.0.2"), None, 56, PATIENCE).unwrap();
}
