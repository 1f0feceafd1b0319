//! Settings of switches and ports in a lab file.

use std::fs;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::{LabFile, ends};
use crate::cli::json;
use crate::harness::isolated;

const LAB: &str = r#"
[switch.s]
broadcast_limit = 500
move_limit = "off"
group = 0
metrics = "127.0.0.1:0"

[host.mario]
ip = "10.0.0.1/24"
max_macs = 3

[host.luigi]
interface = [{ switch = "s", ip = "10.0.0.2/24", unknown_limit = "off" }]
"#;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli::labs::a_file_has_limits_group_and_metrics", all),
        isolated("cli::labs::settings_of_ports_change_while_in_use", change),
        isolated("cli::labs::fixed_settings_are_refused_by_name", fixed),
        isolated(
            "cli::labs::wrong_settings_are_named_with_their_place",
            wrong,
        ),
    ]
}

fn port(name: &str) -> Value {
    let shown = json("show s");
    let ports = shown["ports"].as_array().unwrap();
    let found = ports.iter().find(|port| port["name"] == name);
    found.cloned().unwrap_or_else(|| panic!("{name}: {shown}"))
}

fn all() {
    let lab = LabFile::new(LAB);
    lab.up();
    let shown = json("show s");
    assert_eq!(shown["protection"]["broadcast_limit"], 500);
    assert_eq!(shown["protection"]["move_limit"], 0);
    assert_eq!(shown["protection"]["multicast_limit"], 200_000);
    assert_eq!(shown["group"], 0);
    let metrics = shown["metrics"].as_str().unwrap();
    assert!(metrics.starts_with("http://127.0.0.1:"), "{metrics}");
    assert_eq!(port("mario-vsw")["settings"]["max_macs"], 3);
    assert_eq!(port("mario-vsw")["limits"]["max_macs"], 3);
    assert_eq!(port("luigi-s")["settings"]["unknown_limit"], 0);
    let again = lab.up();
    assert!(again.contains("nothing to do"), "{again}");
    lab.down();
}

fn change() {
    let lab = LabFile::new(LAB);
    lab.up();
    let pid = json("show s")["pid"].clone();
    let id = port("mario-vsw")["id"].clone();
    lab.edit("broadcast_limit = 500", "multicast_limit = 7");
    lab.edit("max_macs = 3", "broadcast_limit = \"off\"");
    let told = lab.up();
    for words in [
        "broadcast_limit 500",
        "broadcast_limit 20000",
        "multicast_limit 7",
        "max_macs 3",
        "no max_macs",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let shown = json("show s");
    assert_eq!((&shown["pid"], &port("mario-vsw")["id"]), (&pid, &id));
    assert_eq!(shown["protection"]["broadcast_limit"], 20_000);
    assert_eq!(shown["protection"]["multicast_limit"], 7);
    let set = |name: &str| port("mario-vsw")["settings"][name].clone();
    assert_eq!(
        (set("max_macs"), set("broadcast_limit")),
        (Value::Null, json!(0))
    );
    // What another has changed is put right again.
    ends("port set mario --max-macs 9", 0);
    assert!(lab.up().contains("max_macs 9"));
    assert_eq!(set("max_macs"), Value::Null);
    assert!(lab.up().contains("nothing to do"));
    lab.down();
}

fn fixed() {
    let lab = LabFile::new(LAB);
    lab.up();
    for (from, to, told) in [
        (
            "group = 0",
            "group = 1",
            ":5:9: the switch 's' has 'group = 0'",
        ),
        ("group = 1", "", "cannot change to no 'group'"),
        (
            "127.0.0.1:0",
            "127.0.0.1:9",
            ":6:11: the switch 's' has 'metrics = 127.0.0.1:0'",
        ),
    ] {
        lab.edit(from, to);
        let (_, errors) = ends("up /run/lab.toml", 1);
        assert!(
            errors.contains(told) && errors.contains("vswitch stop s"),
            "{errors}"
        );
    }
    fs::write("/run/lab.toml", LAB).unwrap();
    lab.down();
}

fn wrong() {
    let lab = LabFile::new(LAB);
    lab.edit("move_limit = \"off\"", "move_limit = 254");
    lab.edit("group = 0", "group = \"no:such\"");
    lab.edit("max_macs = 3", "max_mac = 3");
    lab.edit("unknown_limit = \"off\"", "unknown_limit = 0");
    let (_, errors) = ends("up /run/lab.toml", 1);
    for told in [
        ":4:14: 'move_limit' cannot be 254: choose 1 to 253, or 'off' for no limit",
        ":5:9: there is no group 'no:such'",
        ":10:1: unknown key 'max_mac': did you mean 'max_macs'?",
        "'unknown_limit' cannot be 0: choose 1 to",
    ] {
        assert!(errors.contains(told), "{told}: {errors}");
    }
}
