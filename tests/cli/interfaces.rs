//! `vswitch link`, `addr` and `route`.

use libtest_mimic::Trial;
use serde_json::{Value, json};
use vswitch_netns::{Namespace, Netlink};

use super::{Surroundings, fails, json, link, ok, words};
use crate::harness::program::run_vswitch;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_link_makes_moves_and_deletes_a_pair", pair),
        isolated("cli_link_changes_several_things_at_once", several),
        isolated("cli_link_plugs_into_the_kernels_bridge", bridge),
        isolated("cli_addr_gives_takes_and_shows", addresses),
        isolated("cli_route_adds_replaces_deletes_and_shows", routes),
        isolated("cli_link_addr_route_refuse_in_one_sentence", refusals),
        isolated("cli_link_leaves_nothing_half_made", nothing_half_made),
    ]
}

fn entry(line: &str, name: &str) -> Value {
    let all = json(line);
    let all = all.as_array().unwrap();
    let found = all.iter().find(|entry| entry["ifname"] == name);
    found.cloned().unwrap_or(Value::Null)
}

fn pair() {
    ok("netns add mario");
    ok("link add toad type veth peer name toad-peer");
    assert_eq!(entry("link", "toad")["peer"], "toad-peer");
    assert_eq!(entry("link show", "toad-peer")["peer"], "toad");
    assert_eq!(entry("link", "toad")["linkinfo"]["info_kind"], "veth");
    ok("link set toad netns mario");
    assert!(link("toad").is_none());
    let inside = entry("-n mario link", "toad");
    assert_eq!(inside["peer"], "toad-peer");
    assert_eq!(
        inside["peer_namespace"],
        Value::Null,
        "it is in the default one"
    );
    assert_eq!(entry("link", "toad-peer")["peer_namespace"], "mario");
    let told = ok("link show dev toad-peer");
    assert!(told.contains("toad in mario"), "{told}");
    // Who looks in the wrong place is told the right one.
    assert!(fails("link set toad up", 1).contains("-n mario"));
    ok("link del toad --netns mario");
    assert!(link("toad-peer").is_none(), "both ends go");
    assert_eq!(entry("link -n mario", "toad"), Value::Null);
    ok("link add a type veth peer name b netns mario");
    ok("link delete a");
    assert_eq!(entry("link -n mario", "b"), Value::Null);
}

fn several() {
    ok("netns add mario");
    ok("link add toad mtu 9000 address 02:00:00:00:00:01 type veth peer name toad-peer up");
    let toad = entry("link", "toad");
    assert_eq!(toad["mtu"], 9000);
    assert_eq!(toad["address"], "02:00:00:00:00:01");
    assert!(link("toad-peer").unwrap().up);
    ok(
        "link set dev toad netns mario name eth0 up mtu 1400 address 02:00:00:00:00:02 alias plumber",
    );
    let inside = entry("-n mario link show eth0", "eth0");
    assert_eq!(inside["mtu"], 1400);
    assert_eq!(inside["address"], "02:00:00:00:00:02");
    assert_eq!(inside["ifalias"], "plumber");
    assert!(inside["flags"].as_array().unwrap().contains(&json!("UP")));
    assert_eq!(json("-n mario link show up").as_array().unwrap().len(), 1);
    ok("-n mario link set eth0 down arp off");
    assert_eq!(entry("-n mario link", "eth0")["flags"], json!(["NOARP"]));
    // A process's number stands for its namespace.
    let pid = std::process::id();
    ok(&format!("-n mario link set eth0 netns {pid}"));
    assert_eq!(entry("-n mario link", "eth0"), Value::Null);
}

fn bridge() {
    let made = run_vswitch(words("link add br0 up type bridge"));
    // A kernel without bridges has nothing to be tested.
    if String::from_utf8_lossy(&made.stderr).contains("this kernel has none") {
        return;
    }
    assert!(made.status.success(), "{made:?}");
    ok("link add toad type veth peer name toad-peer");
    ok("link set toad master br0 up");
    assert_eq!(entry("link", "toad")["master"], "br0");
    assert_eq!(json("link show master br0").as_array().unwrap().len(), 1);
    assert_eq!(json("link show type bridge")[0]["ifname"], "br0");
    ok("link set toad nomaster");
    assert_eq!(link("toad").unwrap().master, None);
    // The bridge is looked for where the interface goes.
    ok("netns add mario");
    ok("-n mario link add br1 type bridge");
    ok("link set toad netns mario master br1");
    assert_eq!(entry("-n mario link", "toad")["master"], "br1");
}

fn addresses_of(line: &str, name: &str) -> Vec<String> {
    let entry = entry(line, name);
    let info = entry["addr_info"].as_array().unwrap().iter();
    let global = info.filter(|info| info["scope"] == "global");
    global
        .map(|info| format!("{}/{}", info["local"].as_str().unwrap(), info["prefixlen"]))
        .collect()
}

