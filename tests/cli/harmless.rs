//! Text from outside reaches neither a terminal nor a log as anything but text.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::thread;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use vswitch_netns::Netlink;

use super::terminal::Terminal;
use super::{Switch, ok};
use crate::harness::program::{runtime_dir, vswitch};
use crate::harness::{PATIENCE, devices, isolated, wait_until};

/// What no program may pass on to a terminal.
const HOSTILE: &str = "x\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\n2026-01-01T00:00:00Z error forged\r";

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("harmless_log_of_a_port_with_an_escape_in_its_name", log),
        isolated("harmless_output_whatever_a_control_socket_says", fake),
        isolated("harmless_errors_whatever_a_control_socket_says", refusing),
        isolated("harmless_top_whatever_a_control_socket_says", top),
        isolated("harmless_lists_of_namespaces_and_interfaces", lists),
    ]
}

#[track_caller]
fn assert_harmless(told: &str) {
    // Colours are the program's own.
    let mut rest = told;
    while let Some(start) = rest.find('\u{1b}') {
        let sequence = &rest[start..];
        let is_colour = sequence.strip_prefix("\u{1b}[").is_some_and(|tail| {
            tail.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';')
                .starts_with('m')
        });
        assert!(is_colour, "{told:?}");
        rest = &sequence[1..];
    }
    let is_bad = |c: char| {
        (c.is_control() && c != '\n' && c != '\u{1b}') || matches!(c, '\u{2028}'..='\u{202e}')
    };
    assert!(!told.contains(is_bad), "{told:?}");
    assert!(
        !told.contains("\n2026-01-01T00:00:00Z error forged"),
        "{told:?}"
    );
}

fn log() {
    ok("netns add mario");
    let log = || fs::read_to_string("/run/log").unwrap();
    let mut command = vswitch(["run", "s"]);
    command.stderr(fs::File::create("/run/log").unwrap());
    crate::harness::sys::die_with_parent(&mut command);
    let mut running = command.spawn().unwrap();
    assert!(wait_until(PATIENCE, || runtime_dir()
        .join("s/control.sock")
        .exists()));
    ok("attach mario");
    // The kernel forbids blanks, '/' and ':' in names, and nothing else.
    let netlink = &mut Netlink::open().unwrap();
    let port = netlink.link("mario-vsw").unwrap();
    netlink.set_down(&port).unwrap();
    let hostile = "a\u{1b}[31m\u{9b}x";
    devices::rename(port.index, hostile).unwrap();
    assert!(
        wait_until(PATIENCE, || log().contains(r"a\x1b[31m\u{9b}x")),
        "{:?}",
        log()
    );
    assert_harmless(&ok("show s"));
    assert_harmless(&ok("link"));
    assert_harmless(&ok("doctor"));
    ok("stop s");
    running.wait().unwrap();
    assert_harmless(&log());
}

/// A control socket that gives this to every request, once for each connection.
fn impostor(answers: impl Fn(&str) -> Value + Send + 'static) {
    let dir = runtime_dir().join("s");
    fs::create_dir_all(&dir).unwrap();
    for dir in [&runtime_dir(), &dir] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let listener = UnixListener::bind(dir.join("control.sock")).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut requests = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while requests.read_line(&mut line).is_ok_and(|read| read > 0) {
                let request: Value = serde_json::from_str(&line).unwrap();
                let mut answer = answers(request["method"].as_str().unwrap());
                answer["jsonrpc"] = json!("2.0");
                answer["id"] = request["id"].clone();
                if writeln!(stream, "{answer}").is_err() {
                    break;
                }
                line.clear();
            }
        }
    });
}

fn port() -> Value {
    json!({
        "id": 1, "name": HOSTILE, "namespace": HOSTILE, "peer": HOSTILE, "state": "up", "mtu": 1500,
        "driver": HOSTILE, "rx": {"frames": 1, "bytes": 1}, "tx": {"frames": 1, "bytes": 1},
        "drops": {HOSTILE: 7}, "addresses": [], "blocked": {"loop_with": HOSTILE, "for_s": 7},
        "warnings": [HOSTILE],
    })
}

