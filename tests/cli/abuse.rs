//! The control socket and those who misuse it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::{Switch, ok};
use crate::harness::{PATIENCE, isolated};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("control_socket_answers_in_json_rpc", answers),
        isolated("control_socket_survives_nonsense", nonsense),
        isolated("control_socket_refuses_ten_megabytes", too_long),
        isolated("control_socket_waits_for_nobody", half_a_message),
        isolated("control_socket_takes_a_hundred_connections", hundred),
        isolated("control_socket_serves_more_than_it_has_room_for", crowd),
    ]
}

/// A client of the control socket.
pub(super) struct Peer(BufReader<UnixStream>);

impl Peer {
    pub(super) fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(super) fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    pub(super) fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    pub(super) fn call(&mut self, method: &str, params: &Value) -> Value {
        let call = json!({"jsonrpc": "2.0", "id": "x", "method": method, "params": params});
        self.send(&format!("{call}\n"));
        let reply = self.receive();
        assert_eq!(reply["jsonrpc"], "2.0");
        assert_eq!(reply["id"], "x");
        reply
    }
}

fn answers() {
    let switch = Switch::start("s --subnet 10.0.0.0/24");
    let mut peer = Peer::connect(&switch.socket());
    let timeless = |mut show: Value| {
        show["uptime_s"] = 0.into();
        show
    };
    let show = peer.call("show", &json!({}));
    assert_eq!(timeless(show["result"].clone()), timeless(switch.show()));
    let attached = peer.call("attach", &json!({"namespace": "mario"}));
    assert_eq!(attached["result"]["port"], "mario-vsw", "{attached}");
    assert_eq!(attached["result"]["addresses"], json!(["10.0.0.1/24"]));
    let ports = peer.call("port.list", &json!({}));
    assert_eq!(ports["result"][0]["name"], "mario-vsw");
    let version = peer.call("version", &json!({}));
    assert_eq!(version["result"]["version"], env!("CARGO_PKG_VERSION"));
    for (method, params, code) in [
        ("no.such", json!({}), -32601),
        ("attach", json!({}), -32602),
        ("attach", json!({"namespace": "a", "tpyo": 1}), -32602),
        ("attach", json!({"namespace": "../a"}), -32602),
        ("attach", json!({"namespace": "a", "mtu": 5}), -32602),
        (
            "fdb.add",
            json!({"mac": "02:00:00:00:00:01", "port": "x", "vlan": 4096}),
            -32602,
        ),
        ("fdb.show", json!({"cursor": 1}), -32602),
        (
            "fdb.add",
            json!({"mac": "02:00:00:00:00:01", "port": "x"}),
            1,
        ),
        ("detach", json!({"namespace": "luigi"}), 1),
        ("port.add", json!({"interface": "none"}), 1),
        ("attach", json!({"namespace": "mario"}), 2),
    ] {
        let reply = peer.call(method, &params);
        assert_eq!(reply["error"]["code"], code, "{method} {params}: {reply}");
    }
    let stopped = peer.call("stop", &json!({}));
    assert_eq!(stopped["result"], json!({"removed": 1}));
}

fn nonsense() {
    let switch = Switch::start("s");
    let mut peer = Peer::connect(&switch.socket());
    for (line, code) in [
        ("hello", -32700),
        ("{\"jsonrpc\":", -32700),
        ("\u{0}\u{1}\u{2}", -32700),
        ("[]", -32600),
        ("{}", -32600),
        ("\"show\"", -32600),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"show","params":[1]}"#,
            -32602,
        ),
    ] {
        peer.send(&format!("{line}\n"));
        assert_eq!(peer.receive()["error"]["code"], code, "{line}");
    }
    assert_eq!(peer.call("show", &json!({}))["result"]["name"], "s");
}

fn too_long() {
    let switch = Switch::start("s");
    let mut peer = Peer::connect(&switch.socket());
    peer.send(&"x".repeat(10_000_000));
    peer.send("\n");
    assert_eq!(peer.receive()["error"]["code"], -32001);
    let mut rest = Vec::new();
    peer.0.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "the connection has ended");
    ok("show s");
}

fn half_a_message() {
    let switch = Switch::start("s");
    let mut silent = Peer::connect(&switch.socket());
    silent.send(r#"{"jsonrpc":"2.0","id":7,"#);
    let mut deaf = Peer::connect(&switch.socket());
    for _ in 0..200 {
        deaf.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show\"}\n");
    }
    ok("attach mario");
    assert_eq!(switch.port("mario-vsw")["state"], "up");
    silent.send("\"method\":\"version\"}\n");
    assert_eq!(silent.receive()["id"], 7);
    silent.send("{\"half");
    silent.0.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(silent.receive()["error"]["code"], -32700);
    for _ in 0..200 {
        assert_eq!(deaf.receive()["result"]["name"], "s");
    }
    drop(deaf);
    ok("detach mario");
}

/// More requests at once than there may be clients: all are answered.
fn crowd() {
    let switch = Switch::start("s");
    let socket = switch.socket();
    std::thread::scope(|scope| {
        let askers: Vec<_> = (0..150)
            .map(|_| {
                scope.spawn(|| {
                    let mut peer = Peer::connect(&socket);
                    peer.call("show", &json!({}))["result"]["name"] == "s"
                })
            })
            .collect();
        for asker in askers {
            assert!(asker.join().unwrap());
        }
    });
    switch.stop();
}

fn hundred() {
    let switch = Switch::start("s");
    let mut peers: Vec<Peer> = (0..100).map(|_| Peer::connect(&switch.socket())).collect();
    ok("attach mario");
    let newest = peers.last_mut().unwrap();
    assert_eq!(newest.call("show", &json!({}))["result"]["name"], "s");
    drop(peers);
    ok("show s");
    switch.stop();
}
