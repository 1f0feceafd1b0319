//! Which VLANs share what is learnt, as the program has it.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::abuse::Peer;
use super::{Switch, fails, json, ok};
use crate::harness::isolated;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("vlans_share_one_table_unless_told", shared_by_default),
        isolated("vlans_learn_in_another_way_while_the_switch_runs", changed),
        isolated("vlans_learning_and_entries_survive_a_kill", kept),
    ]
}

const MAC: &str = "02:00:00:00:00:0a";

/// VLANs and ports of the static entries.
fn statics() -> Vec<(u64, String)> {
    let table = json("fdb");
    let fixed = table.as_array().unwrap().iter();
    fixed
        .filter(|entry| entry["static"] == true)
        .map(|entry| {
            let port = entry["port"].as_str().unwrap().to_owned();
            (entry["vlan"].as_u64().unwrap(), port)
        })
        .collect()
}

fn at(vlan: u64, port: &str) -> (u64, String) {
    (vlan, port.to_owned())
}

/// Changes how VLANs learn, as a client of the control socket.
fn set(switch: &Switch, learning: &str) -> Value {
    let mut peer = Peer::connect(&switch.socket());
    peer.call("set", &json!({ "vlan_learning": learning }))["result"].clone()
}

fn shared_by_default() {
    let switch = Switch::start("s");
    ok("attach mario");
    assert_eq!(switch.show()["vlan_learning"], "shared");
    // An entry is for all VLANs, so one for a VLAN would not mean what it says.
    for line in [
        format!("fdb add {MAC} mario --vlan 7"),
        format!("fdb del {MAC} --vlan 7"),
    ] {
        let refused = fails(&line, 1);
        assert!(
            refused.contains("VLAN 7") && refused.contains("--vlan-learning independent"),
            "{refused}"
        );
    }
    assert_eq!(statics(), []);
    ok(&format!("fdb add {MAC} mario --vlan 0"));
    let told = json(&format!(
        "explain --port mario --src 02:00:00:00:00:01 --dst {MAC} --vlan 100"
    ));
    assert_eq!(told["destination"]["is"], "static", "{told}");
    ok(&format!("fdb del {MAC}"));
    assert!(!ok("show s").contains("learning"));
    switch.stop();
    fails("run t --vlan-learning both", 2);
}

fn changed() {
    let switch = Switch::start("s --vlan-learning independent");
    ok("attach mario");
    ok("attach luigi");
    assert!(ok("show s").contains("in each VLAN by itself"));
    ok(&format!("fdb add {MAC} mario --vlan 7"));
    ok(&format!("fdb add {MAC} luigi --vlan 5"));
    let apart = [at(5, "luigi-vsw"), at(7, "mario-vsw")];
    assert_eq!(statics(), apart);
    assert_eq!(set(&switch, "shared")["vlan_learning"], "shared");
    assert_eq!(
        statics(),
        [at(0, "luigi-vsw")],
        "the lowest VLAN says where"
    );
    set(&switch, "independent");
    assert_eq!(statics(), apart, "as they were added");
    set(&switch, "shared");
    ok(&format!("fdb del {MAC}"));
    set(&switch, "independent");
    assert_eq!(statics(), []);
    switch.stop();
}

fn kept() {
    let switch = Switch::start("s --vlan-learning independent");
    ok("attach mario");
    ok("attach luigi");
    ok(&format!("fdb add {MAC} mario --vlan 7"));
    ok(&format!("fdb add {MAC} luigi --vlan 5"));
    switch.kill();
    let switch = Switch::start("s");
    assert_eq!(switch.show()["vlan_learning"], "independent");
    assert_eq!(statics(), [at(5, "luigi-vsw"), at(7, "mario-vsw")]);
    ok("restart s");
    assert_eq!(statics(), [at(5, "luigi-vsw"), at(7, "mario-vsw")]);
    switch.kill();
    // What was kept for each VLAN is still good for all of them.
    let switch = Switch::start("s --vlan-learning shared");
    assert_eq!(statics(), [at(0, "luigi-vsw")]);
    ok("restart s");
    assert_eq!(statics(), [at(0, "luigi-vsw")]);
    switch.stop();
}
