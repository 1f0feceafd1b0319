//! What a switch keeps, and how ports come back: after it was killed, and when interfaces were gone.

use std::fs;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use vswitch_netns::{DuplicateDetection, InterfaceName, LinkChange, Namespace, Netlink, VethEnd};

use super::{Switch, fails, json, link, ok};
use crate::harness::packet::Endpoint;
use crate::harness::program::{is_empty_dir, runtime_dir};
use crate::harness::{A_WHILE, PATIENCE, devices, icmp, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("state_killed_switch_has_everything_back", everything_back),
        isolated("state_options_are_those_of_before_unless_given", options),
        isolated("state_interface_is_given_back_after_a_kill", given_back),
        isolated("state_what_went_meanwhile_is_absent", went_meanwhile),
        isolated("state_torn_is_told_and_the_one_before_is_used", torn),
        isolated("state_nothing_good_is_refused", nothing_good),
        isolated("state_full_disk_stops_changes_not_frames", full_disk),
        isolated("state_interface_made_again_is_the_port_again", made_again),
        isolated("state_cable_made_again_by_hand_is_not_ours", by_hand),
        isolated("state_moved_away_and_back", moved),
        isolated("state_renamed_is_followed", renamed),
        isolated("state_down_and_up", down_and_up),
        isolated("state_dead_namespace_leaves_an_absent_port", dead_namespace),
        isolated("state_another_of_the_index_gets_nothing", same_index),
        isolated("state_lost_news_do_no_harm", lost_news),
    ]
}

/// Whether `host` reaches 10.0.0.`last`, in the end.
fn reaches(host: &str, last: u8) -> bool {
    let to = format!("10.0.0.{last}").parse().unwrap();
    let namespace = Namespace::open(host).unwrap();
    let answered = namespace.run(|| icmp::ping_until(to, None, 56, PATIENCE));
    answered.unwrap().is_ok()
}

fn mario_and_luigi(line: &str) -> Switch {
    let switch = Switch::start(line);
    ok("attach mario --ip 10.0.0.1/24");
    ok("attach luigi --ip 10.0.0.2/24");
    switch
}

/// A veth pair of `name` here and `eth0` in the namespace `outside`, which has 10.0.0.9.
fn outside(name: &str) {
    let namespace =
        Namespace::open("outside").unwrap_or_else(|_| Namespace::create("outside").unwrap());
    let end = |name| VethEnd::new(InterfaceName::new(name).unwrap());
    let mut here = Netlink::open().unwrap();
    let near = here
        .create_veth(&end(name), &end("eth0"), Some(&namespace))
        .unwrap();
    here.set_up(&near).unwrap();
    let mut inner = Netlink::open_in(&namespace).unwrap();
    let far = inner.link("eth0").unwrap();
    // Always the same station, so that nobody has to ask anew who it is.
    let station = LinkChange::new().mac([2, 0, 0, 0, 0, 9]);
    inner.change_link(&far, &station).unwrap();
    inner.set_up(&far).unwrap();
    let address = "10.0.0.9/24".parse().unwrap();
    inner
        .add_address(&far, address, DuplicateDetection::Skip)
        .unwrap();
}

fn delete(name: &str) {
    let link = link(name).unwrap();
    Netlink::open().unwrap().delete_link(&link).unwrap();
}

fn change(name: &str, change: &LinkChange) {
    let link = link(name).unwrap();
    Netlink::open().unwrap().change_link(&link, change).unwrap();
}

fn becomes(switch: &Switch, port: &str, state: &str) {
    let mut now = Value::Null;
    let is_so = wait_until(PATIENCE, || {
        now = switch.port(port);
        now["state"] == state
    });
    assert!(is_so, "{port} is not {state}: {now}");
}

/// What is to be the same afterwards: all but what is counted.
fn shape(switch: &Switch) -> Value {
    let ports = switch.show()["ports"].clone();
    let shapes = ports.as_array().unwrap().iter().map(|port| {
        json!([
            port["id"],
            port["name"],
            port["namespace"],
            port["peer"],
            port["state"],
            port["mtu"],
            port["addresses"]
        ])
    });
    shapes.collect()
}

