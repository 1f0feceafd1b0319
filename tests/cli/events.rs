//! What happens in a switch, told as it happens.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use vswitch_netns::{Namespace, Netlink};

use super::abuse::Peer;
use super::{Switch, fails, link, ok, words};
use crate::harness::packet::Endpoint;
use crate::harness::program::{Background, vswitch};
use crate::harness::{PATIENCE, isolated, sys, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("events_of_stations_and_ports_come_in_order", in_order),
        isolated("events_tell_of_silent_stations", aged),
        isolated("events_for_people_are_lines", lines),
        isolated("events_end_as_they_should", ends),
        isolated("events_that_nobody_reads_are_counted", slow_reader),
        isolated("events_reach_all_who_listen", crowd),
        isolated("events_go_on_after_a_restart", restarted),
    ]
}

/// `vswitch events`, which hears all that happens once this is there.
struct Listener {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Listener {
    fn start(line: &str) -> Self {
        let mut command = vswitch(words(line));
        sys::die_with_parent(&mut command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).for_each(|line| {
                let _ = tell.send(line);
            });
        });
        let mut listener = Self {
            child,
            lines,
            heard: Vec::new(),
        };
        // Nobody says when it listens: it does when it hears something.
        assert!(wait_until(PATIENCE, || {
            ok("fdb flush --switch s");
            listener.hears("flushed")
        }));
        listener
    }

    fn listen(&mut self) {
        self.heard.extend(self.lines.try_iter());
    }

    fn hears(&mut self, text: &str) -> bool {
        self.listen();
        self.heard.iter().any(|line| line.contains(text))
    }

    fn waits_for(&mut self, text: &str) {
        let heard = wait_until(PATIENCE, || self.hears(text));
        assert!(heard, "{text}: {:?}", self.heard);
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// All that it has told, once it has ended, and its status.
    fn finish(mut self) -> (Vec<String>, Option<i32>) {
        let mut status = None;
        wait_until(PATIENCE, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        self.heard.extend(self.lines.iter());
        (self.heard, status.expect("it ends").code())
    }
}

/// The events that `wanted` holds for, without their times.
fn events(lines: &[String], wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let parse = |line: &String| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        let time = event["time"].as_str().unwrap().to_owned();
        assert!(time.ends_with('Z') && time.len() == 30, "{time}");
        assert_eq!(event["switch"], "s");
        let fields = event.as_object_mut().unwrap();
        fields.remove("time");
        fields.remove("switch");
        event
    };
    lines.iter().map(parse).filter(wanted).collect()
}

/// Sends a broadcast from a station inside a namespace.
fn speak(namespace: &str, station: u8) {
    let inside = Namespace::open(namespace).unwrap();
    let interface = format!("{namespace}-netns");
    let wire = inside.run(|| Endpoint::open(&interface).unwrap()).unwrap();
    let source = [2, 0, 0, 0, 0, station];
    let frame = [&[0xff; 6][..], &source, &[0x88, 0xb5], &[0; 46]].concat();
    wire.send_patiently(&frame).unwrap();
}

