//! Attaching a namespace whose name led to another one before.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use vswitch_netns::{LinkChange, Namespace, Netlink};

use super::{Switch, fails, link, ok};
use crate::harness::packet::Endpoint;
use crate::harness::rpc::Rpc;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_attach_again_once_made_anew", made_anew),
        isolated(
            "cli_attach_again_once_made_anew_under_traffic",
            under_traffic,
        ),
        isolated(
            "cli_attach_again_while_the_old_namespace_is_kept_alive",
            kept_alive,
        ),
        isolated("cli_attach_again_to_another_switch", another_switch),
        isolated(
            "cli_attach_another_with_the_address_of_one_that_went",
            address,
        ),
        isolated("cli_attach_waits_for_an_interface_that_is_going", going),
        isolated("cli_attach_twice_is_still_refused", twice),
    ]
}

const ROUNDS: usize = 40;

/// Deletes the namespace, makes it again and attaches it, many times; each time at once.
fn again_and_again(switch: &Switch) {
    let mut rpc = Rpc::connect(&switch.socket()).unwrap();
    let params = json!({"namespace": "mario", "addresses": ["10.0.0.1/24"], "create": false});
    for round in 0..ROUNDS {
        if round > 0 {
            Namespace::delete("mario").unwrap();
        }
        // As `ip netns add` does it, or `vswitch netns add`.
        let mario = Namespace::create("mario").unwrap();
        let attached = rpc.call("attach", params.clone());
        let attached = attached.unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert_eq!(attached["created"], false);
        let mut inside = Netlink::open_in(&mario).unwrap();
        let end = inside.link("mario-netns").unwrap();
        let addresses = inside.addresses(Some(&end)).unwrap();
        assert!(
            addresses.iter().any(|a| a.net.to_string() == "10.0.0.1/24"),
            "{addresses:?}"
        );
        let port = switch_port(&mut rpc, "mario-vsw");
        assert_eq!(port["state"], "up", "round {round}: {port}");
    }
}

fn switch_port(rpc: &mut Rpc, name: &str) -> Value {
    let ports = rpc.call("port.list", json!({})).unwrap();
    let ports = ports.as_array().unwrap();
    let of_name: Vec<_> = ports.iter().filter(|port| port["name"] == name).collect();
    assert_eq!(of_name.len(), 1, "{ports:?}");
    of_name[0].clone()
}

fn made_anew() {
    let switch = Switch::start("s");
    again_and_again(&switch);
}

fn under_traffic() {
    let switch = Switch::start("s");
    ok("attach luigi --ip 10.0.0.2/24");
    let luigi = Namespace::open("luigi").unwrap();
    let wire = luigi
        .run(|| Endpoint::open("luigi-netns"))
        .unwrap()
        .unwrap();
    drop(luigi);
    let is_over = Arc::new(AtomicBool::new(false));
    let sender = {
        let is_over = Arc::clone(&is_over);
        thread::spawn(move || {
            // To everybody, of an ethertype that nobody handles.
            let mut frame = vec![0xff; 6];
            frame.extend([2, 0, 0, 0, 0, 2, 0x88, 0xb5]);
            frame.resize(1000, 0);
            while !is_over.load(Ordering::Relaxed) {
                for _ in 0..8 {
                    let _ = wire.send(&frame);
                }
                thread::sleep(Duration::from_millis(1));
            }
        })
    };
    again_and_again(&switch);
    is_over.store(true, Ordering::Relaxed);
    sender.join().unwrap();
}

fn kept_alive() {
    let switch = Switch::start("s");
    ok("attach mario --ip 10.0.0.1/24");
    // As a process that still runs in it does.
    let old = Namespace::open("mario").unwrap();
    ok("netns del mario");
    ok("attach mario --ip 10.0.0.1/24");
    let port = switch.port("mario-vsw");
    assert_eq!(port["state"], "up", "{port}");
    let mut inside = Netlink::open_in(&old).unwrap();
    assert!(inside.find_link("mario-netns").unwrap().is_none());
    let new = Namespace::open("mario").unwrap();
    assert_ne!(new, old);
    let mut inside = Netlink::open_in(&new).unwrap();
    assert!(inside.find_link("mario-netns").unwrap().is_some());
    let log = fs::read_to_string(switch.dir().join("log")).unwrap();
    assert!(log.contains("another namespace than mario is now"), "{log}");
}

