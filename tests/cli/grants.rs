//! What a switch that was taken over must not gain by what it leaves on disk, and the owner of a switch must not
//! lose to those who may ask it too.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::sys::{become_member, can_be_nobody, limit_descriptors};
use super::{Switch, ok, words};
use crate::harness::program::vswitch;
use crate::harness::{PATIENCE, isolated, wait_until};

const GROUP: u32 = 4242;
const MEMBER: u32 = 4711;
/// So many descriptors the switch has, and a quarter as many clients.
const DESCRIPTORS: u64 = 768;
const CLIENTS: usize = 192;
const REQUEST: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n";

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("grants_are_not_taken_from_a_forged_state", forged),
        isolated("grants_come_back_with_a_killed_switch", recalled),
        isolated("grants_metrics_socket_goes_with_its_switch", removed),
        isolated("grants_owner_is_heard_before_members", owner),
    ]
}

/// The state of another switch of that name is whole, and says more than this one was given.
fn forged() {
    let group = if can_be_nobody() { GROUP } else { 0 };
    let more = format!("s --group {group} --metrics unix:/run/given.sock");
    ok(&format!("--runtime-dir /run/other run {more} --detach"));
    let state = fs::read("/run/other/s/state").unwrap();
    ok("--runtime-dir /run/other stop s");
    assert!(!Path::new("/run/given.sock").exists());

    let switch = Switch::start("s");
    ok("attach mario");
    switch.kill();
    fs::write(switch.dir().join("state"), state).unwrap();
    ok("run s --detach");
    let view = switch.show();
    assert_eq!(view["group"], json!(null));
    assert_eq!(view["metrics"], json!(null));
    let mode = fs::metadata(switch.dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(!Path::new("/run/given.sock").exists());
    let log = fs::read_to_string(switch.dir().join("log")).unwrap();
    assert!(
        log.contains("--group") && log.contains("--metrics"),
        "{log}"
    );
    let dir = switch.dir();
    switch.stop();
    assert!(!dir.exists());
}

fn recalled() {
    let group = if can_be_nobody() { GROUP } else { 0 };
    let line = format!("s --group {group} --metrics unix:/run/given.sock");
    let switch = Switch::start(&line);
    for _ in 0..2 {
        switch.kill();
        ok("run s --detach");
        let view = switch.show();
        assert_eq!(view["group"], group);
        assert_eq!(view["metrics"], "unix:/run/given.sock");
        ok("restart s");
    }
    // What is given anew replaces what was.
    switch.kill();
    ok("run s --detach --metrics unix:/run/another.sock");
    switch.kill();
    ok("run s --detach");
    assert_eq!(switch.show()["metrics"], "unix:/run/another.sock");
    switch.kill();
    ok("run s --detach --fresh");
    assert_eq!(switch.show()["metrics"], json!(null));
    assert_eq!(switch.show()["group"], json!(null));
    switch.stop();
}

/// Whoever may remove it; and nothing else in its place.
fn removed() {
    let socket = Path::new("/run/metrics.sock");
    let line = "s --metrics unix:/run/metrics.sock";
    for guard in ["", " --no-guard"] {
        let switch = Switch::start(&format!("{line}{guard}"));
        ok("restart s");
        assert!(socket.exists());
        switch.stop();
        assert!(!socket.exists(), "{guard}");
        let switch = Switch::start(&format!("{line}{guard}"));
        fs::remove_file(socket).unwrap();
        fs::write(socket, "precious").unwrap();
        switch.stop();
        assert_eq!(fs::read_to_string(socket).unwrap(), "precious", "{guard}");
        fs::remove_file(socket).unwrap();
    }
    // Without anybody who may, it stays, and is not in the way.
    let switch = Switch::start(line);
    let brokers = switch.show()["guard"]["brokers"].clone();
    for broker in brokers.as_array().unwrap() {
        let pid = i32::try_from(broker.as_i64().unwrap()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        let gone = || !Path::new(&format!("/proc/{pid}")).exists();
        assert!(wait_until(PATIENCE, gone), "{pid}");
    }
    switch.stop();
    let switch = Switch::start(line);
    switch.stop();
    assert!(!socket.exists());
}

fn owner() {
    if !can_be_nobody() {
        return;
    }
    let mut command = vswitch(words(&format!("run s --detach --group {GROUP}")));
    limit_descriptors(&mut command, DESCRIPTORS);
    assert!(command.status().unwrap().success());
    let switch = Switch {
        name: "s".to_owned(),
    };
    let socket = switch.socket();
    let asks = |stream: &mut UnixStream| {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(REQUEST).is_ok() && stream.read(&mut [0; 512]).is_ok_and(|read| read > 0)
    };
    thread::scope(|scope| {
        let (socket, owner) = (&socket, UnixStream::connect(&socket).unwrap());
        let members = scope.spawn(move || {
            become_member(MEMBER, GROUP);
            let connect = || UnixStream::connect(socket).unwrap();
            let mut all: Vec<_> = (0..CLIENTS).map(|_| connect()).collect();
            // All places are taken, by clients that have asked.
            for member in &mut all {
                asks(member);
            }
            all
        });
        let all = members.join().unwrap();
        let mut late = UnixStream::connect(socket).unwrap();
        let more = scope.spawn(move || {
            become_member(MEMBER, GROUP);
            for _ in 0..=CLIENTS {
                drop(UnixStream::connect(socket).unwrap());
            }
        });
        more.join().unwrap();
        let mut last = UnixStream::connect(socket).unwrap();
        for (name, stream) in [("last", &mut last), ("late", &mut late)] {
            assert!(asks(stream), "the owner's {name} client");
        }
        let mut owner = owner;
        assert!(asks(&mut owner), "the owner's first client");
        drop(all);
    });
    switch.stop();
}