fn in_order() {
    let switch = Switch::start("s --vlan-learning independent");
    let mut listener = Listener::start("events --json");
    ok("attach mario");
    ok("attach luigi");
    speak("mario", 1);
    listener.waits_for(r#""event":"learnt","mac":"02:00:00:00:00:01""#);
    speak("luigi", 1);
    listener.waits_for("moved");
    ok("fdb add 02:00:00:00:00:02 mario-vsw --vlan 7");
    ok("fdb del 02:00:00:00:00:02");
    ok("fdb add 02:00:00:00:00:02 mario-vsw");
    ok("fdb del 02:00:00:00:00:02 --vlan 0");
    let mut netlink = Netlink::open().unwrap();
    let outside = link("mario-vsw").unwrap();
    netlink.set_down(&outside).unwrap();
    listener.waits_for("port_down");
    netlink.set_up(&outside).unwrap();
    listener.waits_for("port_up");
    ok("fdb flush --port luigi-vsw");
    ok("detach luigi");
    netlink.delete_link(&outside).unwrap();
    listener.waits_for("port_absent");
    switch.stop();

    let (lines, status) = listener.finish();
    assert_eq!(status, Some(0), "the switch was stopped in good order");
    let mac = "02:00:00:00:00:01";
    assert_eq!(
        events(&lines, |event| event["mac"] == mac),
        [
            json!({"event": "learnt", "mac": mac, "vlan": 0, "port": "mario-vsw"}),
            json!({"event": "moved", "mac": mac, "vlan": 0, "from": "mario-vsw", "port": "luigi-vsw"}),
        ]
    );
    let mac = "02:00:00:00:00:02";
    assert_eq!(
        events(&lines, |event| event["mac"] == mac),
        [
            json!({"event": "static_added", "mac": mac, "vlan": 7, "port": "mario-vsw"}),
            json!({"event": "removed", "mac": mac, "vlan": null}),
            json!({"event": "static_added", "mac": mac, "vlan": 0, "port": "mario-vsw"}),
            json!({"event": "removed", "mac": mac, "vlan": 0}),
        ]
    );
    let ports = events(&lines, |event| {
        event["event"].as_str().unwrap().starts_with("port_")
    });
    let of = |name: &str| -> Vec<Value> {
        let its = ports.iter().filter(|event| event["port"] == name);
        its.map(|event| event["event"].clone()).collect()
    };
    let mario = of("mario-vsw");
    assert_eq!(mario[..3], ["port_added", "port_down", "port_up"]);
    assert_eq!(mario[mario.len() - 2..], ["port_absent", "port_removed"]);
    assert_eq!(of("luigi-vsw"), ["port_added", "port_removed"]);
    let flushed = events(&lines, |event| event["event"] == "flushed");
    assert_eq!(flushed.last().unwrap()["port"], "luigi-vsw");
    let all = events(&lines, |_| true);
    assert_eq!(all.last().unwrap(), &json!({"event": "stopped"}));
}

fn aged() {
    let switch = Switch::start("s --ageing 1");
    ok("attach mario");
    let mut listener = Listener::start("events --json");
    speak("mario", 1);
    listener.waits_for(r#""event":"aged","mac":"02:00:00:00:00:01""#);
    switch.stop();
    let (lines, _) = listener.finish();
    let mac = "02:00:00:00:00:01";
    assert_eq!(
        events(&lines, |event| event["mac"] == mac),
        [
            json!({"event": "learnt", "mac": mac, "vlan": 0, "port": "mario-vsw"}),
            json!({"event": "aged", "mac": mac, "vlan": 0, "port": "mario-vsw"}),
        ]
    );
}

fn lines() {
    let switch = Switch::start("s --ageing 3600");
    let mut listener = Listener::start("events");
    ok("attach mario");
    speak("mario", 1);
    listener.waits_for("02:00:00:00:00:01");
    // By a signal it ends as it does when asked to: the ports go first.
    kill(Pid::from_raw(switch.pid()), Signal::SIGTERM).unwrap();
    let (lines, _) = listener.finish();
    assert!(
        lines
            .iter()
            .any(|line| line.ends_with("  port removed  mario-vsw"))
    );
    let line = lines.iter().find(|line| line.contains("02:00:00:00:00:01"));
    let words: Vec<_> = line.unwrap().split_whitespace().skip(1).collect();
    assert_eq!(words, ["learnt", "02:00:00:00:00:01", "mario-vsw"]);
    assert!(
        lines
            .iter()
            .any(|line| line.ends_with("  port added    mario-vsw"))
    );
    assert!(
        lines
            .last()
            .unwrap()
            .ends_with("  stopped       the switch ends")
    );
    assert!(
        lines.iter().all(|line| !line.contains('\u{1b}')),
        "no colour"
    );
}

fn ends() {
    assert!(fails("events", 1).contains("no switch is running"));
    let switch = Switch::start("s");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let listener = Listener::start("events");
        kill(listener.pid(), signal).unwrap();
        assert_eq!(listener.finish().1, Some(0), "{signal}");
    }
    // Nobody reads any more.
    let mut command = vswitch(["events"]);
    let (reader, writer) = std::io::pipe().unwrap();
    command.stdout(writer);
    sys::die_with_parent(&mut command);
    let mut child = command.spawn().unwrap();
    drop(command);
    drop(reader);
    assert!(wait_until(PATIENCE, || {
        ok("fdb flush");
        child
            .try_wait()
            .unwrap()
            .is_some_and(|status| status.success())
    }));

    let listening = Background::start(vswitch(["events"])).unwrap();
    let pid = listening.pid();
    // It listens once it waits for nothing but news.
    let two_threads = || {
        std::fs::read_dir(format!("/proc/{pid}/task"))
            .unwrap()
            .count()
            == 2
    };
    assert!(wait_until(PATIENCE, two_threads));
    switch.kill();
    let output = listening.finish().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.starts_with("vswitch: ") && told.contains("'s'"),
        "{told}"
    );
}

