//! Interfaces that the machine itself needs, and rules that a port does not heed.

use std::fs;

use libtest_mimic::Trial;
use vswitch_netns::{DuplicateDetection, InterfaceName, Link, Netlink, Route, VethEnd};

use super::{Switch, fails, json, link, ok, run_vswitch};
use crate::harness::{devices, isolated};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_uplink_is_not_taken_by_accident", refused),
        isolated("cli_uplink_below_another_device_is_seen", below),
        isolated("cli_uplink_in_a_lab_needs_a_word", in_a_lab),
        isolated("cli_ingress_rules_are_warned_of", rules),
    ]
}

/// `eth1` with addresses, up, and the other end of its cable.
fn eth1() -> Link {
    let mut here = Netlink::open().unwrap();
    let end = |name| VethEnd::new(InterfaceName::new(name).unwrap());
    let near = here.create_veth(&end("eth1"), &end("far"), None).unwrap();
    let far = here.link("far").unwrap();
    here.set_up(&far).unwrap();
    here.set_up(&near).unwrap();
    for address in ["192.0.2.1/24", "2001:db8::1/64"] {
        let address = address.parse().unwrap();
        here.add_address(&near, address, DuplicateDetection::Skip)
            .unwrap();
    }
    near
}

fn refused() {
    let switch = Switch::start("s");
    let near = eth1();
    let mut here = Netlink::open().unwrap();
    let gateway = |text: &str| text.parse().unwrap();
    let halves = Route::via("0.0.0.0/1".parse().unwrap(), gateway("192.0.2.9"));
    for route in [
        Route::default_via(gateway("192.0.2.9")),
        Route::default_via(gateway("2001:db8::9")),
        Route::on_link("0.0.0.0/0".parse().unwrap(), &near),
        halves,
    ] {
        let route = route.through(&near);
        here.add_route(&route).unwrap();
        let before = link("eth1");
        let complaint = fails("port add eth1", 1);
        assert!(
            complaint.contains("default route leads through 'eth1'")
                && complaint.contains("vswitch port add eth1 --force"),
            "{complaint}"
        );
        assert_eq!(link("eth1"), before);
        assert!(switch.port("eth1").is_null());
        here.delete_route(&route).unwrap();
    }
    // Of another table: policy routing is how many machines have two uplinks.
    devices::default_route_in_table(near.index, 100).unwrap();
    fails("port add eth1", 1);
    ok("port add eth1 --force");
    assert_eq!(switch.port("eth1")["name"], "eth1");
    ok("port del eth1");
    // The other end of the same cable is not needed by anybody.
    ok("port add far");
}

fn below() {
    let _switch = Switch::start("s");
    let near = eth1();
    let mut here = Netlink::open().unwrap();
    devices::macvlan("above", near.index).unwrap();
    let above = here.link("above").unwrap();
    here.set_up(&above).unwrap();
    let route = Route::on_link("0.0.0.0/0".parse().unwrap(), &above);
    here.add_route(&route).unwrap();
    let complaint = fails("port add eth1", 1);
    assert!(complaint.contains("leads through 'above'"), "{complaint}");
    here.delete_route(&route).unwrap();
    ok("port add eth1");
}

fn in_a_lab() {
    let near = eth1();
    let mut here = Netlink::open().unwrap();
    let route = Route::on_link("0.0.0.0/0".parse().unwrap(), &near);
    here.add_route(&route).unwrap();
    let lab = |more: &str| {
        let text = format!("[switch.s]\nports = [\"eth1\"]\n{more}");
        fs::write("/run/lab.toml", text).unwrap();
        run_vswitch(["up", "/run/lab.toml"])
    };
    let output = lab("");
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        complaint.contains("lab.toml:2:10: the machine's default route")
            && complaint.contains("force_ports = true"),
        "{complaint}"
    );
    assert!(json("list").as_array().unwrap().is_empty());
    let output = lab("force_ports = true\n");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(json("port list")[0]["name"], "eth1");
    ok("down /run/lab.toml");
}

fn rules() {
    let _switch = Switch::start("s");
    let near = eth1();
    let warned = || {
        let output = run_vswitch(["port", "add", "eth1"]);
        assert!(output.status.success(), "{output:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        let report = run_vswitch(["doctor", "--json"]).stdout;
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        let findings = report["findings"].as_array().unwrap().iter();
        let mut findings = findings.filter(|finding| finding["check"] == "ingress rules");
        let finding = findings.next().map(ToString::to_string);
        ok("port del eth1");
        // What the switch has put there itself is none, and goes with the port.
        assert_eq!(told.is_empty(), finding.is_none(), "{told} {finding:?}");
        format!("{told}{}", finding.unwrap_or_default())
    };
    assert_eq!(warned(), "");
    devices::drop_at_ingress(near.index).unwrap();
    let told = warned();
    assert!(
        told.contains("warning: rules at the ingress of eth1"),
        "{told}"
    );
    assert_eq!(
        told.matches("tc filter bpf (priority 7)").count(),
        2,
        "{told}"
    );
    if devices::drop_by_nftables("eth1").is_ok() {
        let told = warned();
        assert_eq!(told.matches("nft chain guard all").count(), 2, "{told}");
        let other = run_vswitch(["port", "add", "far"]);
        assert!(other.stderr.is_empty(), "{other:?}");
    }
}