fn another_switch() {
    let one = Switch::start("one");
    let two = Switch::start("two");
    let mut switches = [&one, &two].into_iter().cycle();
    for round in 0..ROUNDS / 2 {
        if round > 0 {
            Namespace::delete("mario").unwrap();
        }
        let switch = switches.next().unwrap();
        let mut rpc = Rpc::connect(&switch.socket()).unwrap();
        let attached = rpc.call("attach", json!({"namespace": "mario"}));
        attached.unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert_eq!(switch_port(&mut rpc, "mario-vsw")["state"], "up");
    }
    let told = fails("attach mario --switch one", 1);
    assert!(
        told.contains("already attached to the switch 'two'"),
        "{told}"
    );
}

fn address() {
    let switch = Switch::start("s");
    let mut rpc = Rpc::connect(&switch.socket()).unwrap();
    let names = ["mario", "luigi"];
    for round in 0..ROUNDS / 2 {
        let name = names[round % 2];
        let params = json!({"namespace": name, "addresses": ["10.0.0.1/24"]});
        let attached = rpc.call("attach", params);
        attached.unwrap_or_else(|error| panic!("round {round}: {error}"));
        let told = rpc.call(
            "attach",
            json!({"namespace": "toad", "addresses": ["10.0.0.1/24"]}),
        );
        assert!(told.unwrap_err().contains("is that of the namespace"));
        Namespace::delete(name).unwrap();
    }
}

/// An interface of that name which no switch has made.
fn going() {
    let switch = Switch::start("s");
    let mut here = Netlink::open().unwrap();
    let mut rpc = Rpc::connect(&switch.socket()).unwrap();
    for round in 0..ROUNDS / 2 {
        let other = Namespace::create("other").unwrap();
        let end = |name: &str| vswitch_netns::VethEnd::new(name.parse().unwrap());
        here.create_veth(&end("mario-vsw"), &end("inside"), Some(&other))
            .unwrap();
        drop(other);
        if round == 0 {
            let told = rpc
                .call("attach", json!({"namespace": "mario"}))
                .unwrap_err();
            assert!(told.contains("mario-vsw"), "{told}");
        }
        Namespace::delete("other").unwrap();
        let attached = rpc.call("attach", json!({"namespace": "mario"}));
        attached.unwrap_or_else(|error| panic!("round {round}: {error}"));
        rpc.call("detach", json!({"namespace": "mario"})).unwrap();
    }
}

fn twice() {
    let switch = Switch::start("s");
    ok("attach mario");
    let told = fails("attach mario", 1);
    assert!(told.contains("already attached to this switch"), "{told}");
    // Its end inside was moved by somebody who wants it elsewhere: it is the namespace's all the same.
    let mario = Namespace::open("mario").unwrap();
    let luigi = Namespace::create("luigi").unwrap();
    let mut inside = Netlink::open_in(&mario).unwrap();
    let end = inside.link("mario-netns").unwrap();
    let change = LinkChange::new().namespace(&luigi);
    inside.change_link(&end, &change).unwrap();
    let told = fails("attach mario", 1);
    assert!(told.contains("already attached to this switch"), "{told}");
    // It is known after the switch was killed, too.
    switch.kill();
    let switch = Switch::start("s");
    assert!(link("mario-vsw").is_some());
    let told = fails("attach mario", 1);
    assert!(told.contains("already attached to this switch"), "{told}");
    drop((mario, inside));
    ok("netns del mario");
    ok("attach mario");
    let is_up = || switch.port("mario-vsw")["state"] == "up";
    assert!(wait_until(PATIENCE, is_up));
}