/// How many events somebody has heard of, and how many of them only as lost.
fn count(peer: &mut Peer, all: u64) -> u64 {
    let (mut told, mut lost) = (0, 0);
    while told + lost < all {
        let message = peer.receive();
        assert_eq!(message["method"], "event", "{message}");
        assert!(message["id"].is_null(), "{message}");
        match message["params"]["event"].as_str().unwrap() {
            "flushed" => told += 1,
            "lost" => lost += message["params"]["count"].as_u64().unwrap(),
            other => panic!("{other}"),
        }
    }
    assert_eq!(told + lost, all);
    lost
}

fn slow_reader() {
    const EVENTS: u64 = 32_000;
    let switch = Switch::start("s");
    let mut deaf = Peer::connect(&switch.socket());
    let subscribed = deaf.call("events.subscribe", &json!({}));
    assert_eq!(subscribed["result"], json!({"listening": true}));
    let mut keen = Peer::connect(&switch.socket());
    keen.call("events.subscribe", &json!({}));
    let keen = thread::spawn(move || count(&mut keen, EVENTS));

    let mut peer = Peer::connect(&switch.socket());
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "fdb.flush"});
    let batch = Value::from(vec![call; 32]);
    for _ in 0..EVENTS / 32 {
        peer.send(&format!("{batch}\n"));
        assert_eq!(peer.receive().as_array().unwrap().len(), 32);
    }
    keen.join().unwrap();
    assert!(count(&mut deaf, EVENTS) > 0, "all of it cannot have waited");
    // It hears again, and is answered.
    ok("fdb flush");
    assert_eq!(deaf.receive()["params"]["event"], "flushed");
    let stopped = deaf.call("events.unsubscribe", &json!({}));
    assert_eq!(stopped["result"], json!({"listening": false}));
    ok("fdb flush");
    let version = deaf.call("version", &json!({}));
    assert_eq!(version["result"]["program"], "vswitch");
}

fn crowd() {
    let switch = Switch::start("s");
    let mut listeners: Vec<Peer> = (0..32)
        .map(|_| {
            let mut peer = Peer::connect(&switch.socket());
            peer.call("events.subscribe", &json!({}));
            peer
        })
        .collect();
    let mut one_more = Peer::connect(&switch.socket());
    let refused = one_more.call("events.subscribe", &json!({}));
    assert_eq!(refused["error"]["code"], 2, "{refused}");
    // More clients than there is room for: it is not those who listen who have to go.
    let others: Vec<Peer> = (0..100).map(|_| Peer::connect(&switch.socket())).collect();
    ok("fdb flush");
    for listener in &mut listeners {
        assert_eq!(listener.receive()["params"]["event"], "flushed");
    }
    drop(others);
    // A place that was left is free.
    listeners.pop();
    assert!(wait_until(PATIENCE, || {
        let mut peer = Peer::connect(&switch.socket());
        peer.call("events.subscribe", &json!({}))["error"].is_null()
    }));
}

fn restarted() {
    let switch = Switch::start("s");
    let mut listener = Listener::start("events --json");
    ok("restart s");
    listener.waits_for(r#""event":"restarted""#);
    // Of the new process, once it is asked.
    assert!(wait_until(PATIENCE, || {
        ok("attach mario");
        ok("detach mario");
        listener.hears("port_added")
    }));
    switch.stop();
    let (lines, status) = listener.finish();
    assert_eq!(status, Some(0));
    assert!(lines.last().unwrap().contains("stopped"), "{lines:?}");
}
