//! `/metrics`: what a running switch tells Prometheus.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::Value;
use vswitch_netns::{Namespace, Netlink};

use super::{Switch, fails, ok};
use crate::harness::packet::Endpoint;
use crate::harness::program::is_empty_dir;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("metrics_agree_with_show", agree),
        isolated("metrics_survive_whoever_asks", abuse),
        isolated("metrics_on_a_unix_socket", unix_socket),
        isolated("metrics_elsewhere_are_refused", refused),
    ]
}

/// Where a switch says that it serves.
pub(super) fn address(switch: &Switch) -> SocketAddr {
    let told = switch.show()["metrics"].as_str().unwrap().to_owned();
    let rest = told.strip_prefix("http://").unwrap();
    rest.strip_suffix("/metrics").unwrap().parse().unwrap()
}

/// Sends `request` and gives all that comes back: the head and the body.
pub(super) fn exchange(mut stream: impl Read + Write, request: &str) -> (String, String) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_owned(), body.to_owned())
}

pub(super) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub(super) fn scrape(address: SocketAddr) -> BTreeMap<String, String> {
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let (head, body) = exchange(connect(address), request);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{head}"
    );
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
    samples(&body)
}

pub(super) fn samples(body: &str) -> BTreeMap<String, String> {
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

fn number(value: &str) -> f64 {
    value.parse().unwrap()
}

/// The counters of all ports, as `show` tells them, under the names of the metrics.
fn counters(show: &Value) -> BTreeMap<String, String> {
    let mut counters = BTreeMap::new();
    for port in show["ports"].as_array().unwrap() {
        let labels = format!(
            "switch=\"s\",port=\"{}\",namespace=\"{}\"",
            port["name"].as_str().unwrap(),
            port["namespace"].as_str().unwrap_or_default()
        );
        for (direction, word) in [("rx", "receive"), ("tx", "transmit")] {
            for what in ["frames", "bytes"] {
                let name = format!("vswitch_port_{word}_{what}_total{{{labels}}}");
                counters.insert(name, port[direction][what].to_string());
            }
        }
        for (reason, frames) in port["drops"].as_object().unwrap() {
            let name = format!("vswitch_port_drops_total{{{labels},reason=\"{reason}\"}}");
            counters.insert(name, frames.to_string());
        }
    }
    counters
}

fn agree() {
    let switch = Switch::start("s --metrics 127.0.0.1:0");
    ok("attach mario");
    ok("attach luigi");
    let inside = Namespace::open("mario").unwrap();
    let wire = inside.run(|| Endpoint::open("mario-netns").unwrap());
    let wire = wire.unwrap();
    for last in 0..20 {
        let frame = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1], &[0x88, 0xb5, last]].concat();
        wire.send_patiently(&frame).unwrap();
    }
    // From a group's address, which is a drop.
    let frame = [&[0xff; 6][..], &[3, 0, 0, 0, 0, 1], &[0x88, 0xb5, 0]].concat();
    wire.send_patiently(&frame).unwrap();

    let address = address(&switch);
    let of = "switch=\"s\",port=\"mario-vsw\",namespace=\"mario\"";
    let dropped = format!("vswitch_port_drops_total{{{of},reason=\"source_multicast\"}}");
    // The hosts send something by themselves now and then: until a moment without.
    let agreed = wait_until(PATIENCE, || {
        let told = counters(&switch.show());
        let scraped = scrape(address);
        told.get(&dropped).is_some_and(|frames| frames == "1")
            && number(&told[&format!("vswitch_port_receive_frames_total{{{of}}}")]) >= 21.0
            && told
                .iter()
                .all(|(name, value)| scraped.get(name) == Some(value))
    });
    assert!(
        agreed,
        "{:?}\n{:?}",
        counters(&switch.show()),
        scrape(address)
    );
    let scraped = scrape(address);
    assert_eq!(scraped["vswitch_ports{switch=\"s\",state=\"up\"}"], "2");
    assert!(number(&scraped["vswitch_stations{switch=\"s\"}"]) >= 1.0);
    assert!(number(&scraped["process_start_time_seconds"]) > 1e9);

    let outside = super::link("mario-vsw").unwrap();
    Netlink::open().unwrap().set_down(&outside).unwrap();
    let up = format!("vswitch_port_up{{{of}}}");
    assert_eq!(scraped[&up], "1");
    assert!(wait_until(PATIENCE, || scrape(address)[&up] == "0"));
    assert!(ok("show").contains(&format!("http://{address}/metrics")));
    switch.stop();
    assert!(
        TcpStream::connect(address).is_err(),
        "nobody serves any more"
    );
}