/// What a switch that is none says.
fn hostile(method: &str) -> Value {
    let result = match method {
        "show" => json!({
            "name": HOSTILE, "pid": 1, "uptime_s": 1, "datapath": HOSTILE, "ageing_s": 1,
            "max_macs": 1, "macs": 1, "forward_reserved": true, "subnet": null, "lab": HOSTILE,
            "receive": HOSTILE, "log": HOSTILE, "metrics": HOSTILE, "warnings": [HOSTILE],
            "version": HOSTILE, "ports": [port()],
        }),
        "port.list" => json!([port()]),
        "fdb.show" => json!({
            "entries": [{"mac": HOSTILE, "vlan": 1, "port": HOSTILE, "age_s": 1, "static": false}],
            "next": null,
        }),
        "attach" => json!({
            "namespace": HOSTILE, "created": true, "port": HOSTILE, "id": 1, "peer": HOSTILE,
            "mac": HOSTILE, "mtu": 1500, "addresses": [],
        }),
        "explain" => json!({
            "port": HOSTILE, "namespace": HOSTILE,
            "frame": {"length": 60, "src": HOSTILE, "dst": HOSTILE, "vlan": 0, "ethertype": 1},
            "steps": [{"step": HOSTILE, "text": HOSTILE}], "source": null, "destination": null,
            "verdict": HOSTILE, "reason": HOSTILE, "egress": [],
        }),
        _ => json!({"removed": 1, "listening": true}),
    };
    json!({"result": result})
}

/// What the command says on both streams, with colours.
fn told(line: &str) -> String {
    let mut command = vswitch(line.split(' '));
    command.env("CLICOLOR_FORCE", "1").env_remove("NO_COLOR");
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).unwrap()
}

fn fake() {
    impostor(hostile);
    for line in [
        "show s",
        "show s --json",
        "list",
        "list --json",
        "port list --switch s",
        "port list --switch s --json",
        "fdb --switch s",
        "fdb --switch s --json",
        "attach mario --switch s",
        "explain --switch s --port x --src 02:00:00:00:00:01 --dst 02:00:00:00:00:02",
        "doctor",
        "ping --all --switch s",
    ] {
        let told = told(line);
        assert!(!told.is_empty(), "{line}");
        assert_harmless(&told);
    }
    // A machine reads the same as it was told.
    let show: Value = serde_json::from_str(&told("show s --json")).unwrap();
    assert_eq!(show["ports"][0]["name"], HOSTILE);
    assert!(told("show s").contains(r"x\x1b]0;owned\x07\u{9b}2J\u{202e}\n2026"));
}

fn refusing() {
    impostor(|_| json!({"error": {"code": 1, "message": HOSTILE}}));
    for line in [
        "show s",
        "port list --switch s",
        "fdb --switch s",
        "fdb flush --switch s",
        "attach mario --switch s",
        "detach mario --switch s",
        "port add x --switch s",
        "events s",
        "capture --switch s",
        "stop s",
        "restart s",
    ] {
        let told = told(line);
        assert!(told.starts_with("vswitch: "), "{line}: {told:?}");
        assert_eq!(told.lines().count(), 1, "{line}: {told:?}");
        assert_harmless(&told);
    }
}

fn top() {
    impostor(hostile);
    let mut command = vswitch(["top", "--switch", "s"]);
    command.env_remove("NO_COLOR");
    let terminal = Terminal::start(command, 100, 30);
    assert!(wait_until(PATIENCE, || terminal
        .drawn()
        .contains(r"x\x1b]0;owned")));
    let drawn = terminal.drawn();
    for part in ["\u{1b}]0;owned", "\u{7}", "\u{9b}", "\u{202e}"] {
        assert!(!drawn.contains(part), "{part:?}");
    }
}

fn lists() {
    ok("netns add mario");
    for name in ["a\u{1b}[2J", "b\u{202e}c"] {
        fs::write(format!("/run/netns/{name}"), "").unwrap();
    }
    for line in ["netns list", "netns list --json", "doctor", "link"] {
        assert_harmless(&told(line));
    }
    assert!(told("netns list").contains(r"a\x1b[2J"));
    let switch = Switch::start("s");
    for line in [
        "exec a\u{1b}[2J true",
        "attach a\u{1b}[2J",
        "attach mario --ip \u{1b}[2J",
        "port add a\u{1b}[31m --switch s",
        "run \u{202e}s",
        "up /run/\u{1b}[2J.toml",
        "\u{1b}[2J",
    ] {
        let told = told(line);
        assert_harmless(&told);
        assert!(!told.contains('\u{1b}'), "{told:?}");
    }
    switch.stop();
}