fn addresses() {
    ok("netns add mario");
    ok("link add toad netns mario type veth peer name toad-peer");
    ok("addr add 10.0.0.1/24 dev toad -n mario");
    ok("-n mario address add fd00::1/64 dev toad");
    ok("-n mario addr add 10.0.0.2/24 brd + dev toad");
    let all = ["10.0.0.1/24", "10.0.0.2/24", "fd00::1/64"];
    assert_eq!(addresses_of("-n mario addr", "toad"), all);
    assert_eq!(addresses_of("-n mario -4 addr show toad", "toad"), all[..2]);
    assert_eq!(
        addresses_of("-n mario addr show dev toad -6", "toad"),
        all[2..]
    );
    let told = ok("-n mario addr");
    assert!(
        told.contains("10.0.0.1/24") && told.contains("global"),
        "{told}"
    );
    // Addresses of the machine itself are none of the namespace's.
    assert_eq!(addresses_of("addr", "toad-peer"), [""; 0]);
    ok("-n mario addr del 10.0.0.2/24 dev toad");
    ok("-n mario addr del fd00::1 dev toad");
    assert_eq!(addresses_of("-n mario addr", "toad"), all[..1]);
    ok("-n mario addr add 10.0.0.2/24 dev toad");
    ok("-n mario addr flush dev toad");
    assert_eq!(addresses_of("-n mario addr", "toad"), [""; 0]);
}

fn routes() {
    ok("netns add mario");
    ok("link add toad netns mario up type veth peer name toad-peer up");
    ok("addr add 10.0.0.1/24 dev toad -n mario");
    ok("addr add fd00::1/64 dev toad -n mario");
    ok("-n mario route add default via 10.0.0.254");
    ok("-n mario route add 10.1.0.0/24 via 10.0.0.253 dev toad metric 50 src 10.0.0.1");
    // The kernel takes an IPv6 gateway as soon as the network's own route is there.
    assert!(wait_until(PATIENCE, || {
        let line = "-n mario route add default via fd00::fe dev toad";
        run_vswitch(words(line)).status.success()
    }));
    let routes = |line: &str| json(&format!("-n mario {line}"));
    let v4 = routes("route show default -4");
    assert_eq!(v4[0]["gateway"], "10.0.0.254");
    assert_eq!(v4[0]["dev"], "toad");
    assert_eq!(v4[0]["protocol"], "static");
    assert_eq!(routes("-6 route show default")[0]["gateway"], "fd00::fe");
    assert_eq!(routes("route show default").as_array().unwrap().len(), 2);
    let far = routes("route show 10.1.0.0/24");
    assert_eq!(far[0]["metric"], 50);
    assert_eq!(far[0]["prefsrc"], "10.0.0.1");
    let own = routes("route show 10.0.0.0/24");
    assert_eq!(own[0]["protocol"], "kernel");
    assert_eq!(own[0]["prefsrc"], "10.0.0.1");
    ok("-n mario route replace default via 10.0.0.252");
    assert_eq!(routes("route show default -4")[0]["gateway"], "10.0.0.252");
    assert!(fails("-n mario route add default via 10.0.0.1", 1).contains("already"));
    ok("-n mario route del default");
    ok("-n mario route delete 10.1.0.0/24");
    assert_eq!(routes("-4 route show default"), json!([]));
    assert_eq!(json("-4 route"), json!([]), "none of these was here");
}

fn refusals() {
    ok("netns add mario");
    ok("link add toad type veth peer name toad-peer");
    let before = Surroundings::now();
    for (line, status, words) in [
        (
            "link add toad type veth peer name other",
            1,
            "toad exists already",
        ),
        (
            "link add other type veth peer name toad",
            1,
            "toad exists already",
        ),
        ("link set nobody up", 1, "no interface nobody"),
        (
            "link set toad netns nobody",
            1,
            "no network namespace nobody",
        ),
        (
            "link set toad name toad-peer",
            1,
            "toad-peer exists already",
        ),
        ("link set toad mtu 12", 1, "choose one from 68"),
        ("link set lo netns mario", 1, "lo"),
        ("link del lo", 1, "lo cannot be deleted"),
        ("link del toad nobody", 1, "no interface nobody"),
        ("link set toad master toad-peer", 1, "toad"),
        ("link show nobody", 1, "no interface nobody"),
        ("-n nobody link", 1, "no network namespace nobody"),
        ("link set toad mtu many", 2, "whole number"),
        ("link set toad frobnicate", 2, "frobnicate"),
        ("link shwo", 2, "shwo"),
        ("addr add 10.0.0.0/24 dev toad", 1, "network itself"),
        ("addr add 10.0.0.1 dev toad", 2, "prefix length"),
        ("addr del 10.0.0.9/24 dev toad", 1, "does not have"),
        ("addr del 10.0.0.9 dev toad", 1, "does not have"),
        ("addr add 10.0.0.1/24 dev nobody", 1, "no interface nobody"),
        ("route add default via 10.0.0.254", 1, "leads nowhere"),
        ("route add default via fd00::1 src 10.0.0.1", 1, "mixes"),
        ("route del 10.9.0.0/24", 1, "no route to 10.9.0.0/24"),
        ("route add 10.1.0.5/24 via 10.0.0.1", 2, "write 10.1.0.0/24"),
    ] {
        let told = fails(line, status);
        assert!(told.contains(words), "{line}: {told}");
    }
    assert_eq!(Surroundings::now(), before);
}

fn nothing_half_made() {
    ok("netns add mario luigi");
    ok("-n luigi link add taken type veth peer name also-taken");
    let before = Surroundings::now();
    for line in [
        "link add toad up mtu 5 type bridge",
        "link add toad type veth peer name taken netns luigi",
        "link add toad type veth peer name x netns nobody",
        "link add toad netns nobody type bridge",
    ] {
        fails(line, 1);
        assert_eq!(Surroundings::now(), before, "{line}");
    }
    let mario = Namespace::open("mario").unwrap();
    let links = Netlink::open_in(&mario).unwrap().links().unwrap();
    assert_eq!(links.len(), 1, "{links:?}");
}