fn abuse() {
    let switch = Switch::start("s --metrics localhost:0");
    let address = address(&switch);
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
        (
            "POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "405 Method Not Allowed",
        ),
        ("hello\r\n\r\n", "400 Bad Request"),
        ("\u{16}\u{3}\u{1}\u{0}", "400 Bad Request"),
    ] {
        let (head, body) = exchange(connect(address), request);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{head}"
        );
        assert!(!body.is_empty(), "{head}");
    }
    let (head, body) = exchange(connect(address), "HEAD /metrics HTTP/1.0\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && body.is_empty());
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n", "x".repeat(100_000));
    let (head, _) = exchange(connect(address), &long);
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    // Those who say nothing, or not all, hold up neither the switch nor who asks properly.
    let mut silent: Vec<_> = (0..3).map(|_| connect(address)).collect();
    silent[0].write_all(b"GET /met").unwrap();
    ok("attach mario");
    let of = "switch=\"s\",port=\"mario-vsw\",namespace=\"mario\"";
    let mtu = format!("vswitch_port_mtu_bytes{{{of}}}");
    assert_eq!(scrape(address)[&mtu], "1500");
    silent[0].shutdown(Shutdown::Write).unwrap();
    let mut rest = String::new();
    silent[0].read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "nothing was asked");
    // Those who do not read the answer neither.
    silent[1]
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    scrape(address);
    drop(silent);
    scrape(address);
    switch.stop();
}

fn unix_socket() {
    let switch = Switch::start("s --metrics unix:/run/metrics.sock");
    assert_eq!(switch.show()["metrics"], "unix:/run/metrics.sock");
    let ask = || {
        let stream = UnixStream::connect("/run/metrics.sock").unwrap();
        exchange(stream, "GET /metrics HTTP/1.1\r\n\r\n").1
    };
    assert!(samples(&ask()).contains_key("vswitch_stations{switch=\"s\"}"));
    let told = fails("run t --metrics unix:/run/metrics.sock", 1);
    assert!(told.contains("another process uses this address"), "{told}");
    // A second of its name fails, and takes nothing along.
    fails("run s --metrics unix:/run/other.sock", 1);
    assert!(!Path::new("/run/other.sock").exists());
    fails("run s --detach --metrics unix:/run/other.sock", 1);
    assert!(!Path::new("/run/other.sock").exists());
    switch.kill();
    assert!(Path::new("/run/metrics.sock").exists());
    let again = Switch::start("s --metrics unix:/run/metrics.sock");
    assert!(samples(&ask()).contains_key("vswitch_stations{switch=\"s\"}"));
    again.stop();
    assert!(!Path::new("/run/metrics.sock").exists());
    assert!(is_empty_dir(&crate::harness::program::runtime_dir()));
}

fn refused() {
    for line in [
        "run s --metrics 0.0.0.0:9464",
        "run s --metrics 10.0.0.1:9464",
        "run s --metrics [::]:9464",
        "run s --metrics 9464",
        "run s --metrics unix:",
    ] {
        fails(line, 2);
    }
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap();
    for detach in ["", " --detach"] {
        let told = fails(&format!("run s --metrics {address}{detach}"), 1);
        assert!(told.contains("Address already in use"), "{told}");
    }
    std::fs::write("/run/precious", "").unwrap();
    let told = fails("run s --metrics unix:/run/precious", 1);
    assert!(told.contains("not a socket"), "{told}");
    assert!(Path::new("/run/precious").exists());
    let switch = Switch::start("s");
    assert!(switch.show()["metrics"].is_null());
}
