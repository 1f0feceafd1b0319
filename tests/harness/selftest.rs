//! The harness proves itself: a helper that lies would make every other test worthless.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::packet::Endpoint;
use super::program::{self, Background};
use super::{PATIENCE, icmp, isolated, stage, transfer, wait_until};

/// Tests of the harness.
pub(crate) fn tests() -> Vec<Trial> {
    vec![
        isolated("harness_test_begins_in_empty_namespaces", empty_namespaces),
        isolated(
            "harness_threads_share_the_tests_namespaces",
            shared_by_threads,
        ),
        isolated("harness_tally_counts", tally),
        isolated("harness_patience_is_multiplied", patience),
        isolated("harness_environment_is_always_the_same", environment),
        isolated("harness_pings_both_families", pings),
        isolated("harness_transfers_and_hashes", transfers),
        isolated("harness_captures_frames", captures),
        isolated("harness_children_end_with_their_guard", children),
        isolated("harness_runs_the_program", runs_program),
    ]
}

fn tally() {
    super::tally::check_itself();
}

fn patience() {
    super::patience::check_itself();
}

/// Whatever was set outside, and however the tests were started.
fn environment() {
    super::environment::check_itself();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().to_owned()
    };
    assert_eq!(field("Umask:"), "0022");
    for signals in ["SigIgn:", "SigBlk:"] {
        // The runtime of Rust ignores SIGPIPE, the C library keeps the first of those in real time.
        let signals = u64::from_str_radix(&field(signals), 16).unwrap();
        assert_eq!(signals & 0x7fff_ffff & !(1 << 12), 0, "{status}");
    }
    assert!(fs::File::open("/dev/tty").is_err(), "there is a terminal");
    for descriptor in 0..3 {
        let to = fs::read_link(format!("/proc/self/fd/{descriptor}")).unwrap();
        let expected = if descriptor == 0 {
            "/dev/null"
        } else {
            "pipe:"
        };
        assert!(
            to.to_string_lossy().starts_with(expected),
            "{}",
            to.display()
        );
    }
    let directory = tempfile::tempdir().unwrap();
    assert!(directory.path().starts_with("/tmp"));
    // A program without anything to choose it by.
    let mut command = std::process::Command::new("sh");
    assert!(command.spawn().is_err(), "programs are found by name");
}

fn empty_namespaces() {
    let interfaces = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let names = interfaces
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'));
    let names: Vec<_> = names.map(|(name, _)| name.trim()).collect();
    assert_eq!(names, ["lo"]);
    assert!(program::is_empty_dir(Path::new("/run/netns")));
    assert!(program::is_empty_dir(&program::runtime_dir()));
}

fn shared_by_threads() {
    let namespace = || fs::read_link("/proc/thread-self/ns/net").unwrap();
    let ours = namespace();
    assert_eq!(thread::spawn(namespace).join().unwrap(), ours);
    let of_process = fs::read_link("/proc/self/ns/net").unwrap();
    assert_ne!(
        of_process, ours,
        "the test runs in the process's own namespace"
    );
}

fn pings() {
    icmp::ping(Ipv4Addr::LOCALHOST.into(), None, 56, PATIENCE).unwrap();
    icmp::ping(Ipv4Addr::LOCALHOST.into(), None, 60_000, PATIENCE).unwrap();
    icmp::ping_until(Ipv6Addr::LOCALHOST.into(), None, 8_000, PATIENCE).unwrap();
    let nobody = Ipv4Addr::new(192, 0, 2, 1);
    assert!(icmp::ping(nobody.into(), None, 56, Duration::from_millis(10)).is_err());
}

fn transfers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let receiver = thread::spawn(move || transfer::tcp_receive(&listener));
    let sent = transfer::tcp_send(address, 3_000_001).unwrap();
    let received = receiver.join().unwrap().unwrap();
    assert_eq!(received.bytes, 3_000_001);
    assert_eq!(sent, received);

    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let server = thread::spawn(move || transfer::udp_serve(&server, 1));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    transfer::udp_echo(&client, address, &[7; 1400], PATIENCE).unwrap();
    server.join().unwrap().unwrap();
}

fn captures() {
    let endpoint = Endpoint::open("lo").unwrap();
    let mut frame = vec![0; 60];
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    frame[20] = 42;
    let other = Endpoint::open("lo").unwrap();
    other.send(&frame).unwrap();
    let wanted = |bytes: &[u8]| bytes.get(20) == Some(&42);
    let captured = endpoint.receive_where(PATIENCE, wanted).unwrap();
    assert_eq!(captured.bytes, frame);
    assert!(!captured.checksum_partial);
    // The kernel moves this one's tag aside; the capture puts it back.
    let tagged = [&frame[..12], &[0x81, 0, 0, 100], &frame[12..]].concat();
    other.send(&tagged).unwrap();
    assert_eq!(endpoint.receive(PATIENCE).unwrap().bytes, tagged);
    assert!(
        endpoint
            .collect(Duration::from_millis(20), wanted)
            .is_empty()
    );
}

fn children() {
    let mut stopped = Background::start(stage::sleeper()).unwrap();
    stopped.signal(Signal::SIGTERM).unwrap();
    assert!(!stopped.wait().unwrap().success());
    let guarded = Background::start(stage::sleeper()).unwrap();
    let pid = guarded.pid();
    let exists = || nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), None);
    exists().unwrap();
    drop(guarded);
    assert!(wait_until(PATIENCE, || exists().is_err()));
}

fn runs_program() {
    let output = program::run_vswitch(["--version"]);
    assert!(output.status.success());
    program::vswitch_ok(["--version"]);
    let background = Background::start(program::vswitch(["--version"])).unwrap();
    assert!(background.finish().unwrap().status.success());
}
