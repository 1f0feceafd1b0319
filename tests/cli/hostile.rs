//! A thousand clients that misbehave, one that does not, and hosts that must not notice.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;

use super::abuse::Peer;
use super::{Switch, ok};
use crate::harness::isolated;

/// Of each kind.
const EACH: usize = 200;
/// What each may cost the switch, in KiB.
const MAX_KIB_EACH: u64 = 64;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("control_socket_thousand_hostile_clients", thousand),
        isolated("control_socket_newcomers_always_get_in", newcomers),
    ]
}

/// What a hostile client sends without reading anything.
fn kinds() -> [Vec<u8>; 5] {
    let show = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show\"}\n";
    [
        b"{\"jsonrpc\":\"2.0\",\"id\":7,\"meth".to_vec(), // half a message
        vec![b'x'; 10_000_000],                           // ten megabytes
        "[".repeat(1_000_000).into_bytes(),               // nesting
        show.repeat(5000).into_bytes(),                   // replies that are not read
        b"{".to_vec(),                                    // a byte now and then
    ]
}

struct Hostile {
    stream: UnixStream,
    rest: Vec<u8>,
}

impl Hostile {
    fn connect(socket: &Path, sends: &[u8]) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self {
            stream,
            rest: sends.to_vec(),
        }
    }

    /// Sends as much as is taken; whether any was.
    fn push(&mut self) -> bool {
        match self.stream.write(&self.rest) {
            Ok(sent) => {
                self.rest.drain(..sent);
                sent > 0
            }
            Err(error) => {
                let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
                assert!(
                    gone.contains(&error.kind()) || error.kind() == ErrorKind::WouldBlock,
                    "{error}"
                );
                false
            }
        }
    }
}

fn timed(honest: &mut Peer) -> Duration {
    let begin = Instant::now();
    assert_eq!(honest.call("show", &json!({}))["result"]["name"], "s");
    begin.elapsed()
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    format!(
        "median {:?}, 99% {:?}, longest {:?}",
        at(50),
        at(99),
        at(100)
    )
}

fn resident_kib(pid: u64) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().split_whitespace().next().unwrap();
    number.parse().unwrap()
}

fn many_descriptors() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
}

fn thousand() {
    many_descriptors();
    let switch = Switch::start("s --subnet 10.0.0.0/24");
    ok("attach mario");
    ok("attach luigi");
    let pid = switch.show()["pid"].as_u64().unwrap();
    let mut honest = Peer::connect(&switch.socket());
    let mut alone = Vec::new();
    for _ in 0..220 {
        alone.push(timed(&mut honest));
    }
    let drops = || ["mario-vsw", "luigi-vsw"].map(|port| switch.port(port)["drops"].clone());
    let dropped = drops();
    let before = resident_kib(pid);
    let kinds = kinds();
    let mut hostile = Vec::new();
    for _ in 0..EACH {
        hostile.extend(
            kinds
                .iter()
                .map(|sends| Hostile::connect(&switch.socket(), sends)),
        );
    }
    let (mut waits, mut most) = (Vec::new(), 0);
    let mut ask = |honest: &mut Peer| {
        waits.push(timed(honest));
        most = most.max(resident_kib(pid));
    };
    for round in 0..20 {
        for (index, client) in hostile.iter_mut().enumerate() {
            client.push();
            if client.rest.is_empty() && index % kinds.len() == 4 {
                client.rest.push(b'{');
            }
            if index % 100 == 0 {
                ask(&mut honest);
            }
        }
        // Who comes anew is served as well.
        ask(&mut Peer::connect(&switch.socket()));
        if round == 10 {
            ok("ping mario luigi --count 3 -W 60");
        }
    }
    let growth = most.saturating_sub(before);
    // To be looked at, on a machine that does nothing else.
    println!("alone: {}", spread(alone));
    println!("among {} hostile clients: {}", hostile.len(), spread(waits));
    println!("growth: {growth} KiB");
    let clients = u64::try_from(hostile.len()).unwrap();
    assert!(growth <= MAX_KIB_EACH * clients, "{growth} KiB");
    assert_eq!(drops(), dropped);
    drop(hostile);
    ok("detach mario");
    switch.stop();
}

/// However many are there and say nothing.
fn newcomers() {
    many_descriptors();
    let switch = Switch::start("s");
    let mut silent = Vec::new();
    for _ in 0..2500 {
        let stream = UnixStream::connect(switch.socket()).unwrap();
        stream.set_nonblocking(true).unwrap();
        silent.push(stream);
    }
    for _ in 0..20 {
        let mut newest = Peer::connect(&switch.socket());
        assert_eq!(newest.call("show", &json!({}))["result"]["name"], "s");
    }
    let closed = |stream: &mut UnixStream| {
        let mut byte = [0];
        !matches!(stream.read(&mut byte), Err(error) if error.kind() == ErrorKind::WouldBlock)
    };
    let gone = silent
        .iter_mut()
        .filter_map(|stream| closed(stream).then_some(()))
        .count();
    assert!(gone > 0, "there is room for all of them");
    assert!(gone < silent.len(), "those who are left in peace stay");
    switch.stop();
}
