//! TCP, with the kernel's offloads as they are by default.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::thread;

use libtest_mimic::Trial;
use socket2::SockRef;

use super::lab::{Host, Lab};
use crate::harness::transfer::{self, Summary};
use crate::harness::{PATIENCE, isolated};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated(
            "switching_tcp_carries_200_megabytes_each_way",
            carries_both_ways,
        ),
        isolated(
            "switching_tcp_carries_four_streams_at_once",
            carries_four_streams,
        ),
    ]
}

/// Carries `bytes` from one host to another and compares what arrives with what was sent.
pub(super) fn carry(from: &Host, to: &Host, address: IpAddr, bytes: u64) {
    let listener = to.run(|| listen(address));
    let target = listener.local_addr().unwrap();
    let (sent, received) = thread::scope(|scope| {
        // A socket stays in the namespace where it was opened, whoever uses it.
        let receiver = scope.spawn(|| transfer::tcp_receive(&listener));
        let sent = from.run(|| transfer::tcp_send(target, bytes));
        (sent, receiver.join().unwrap())
    });
    let (sent, received): (Summary, Summary) = (sent.unwrap(), received.unwrap());
    assert_eq!(sent.bytes, bytes);
    assert_eq!(received, sent, "what arrives is what was sent");
}

fn listen(address: IpAddr) -> TcpListener {
    let listener = TcpListener::bind(SocketAddr::new(address, 0)).unwrap();
    // accept() heeds it too: a test whose sender fails comes to its end.
    let timeout = SockRef::from(&listener).set_read_timeout(Some(PATIENCE));
    timeout.unwrap();
    listener
}

/// The host's segments sent again and sent in all (RFC 4022): only to tell.
fn retransmits(host: &Host) -> String {
    let table = host.run(|| fs::read_to_string("/proc/thread-self/net/snmp").unwrap());
    let mut rows = table
        .lines()
        .filter(|line| line.starts_with("Tcp:"))
        .map(str::split_whitespace);
    let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
    let pairs: Vec<_> = names.zip(values).collect();
    let get = |wanted| pairs.iter().find(|(name, _)| *name == wanted).unwrap().1;
    format!("{} of {}", get("RetransSegs"), get("OutSegs"))
}

fn carries_both_ways() {
    let lab = Lab::talking(2);
    let [one, two] = &lab.hosts[..] else {
        unreachable!()
    };
    thread::scope(|scope| {
        scope.spawn(|| carry(one, two, two.v4(), 200_000_000));
        scope.spawn(|| carry(two, one, one.v6(), 200_000_001));
    });
    println!(
        "TCP segments sent again, each way: {}, {}",
        retransmits(one),
        retransmits(two)
    );
    lab.stop();
}

fn carries_four_streams() {
    let lab = Lab::talking(3);
    let [one, two, three] = &lab.hosts[..] else {
        unreachable!()
    };
    thread::scope(|scope| {
        // Of different lengths, so that each carries other bytes than the others.
        scope.spawn(|| carry(one, two, two.v4(), 20_000_011));
        scope.spawn(|| carry(one, two, two.v6(), 20_000_033));
        scope.spawn(|| carry(two, three, three.v4(), 20_000_055));
        scope.spawn(|| carry(three, two, two.v6(), 20_000_077));
    });
    lab.stop();
}
