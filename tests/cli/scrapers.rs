//! Scrapers of `/metrics` that misbehave by the hundred, one that does not, and web pages that would
//! read along.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use libtest_mimic::Trial;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::Switch;
use super::metrics::{address, connect, exchange, scrape};
use crate::harness::isolated;

/// More than are served at once.
const CROWD: usize = 700;
/// The most that are served at once (docs/watching.md).
const ROOM: usize = 512;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated(
            "metrics_are_served_beside_hundreds_of_silent_clients",
            silent,
        ),
        isolated(
            "metrics_are_served_beside_clients_that_trickle_or_do_not_read",
            slow,
        ),
        isolated("metrics_are_served_during_a_flood_of_connections", flood),
        isolated(
            "metrics_are_refused_to_web_pages_that_rebind_a_name",
            rebinding,
        ),
        isolated("metrics_on_a_unix_socket_take_any_host", unix_host),
        isolated(
            "metrics_go_on_over_a_restart_beside_silent_clients",
            restart,
        ),
    ]
}

fn many_descriptors() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
}

/// What the process of the switch costs: descriptors and threads.
fn costs(pid: u64) -> [usize; 2] {
    ["fd", "task"].map(|what| {
        let entries = std::fs::read_dir(format!("/proc/{pid}/{what}")).unwrap();
        entries.count()
    })
}

fn silent() {
    many_descriptors();
    let switch = Switch::start("s --metrics 127.0.0.1:0");
    let address = address(&switch);
    let pid = switch.show()["pid"].as_u64().unwrap();
    scrape(address);
    let [descriptors, threads] = costs(pid);
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        crowd.push(connect(address));
        if number % 50 == 0 {
            scrape(address);
        }
    }
    scrape(address);
    let now = costs(pid);
    // Fewer are none for a client either: those that the start needs may have been counted.
    assert!(now[1] <= threads, "{now:?}, {threads} threads before");
    assert!(
        now[0] <= descriptors + ROOM,
        "{now:?}, {descriptors} before"
    );
    // The newest are still there, and asked properly they are answered.
    let mut last = crowd.pop().unwrap();
    let (head, _) = exchange(
        &mut last,
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    // The oldest have given way.
    let mut rest = Vec::new();
    let ended = crowd[0].read_to_end(&mut rest);
    assert!(matches!(ended, Ok(0)) || ended.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
    switch.stop();
}

/// A client that sends a byte of a head whenever it is its turn.
struct Trickle {
    stream: TcpStream,
    sent: usize,
}

fn slow() {
    many_descriptors();
    let switch = Switch::start("s --metrics 127.0.0.1:0");
    let address = address(&switch);
    let head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ".as_slice();
    let mut trickles: Vec<_> = (0..CROWD / 2)
        .map(|_| Trickle {
            stream: connect(address),
            sent: 0,
        })
        .collect();
    let mut deaf = Vec::new();
    for round in 0..20 {
        for client in &mut trickles {
            let byte = head.get(client.sent).unwrap_or(&b'x');
            // Those that have given way notice here.
            let _ = client.stream.write(&[*byte]);
            client.sent += 1;
        }
        for _ in 0..CROWD / 20 {
            // It asks properly, again and again, and never reads.
            let mut client = connect(address);
            client.set_nonblocking(true).unwrap();
            let _ = client.write(&b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100));
            deaf.push(client);
        }
        let scraped = scrape(address);
        assert!(
            scraped.contains_key("vswitch_uptime_seconds{switch=\"s\"}"),
            "round {round}"
        );
    }
    switch.stop();
}

fn flood() {
    many_descriptors();
    let switch = Switch::start("s --metrics 127.0.0.1:0");
    let address = address(&switch);
    let mut crowd: Vec<Option<TcpStream>> = (0..CROWD).map(|_| None).collect();
    for number in 0..10 * CROWD {
        let client = connect(address);
        if number % 3 == 0 {
            let _ = (&client).write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        }
        crowd[number % CROWD] = Some(client);
        if number % CROWD == 0 {
            scrape(address);
        }
    }
    scrape(address);
    switch.stop();
}

fn status(stream: impl Read + Write, request: &str) -> String {
    let (head, _) = exchange(stream, request);
    head.lines().next().unwrap_or_default().to_owned()
}

fn rebinding() {
    let switch = Switch::start("s --metrics 127.0.0.1:0");
    let address = address(&switch);
    let ask = |request: &str| status(connect(address), request);
    let port = address.port();
    for host in [
        "localhost".to_owned(),
        "LocalHost".to_owned(),
        "localhost.".to_owned(),
        format!("localhost:{port}"),
        "localhost:9000".to_owned(), // forwarded from another port
        "127.0.0.1".to_owned(),
        format!("127.0.0.1:{port}"),
        "127.1.2.3".to_owned(),
        "[::1]".to_owned(),
        format!("[::1]:{port}"),
    ] {
        let told = ask(&format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(told, "HTTP/1.1 200 OK", "{host}");
    }
    for host in [
        format!("evil.example:{port}"),
        "evil.example".to_owned(),
        "localhost.evil.example".to_owned(),
        "127.0.0.1.evil.example".to_owned(),
        "10.0.0.1".to_owned(),
        "[2001:db8::1]".to_owned(),
    ] {
        for line in [
            format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n"),
            format!("GET /metrics HTTP/1.0\r\nHost: {host}\r\n"),
            format!("GET /metrics HTTP/1.1\r\nhOST:{host}\r\n"),
            format!("GET http://{host}/metrics HTTP/1.1\r\nHost: localhost\r\n"),
            format!("GET http://localhost/metrics HTTP/1.1\r\nHost: {host}\r\n"),
        ] {
            let told = ask(&format!("{line}\r\n"));
            assert_eq!(told, "HTTP/1.1 421 Misdirected Request", "{line}");
        }
    }
    for request in [
        "GET /metrics HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: evil.example@localhost\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost:x\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: \r\n\r\n",
    ] {
        assert_eq!(ask(request), "HTTP/1.1 400 Bad Request", "{request}");
    }
    assert_eq!(ask("GET /metrics HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 OK");
    switch.stop();
}

fn unix_host() {
    let switch = Switch::start("s --metrics unix:/run/metrics.sock");
    for host in ["localhost", "a.host.of.somebody", ""] {
        let stream = UnixStream::connect("/run/metrics.sock").unwrap();
        let told = status(
            stream,
            &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        );
        assert_eq!(told, "HTTP/1.1 200 OK", "{host}");
    }
    switch.stop();
}

fn restart() {
    let switch = Switch::start("s --metrics 127.0.0.1:0");
    let address: SocketAddr = address(&switch);
    let crowd: Vec<_> = (0..50).map(|_| connect(address)).collect();
    let before = scrape(address)["process_start_time_seconds"].clone();
    super::ok("restart s");
    for _ in 0..20 {
        assert_ne!(scrape(address)["process_start_time_seconds"], before);
    }
    drop(crowd);
    switch.stop();
}