fn everything_back() {
    let switch = mario_and_luigi("s");
    outside("eth1");
    ok("attach peach --ip 10.0.0.3/24 --mtu 9000");
    ok("port add eth1");
    ok("detach mario");
    ok("attach mario --ip 10.0.0.1/24");
    ok("fdb add 02:00:00:00:00:07 luigi-vsw");
    ok("fdb add 02:00:00:00:00:08 eth1");
    ok("fdb add 02:00:00:00:00:09 peach-vsw");
    ok("fdb del 02:00:00:00:00:09");
    becomes(&switch, "eth1", "up");
    let before = shape(&switch);
    let cables = ["mario-vsw", "luigi-vsw", "peach-vsw"].map(|name| link(name).unwrap().index);
    switch.kill();
    let again = Switch::start("s");
    assert_eq!(shape(&again), before);
    let now = ["mario-vsw", "luigi-vsw", "peach-vsw"].map(|name| link(name).unwrap().index);
    assert_eq!(now, cables, "the cables are the same");
    let table = json("fdb");
    let fixed = table.as_array().unwrap().iter();
    let fixed: Vec<_> = fixed
        .filter(|entry| entry["static"] == true)
        .map(|entry| json!([entry["mac"], entry["port"]]))
        .collect();
    assert_eq!(
        fixed,
        [
            json!(["02:00:00:00:00:07", "luigi-vsw"]),
            json!(["02:00:00:00:00:08", "eth1"]),
        ]
    );
    for (host, to) in [("mario", 2), ("luigi", 3), ("peach", 9)] {
        assert!(reaches(host, to), "{host} does not reach {to}");
    }
    ok("stop s");
    assert!(is_empty_dir(&runtime_dir()));
    assert!(link("mario-vsw").is_none() && link("eth1").is_some());
    // It was stopped: the next begins anew.
    drop(again);
    let fresh = Switch::start("s");
    assert_eq!(shape(&fresh), json!([]));
}

fn options() {
    let switch = Switch::start(
        "s --ageing 77 --max-macs 1000 --forward-reserved --subnet 10.0.0.0/24 --metrics 127.0.0.1:0",
    );
    ok("attach mario");
    let metrics = switch.show()["metrics"].clone();
    assert!(metrics.is_string());
    switch.kill();
    let again = Switch::start("s --max-macs 2000");
    let show = again.show();
    assert_eq!(show["ageing_s"], 77);
    assert_eq!(show["max_macs"], 2000);
    assert_eq!(show["forward_reserved"], true);
    assert_eq!(show["metrics"], metrics);
    ok("attach luigi");
    assert!(reaches("mario", 2), "the addresses go on");
    again.kill();
    let fresh = Switch::start("s --fresh");
    assert_eq!(fresh.show()["ageing_s"], 300);
    assert_eq!(shape(&fresh), json!([]));
}

fn given_back() {
    outside("eth1");
    let address = "fd00::1/64".parse().unwrap();
    let mut here = Netlink::open().unwrap();
    here.add_address(&link("eth1").unwrap(), address, DuplicateDetection::Skip)
        .unwrap();
    let before = link("eth1").unwrap();
    let has_address = || {
        let mut here = Netlink::open().unwrap();
        let all = here.addresses(None).unwrap();
        all.iter().any(|known| known.net == address)
    };
    for end in ["stop s", "run s --detach", "restart s"] {
        let switch = Switch::start("s");
        ok("port add eth1");
        assert!(!has_address());
        if end != "restart s" {
            switch.kill();
        }
        ok(end);
        if end != "stop s" {
            ok("port del eth1");
        }
        assert!(wait_until(PATIENCE, has_address), "{end}");
        let now = link("eth1").unwrap();
        assert_eq!((now.up, now.arp), (before.up, before.arp), "{end}");
    }
}

