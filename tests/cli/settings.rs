//! Settings of switches and ports: how they come in, where they are shown, what is kept.

use std::fs;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::protection::cable;
use super::{Switch, fails, ok};
use crate::harness::isolated;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_settings_of_a_port_come_with_it", with_the_port),
        isolated("cli_settings_are_shown_and_kept", kept),
        isolated("cli_settings_reach_the_background_as_data", as_data),
    ]
}

fn settings_of(switch: &Switch, port: &str) -> Value {
    switch.port(port)["settings"].clone()
}

fn with_the_port() {
    let switch = Switch::start("s");
    ok("attach mario --max-macs 3 --broadcast-limit off");
    cable("eth1", "eth2");
    ok("port add eth1 --unknown-limit 9");
    let mario = settings_of(&switch, "mario-vsw");
    assert_eq!(
        (&mario["max_macs"], &mario["broadcast_limit"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(mario["multicast_limit"], Value::Null);
    let limits = &switch.port("mario-vsw")["limits"];
    assert_eq!(
        (&limits["max_macs"], &limits["broadcast"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(settings_of(&switch, "eth1")["unknown_limit"], 9);
    assert_eq!(switch.port("eth1")["limits"]["unknown"], 9);
    fails("attach luigi --max-macs 0", 2);
    assert_eq!(switch.port("luigi-vsw"), Value::Null);
    switch.stop();
}

fn kept() {
    let switch = Switch::start("s --broadcast-limit 500 --loop-guard off --ageing 77");
    ok("attach mario");
    ok("port set mario --max-macs 3 --unknown-limit off");
    let shown = ok("show s");
    assert!(
        shown.contains("broadcast_limit 500, loop_guard off"),
        "{shown}"
    );
    assert!(
        shown.contains("mario-vsw: max_macs 3, unknown_limit off"),
        "{shown}"
    );
    let before = settings_of(&switch, "mario-vsw");
    switch.kill();
    let again = Switch::start("s");
    assert_eq!(settings_of(&again, "mario-vsw"), before);
    assert_eq!(again.show()["protection"]["broadcast_limit"], 500);
    ok("restart s");
    assert_eq!(settings_of(&again, "mario-vsw"), before);
    assert_eq!(again.show()["protection"]["loop_guard"], false);
    assert_eq!(again.show()["ageing_s"], 77);
    ok("port set mario --max-macs default --unknown-limit default");
    assert!(!ok("show s").contains("max_macs"));
    again.stop();
}

fn as_data() {
    let switch = Switch::start("s --ageing 77 --broadcast-limit 500 --metrics 127.0.0.1:0");
    let line = fs::read(format!("/proc/{}/cmdline", switch.pid())).unwrap();
    let line = String::from_utf8(line).unwrap().replace('\0', " ");
    assert!(line.contains(" run s --detached "), "{line}");
    for word in ["ageing", "limit", "metrics"] {
        assert!(!line.contains(word), "{line}");
    }
    assert_eq!(switch.show()["ageing_s"], 77);
    let metrics = switch.show()["metrics"].clone();
    assert!(
        metrics.as_str().unwrap().starts_with("http://127.0.0.1:"),
        "{metrics}"
    );
    // By hand, where no parent says what is wanted.
    let alone = fails("run t --detached", 1);
    assert!(alone.contains("--detach"), "{alone}");
    switch.stop();
}
