//! Clients of the control socket that mean no good.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::forwarder::{CANNOT, Res};
use super::scene::Scene;
use super::vswitch::{Vswitch, socket};
use super::{Fault, Promise};

/// Another client is to be answered within that.
const ANSWER: Duration = Duration::from_millis(50);
/// The most memory that a client may cost.
const EACH_BYTES: u64 = 64 * 1024;

pub(super) fn faults() -> Vec<Fault> {
    vec![Fault {
        name: "hostile-clients",
        injected: "a thousand clients: half a message, a byte now and then, 10 MB, deep nesting, \
                   replies unread",
        others: Promise::UNHARMED,
        victim: Promise::UNHARMED,
        options: &[],
        needs: None,
        inject: hostile_clients,
    }]
}

fn hostile_clients(scene: &mut Scene) -> Res {
    if scene.switch.as_vswitch().is_none() {
        return Err(CANNOT.to_owned());
    }
    let pid = scene.switch.pid().unwrap_or_default();
    let count = if scene.pace.times > 10 { 1000 } else { 100 };
    let before = memory(pid);
    let mut clients = Vec::new();
    let mut slowest = Duration::ZERO;
    for number in 0..count {
        if let Ok(client) = UnixStream::connect(socket()) {
            let _ = client.set_nonblocking(true);
            misbehave(&client, number);
            clients.push(client);
        }
        if number % 25 == 24 {
            // A byte a second, about, and an honest client in between.
            for client in &clients {
                let _ = (&*client).write(b"x");
            }
            let start = Instant::now();
            Vswitch::call("show", json!({}))?;
            slowest = slowest.max(start.elapsed());
        }
    }
    let after = memory(pid);
    let grown = after.saturating_sub(before);
    scene.note(format!(
        "{count} clients, another answered within {slowest:.1?}, {} KiB more for all",
        grown / 1024
    ));
    if slowest > ANSWER {
        scene
            .late
            .push(format!("an honest client waited {slowest:.1?}"));
    }
    scene.expect(
        grown <= EACH_BYTES * count,
        format!("{grown} bytes for {count} clients"),
    );
    drop(clients);
    Vswitch::call("show", json!({})).map(drop)
}

fn misbehave(mut client: &UnixStream, number: u64) {
    let call = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show\"}\n";
    // Whatever the switch does with them, it may well be to close the connection.
    let _ = match number % 5 {
        0 => client.write(&call[..20]),
        1 => client.write(b"{"),
        2 => client.write(&vec![b'x'; 10 << 20]),
        3 => client.write(&vec![b'['; 100_000]),
        _ => client.write(&call.repeat(1_000)),
    };
    let mut byte = [0];
    let _ = client.read(&mut byte);
}

/// The memory of a process that is resident, in bytes; without its program, whose pages come into
/// memory as they are used (`proc_pid_status`(5)).
pub(crate) fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// How many descriptors a process has open when it is left alone: the connection of whoever asked it
/// last may be open for a moment still.
pub(crate) fn descriptors_at_rest(pid: u32) -> usize {
    let counts = (0..10).map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        descriptors(pid)
    });
    counts.min().unwrap_or_default()
}

/// How many descriptors a process has open.
pub(crate) fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}