fn went_meanwhile() {
    let switch = mario_and_luigi("s");
    switch.kill();
    delete("luigi-vsw");
    let again = Switch::start("s");
    assert_eq!(again.port("mario-vsw")["state"], "up");
    assert_eq!(again.port("luigi-vsw")["state"], "absent");
    assert_eq!(again.port("luigi-vsw")["namespace"], "luigi");
    ok("attach luigi --ip 10.0.0.2/24");
    assert!(reaches("mario", 2));
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn torn() {
    let switch = mario_and_luigi("s");
    switch.kill();
    cut(&switch.dir().join("state"));
    let again = Switch::start("s");
    let log = fs::read_to_string(again.dir().join("log")).unwrap();
    assert!(
        log.contains("cannot use the saved state") && log.contains("the version before it is used"),
        "{log}"
    );
    // What was last is not in it.
    assert_eq!(again.port("mario-vsw")["state"], "up");
    assert_eq!(again.port("luigi-vsw"), Value::Null);
}

fn nothing_good() {
    let switch = mario_and_luigi("s");
    switch.kill();
    let dir = switch.dir();
    cut(&dir.join("state"));
    fs::write(dir.join("state.old"), "a letter to my aunt\n").unwrap();
    let told = fails("run s --detach", 1);
    assert!(
        told.contains("cannot use the saved state of the switch in /run/vswitch/s/state: ")
            && told.contains("run s --fresh"),
        "{told}"
    );
    assert!(link("mario-vsw").is_some(), "nothing was lost meanwhile");
    assert!(dir.join("state").exists());
    let again = Switch::start("s --fresh");
    assert!(link("mario-vsw").is_none());
    assert_eq!(shape(&again), json!([]));
}

fn full_disk() {
    fs::create_dir_all(runtime_dir()).unwrap();
    let options = Some("size=64k,mode=700");
    let none: Option<&str> = None;
    mount(
        none,
        &runtime_dir(),
        Some("tmpfs"),
        MsFlags::empty(),
        options,
    )
    .unwrap();
    let switch = mario_and_luigi("s");
    let before = shape(&switch);
    let filler = runtime_dir().join("filler");
    let _ = fs::write(&filler, vec![b'x'; 1 << 20]);
    for line in [
        "attach peach --ip 10.0.0.3/24",
        "detach mario",
        "fdb add 02:00:00:00:00:01 mario",
    ] {
        let told = fails(line, 1);
        assert!(
            told.contains("No space left on device") && told.contains("nothing was changed"),
            "{line}: {told}"
        );
    }
    assert_eq!(shape(&switch), before);
    assert!(link("peach-vsw").is_none());
    assert!(Namespace::open("peach").is_err());
    assert!(reaches("mario", 2));
    let table = json("fdb");
    assert!(
        table
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["static"] == false)
    );
    fs::remove_file(&filler).unwrap();
    ok("attach peach --ip 10.0.0.3/24");
    assert!(reaches("mario", 3));
}

fn made_again() {
    let switch = mario_and_luigi("s");
    outside("eth1");
    ok("port add eth1");
    ok("fdb add 02:00:00:00:00:08 eth1");
    assert!(reaches("mario", 9));
    let id = switch.port("eth1")["id"].clone();
    for _ in 0..3 {
        delete("eth1");
        becomes(&switch, "eth1", "absent");
        assert_eq!(switch.port("eth1")["driver"], "none");
        let learnt = json("fdb");
        let learnt = learnt.as_array().unwrap().iter();
        let behind = learnt.filter(|one| one["port"] == "eth1" && one["static"] == false);
        assert_eq!(behind.count(), 0);
        outside("eth1");
        becomes(&switch, "eth1", "up");
        assert!(reaches("mario", 9));
        assert_eq!(switch.port("eth1")["id"], id);
    }
    // At once, so that the switch may see both together.
    delete("eth1");
    outside("eth1");
    assert!(reaches("mario", 9));
    assert!(ok("fdb").contains("02:00:00:00:00:08"));
    switch.stop();
    assert!(link("eth1").is_some(), "it is not ours to remove");
}

fn by_hand() {
    let switch = mario_and_luigi("s");
    delete("mario-vsw");
    becomes(&switch, "mario-vsw", "absent");
    let mario = Namespace::open("mario").unwrap();
    let end = |name| VethEnd::new(InterfaceName::new(name).unwrap());
    let mut here = Netlink::open().unwrap();
    here.create_veth(&end("mario-vsw"), &end("mario-netns"), Some(&mario))
        .unwrap();
    let mut inner = Netlink::open_in(&mario).unwrap();
    let far = inner.link("mario-netns").unwrap();
    inner.set_up(&far).unwrap();
    let address = "10.0.0.1/24".parse().unwrap();
    inner
        .add_address(&far, address, DuplicateDetection::Skip)
        .unwrap();
    becomes(&switch, "mario-vsw", "up");
    assert!(reaches("mario", 2));
    assert_eq!(switch.port("mario-vsw")["namespace"], "mario");
    switch.kill();
    let again = Switch::start("s");
    assert!(reaches("mario", 2));
    ok("detach mario");
    assert!(again.port("mario-vsw").is_null());
    assert!(link("mario-vsw").is_some(), "somebody else has made it");
}

fn moved() {
    let switch = mario_and_luigi("s");
    let luigi = Namespace::open("luigi").unwrap();
    let home = Namespace::current().unwrap();
    let away = LinkChange::new().namespace(&luigi);
    change("mario-vsw", &away);
    becomes(&switch, "mario-vsw", "absent");
    luigi
        .run(|| {
            let mut there = Netlink::open().unwrap();
            let link = there.link("mario-vsw").unwrap();
            there
                .change_link(&link, &LinkChange::new().namespace(&home))
                .unwrap();
        })
        .unwrap();
    becomes(&switch, "mario-vsw", "up");
    assert!(reaches("mario", 2));
    switch.stop();
    assert!(link("mario-vsw").is_none(), "it is ours still");
}

fn renamed() {
    let switch = mario_and_luigi("s");
    outside("eth1");
    ok("port add eth1");
    for (name, new) in [("mario-vsw", "cable0"), ("eth1", "uplink")] {
        let name = link(name).unwrap();
        let mut here = Netlink::open().unwrap();
        let change = LinkChange::new().name(InterfaceName::new(new).unwrap());
        here.change_link(&name, &change).unwrap();
    }
    assert!(reaches("mario", 2) && reaches("mario", 9));
    assert_eq!(switch.port("mario-vsw")["state"], "up");
    let kept = || fs::read_to_string(switch.dir().join("state")).unwrap();
    assert!(wait_until(PATIENCE, || kept().contains("cable0")
        && kept().contains("uplink")));
    switch.kill();
    let again = Switch::start("s");
    assert_eq!(again.port("mario-vsw")["state"], "up");
    assert_eq!(again.port("eth1")["state"], "up");
    assert!(reaches("mario", 2) && reaches("mario", 9));
    again.stop();
    assert!(link("cable0").is_none(), "it is ours still");
    assert!(link("uplink").is_some());
}

fn down_and_up() {
    let switch = mario_and_luigi("s");
    for _ in 0..3 {
        change("mario-vsw", &LinkChange::new().up(false));
        becomes(&switch, "mario-vsw", "down");
        change("mario-vsw", &LinkChange::new().up(true));
        becomes(&switch, "mario-vsw", "up");
        assert!(reaches("mario", 2));
    }
}

fn dead_namespace() {
    let switch = mario_and_luigi("s");
    ok("attach peach --ip 10.0.0.3/24");
    ok("netns del mario");
    becomes(&switch, "mario-vsw", "absent");
    assert!(reaches("luigi", 3));
    ok("attach mario --ip 10.0.0.1/24");
    assert!(reaches("mario", 2));
    assert_eq!(switch.port("mario-vsw")["state"], "up");
}

/// An interface under a name of its own that takes the index of one that was a port.
fn same_index() {
    let switch = mario_and_luigi("s");
    outside("eth1");
    ok("port add eth1");
    ok("fdb add 02:00:00:00:00:08 eth1");
    let index = link("eth1").unwrap().index;
    delete("eth1");
    devices::veth_at("other", "inner", index).unwrap();
    assert_eq!(link("other").unwrap().index, index);
    for name in ["other", "inner"] {
        change(name, &LinkChange::new().up(true));
    }
    becomes(&switch, "eth1", "absent");
    let inner = Endpoint::open("inner").unwrap();
    let mario = Namespace::open("mario").unwrap();
    let mut inside = Netlink::open_in(&mario).unwrap();
    let station = inside.link("mario-netns").unwrap().mac.unwrap();
    // Flooded to all ports: mario asks for somebody who is not there.
    let nobody = "10.0.0.77".parse().unwrap();
    let _ = mario.run(|| icmp::ping_until(nobody, None, 56, Duration::from_secs(1)));
    assert!(reaches("mario", 2));
    let of_mario = |frame: &[u8]| frame.get(6..12) == Some(&station[..]);
    let got = inner.receive_where(A_WHILE, of_mario);
    assert_eq!(got, None, "a stranger has got frames");
    assert_eq!(switch.port("eth1")["state"], "absent");
}

fn lost_news() {
    let switch = mario_and_luigi("s");
    outside("eth1");
    ok("port add eth1");
    let pid = Pid::from_raw(switch.pid());
    kill(pid, Signal::SIGSTOP).unwrap();
    delete("eth1");
    change("luigi-vsw", &LinkChange::new().up(false));
    let mut here = Netlink::open().unwrap();
    let end = |name: &str| VethEnd::new(InterfaceName::new(name).unwrap());
    // Each of them is told of several times, in more bytes than the socket holds.
    for _ in 0..1500 {
        let pair = here.create_veth(&end("x"), &end("y"), None).unwrap();
        here.delete_link(&pair).unwrap();
    }
    outside("eth1");
    kill(pid, Signal::SIGCONT).unwrap();
    becomes(&switch, "luigi-vsw", "down");
    becomes(&switch, "eth1", "up");
    assert!(reaches("mario", 9));
    change("luigi-vsw", &LinkChange::new().up(true));
    assert!(reaches("mario", 2));
}
