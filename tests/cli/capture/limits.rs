//! Readers that are slow, gone or in the wrong place; too many of them; what cannot be.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use libtest_mimic::Trial;
use nix::pty::openpty;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::super::fails;
use super::{IN, ONLY_OURS, await_packets, capture_to, end, frame, lab, ok, parse, read, start};
use crate::harness::program::{Background, is_empty_dir, runtime_dir, vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("capture_that_nobody_reads_loses_and_says_so", unread),
        isolated("capture_into_a_closed_pipe_ends_quietly", closed_pipe),
        isolated("capture_to_a_full_disk_is_one_sentence", full_disk),
        isolated("capture_puts_nothing_binary_on_a_terminal", terminal),
        isolated("capture_has_places_for_eight", places),
        isolated("capture_ends_at_signals_and_in_time", ends),
        isolated("capture_is_written_to_its_end_after_a_second_signal", twice),
        isolated("capture_of_what_is_not_there_is_refused", refused),
    ]
}

/// A client of its own, which reads when it likes.
fn client(params: &Value) -> (Value, BufReader<UnixStream>) {
    let mut stream = UnixStream::connect(runtime_dir().join("s/control.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "capture.start", "params": params});
    stream.write_all(format!("{request}\n").as_bytes()).unwrap();
    let mut stream = BufReader::new(stream);
    let mut reply = String::new();
    stream.read_line(&mut reply).unwrap();
    (serde_json::from_str(&reply).unwrap(), stream)
}

fn unread() {
    const FRAMES: u64 = 9_000;
    let (switch, mario, _luigi) = lab();
    let (reply, mut stream) = client(&json!({"ethertype": 0x88b5, "direction": "in"}));
    assert_eq!(reply["result"]["format"], "pcapng", "{reply}");
    // More than there is room for, however many are lost on a busy machine before the switch.
    let count = |port: &str, way: &str| switch.port(port)[way]["frames"].as_u64().unwrap();
    let mut number = 0_u64;
    let has_come = wait_until(PATIENCE, || {
        for _ in 0..500 {
            let payload = [&number.to_be_bytes()[..], &[0; 1400]].concat();
            mario.send_patiently(&frame(1, 2, &payload)).unwrap();
            number += 1;
        }
        count("mario-vsw", "rx") >= FRAMES
    });
    assert!(has_come);
    // All of it has been forwarded, as if nobody looked on.
    let left = || {
        let port = switch.port("luigi-vsw");
        port["tx"]["frames"].as_u64().unwrap() + port["drops"]["egress_full"].as_u64().unwrap_or(0)
    };
    assert!(wait_until(PATIENCE, || left() >= FRAMES), "{}", left());
    // The reader comes back: it gets what there was room for, and the number of the others.
    stream.get_ref().shutdown(Shutdown::Write).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let told = parse(&bytes);
    let (seen, lost) = told.totals[0];
    assert!(
        seen + 100 >= FRAMES,
        "{seen}: but for what the hosts say by themselves"
    );
    assert!(lost > 0 && lost < seen, "{lost} of {seen}");
    assert_eq!(told.packets.len() as u64, seen - lost);
    let numbers: Vec<_> = told
        .packets
        .iter()
        .map(|packet| packet.bytes[14..22].to_vec())
        .collect();
    assert!(numbers.is_sorted(), "what is there is in order");
    assert!(told.packets.iter().all(|packet| packet.direction == IN));
}

fn closed_pipe() {
    let (_switch, mario, _luigi) = lab();
    for line in ["capture -w -", "capture", "capture --json"] {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = vswitch(super::words(line));
        command.args(super::words(ONLY_OURS)).stdout(writer);
        let mut child = command
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(command);
        drop(reader);
        let mut status = None;
        wait_until(PATIENCE, || {
            mario.send(&frame(1, 2, b"unheard")).unwrap();
            status = child.try_wait().unwrap();
            status.is_some()
        });
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        assert!(
            status.is_some_and(|status| status.success()),
            "{line}: {output:?}"
        );
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        // That it has begun, and nothing else.
        assert_eq!(
            told.lines().count(),
            usize::from(!told.is_empty()),
            "{line}: {told}"
        );
    }
    all_places_are_free();
}

/// Waits until the daemon has noticed that nobody reads any more.
fn all_places_are_free() {
    let free = wait_until(PATIENCE, || {
        let clients: Vec<_> = (0..8).map(|_| client(&json!({}))).collect();
        clients.iter().all(|(reply, _)| reply["error"].is_null())
    });
    assert!(free);
}

fn full_disk() {
    let (_switch, _mario, _luigi) = lab();
    let output = start("capture -w /dev/full").finish().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let complaint = told.lines().find(|line| line.starts_with("vswitch: "));
    let complaint = complaint.unwrap_or_else(|| panic!("{told}"));
    assert!(complaint.contains("/dev/full"), "{told}");
    assert!(complaint.contains("No space left"), "{told}");
    let told = output_of(start("capture -w /run/none/f"));
    assert!(told.contains("/run/none/f"), "{told}");
    all_places_are_free();
}

/// The errors of a command that fails.
fn output_of(running: Background) -> String {
    let output = running.finish().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn terminal() {
    let _lab = lab();
    let pty = openpty(None, None).unwrap();
    let mut command = vswitch(["capture", "-w", "-"]);
    let output = command.stdout(pty.slave).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("wireshark"), "{told}");
}

fn places() {
    let (switch, mario, _luigi) = lab();
    let mut captures: Vec<_> = (0..8)
        .map(|number| {
            let file = format!("/run/f{number}");
            (capture_to(&file, ONLY_OURS), file)
        })
        .collect();
    assert!(output_of(start("capture")).contains("8 captures"));
    mario.send(&frame(1, 2, b"to all")).unwrap();
    for (_, file) in &captures {
        await_packets(file, 2);
    }
    let (one, _) = captures.remove(0);
    end(one);
    let (mut reply, mut stream) = client(&json!({}));
    wait_until(PATIENCE, || {
        if reply["error"].is_null() {
            return true;
        }
        (reply, stream) = client(&json!({}));
        false
    });
    assert_eq!(reply["error"], Value::Null);
    drop(stream);
    switch.stop();
    for (running, file) in captures {
        assert!(running.finish().unwrap().status.success());
        assert_eq!(read(file).packets.len(), 2);
    }
    assert!(is_empty_dir(&runtime_dir()));
}

fn ends() {
    let (_switch, _mario, _luigi) = lab();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let running = capture_to("/run/f", ONLY_OURS);
        running.signal(signal).unwrap();
        let output = running.finish().unwrap();
        assert!(output.status.success(), "{signal}: {output:?}");
        assert_eq!(read("/run/f").totals, [(0, 0), (0, 0)], "{signal}");
        fs::remove_file("/run/f").unwrap();
    }
    ok(&format!("capture {ONLY_OURS} -w /run/f --time 1"));
    assert_eq!(read("/run/f").totals.len(), 2);
}

/// As timeout(1) does it, which sends its signal to the process and to the process group.
fn twice() {
    let (_switch, mario, _luigi) = lab();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = vswitch(super::words("capture -w -"));
    command.args(super::words(ONLY_OURS)).stdout(writer);
    let mut child = command
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(command);
    // The header has come, so the capture has begun. More than a pipe holds, so that it cannot end.
    reader.read_exact(&mut [0; 28]).unwrap();
    for _ in 0..100 {
        mario.send_patiently(&frame(1, 2, &[0; 1400])).unwrap();
    }
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    for _ in 0..2 {
        nix::sys::signal::kill(pid, Signal::SIGINT).unwrap();
        let taken = wait_until(PATIENCE, || !is_pending(child.id(), Signal::SIGINT));
        assert!(taken);
    }
    std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
    let status = child.wait().unwrap();
    let mut told = String::new();
    child.stderr.unwrap().read_to_string(&mut told).unwrap();
    assert!(status.success(), "{told}");
    assert!(told.contains("frames captured"), "{told}");
}

/// Whether the process has yet to take the signal; not where it has ended.
fn is_pending(pid: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status
        .lines()
        .filter_map(|line| line.strip_prefix("ShdPnd:"))
        .filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .any(|mask| mask & (1 << (signal as i32 - 1)) != 0)
}

fn refused() {
    let (_switch, _mario, _luigi) = lab();
    for (line, part) in [
        ("capture bowser", "'bowser'"),
        ("capture mario bowser -w /run/f", "'bowser'"),
        ("capture --switch nobody", "'nobody'"),
    ] {
        assert!(fails(line, 1).contains(part), "{line}");
    }
    assert!(!fs::exists("/run/f").unwrap(), "nothing was made");
    for line in [
        "capture --vlan 4096",
        "capture --mac 02:00",
        "capture --proto nonsense",
        "capture --direction up",
        "capture --ip 10.0.0.1/24",
        "capture --snaplen 13",
        "capture --count 0",
        "capture --time 0",
        "capture --json -w /run/f",
    ] {
        fails(line, 2);
    }
    for params in [
        json!({"ports": ["bowser"]}),
        json!({"vlan": 4096}),
        json!({"snaplen": 1}),
        json!({"macs": ["x"]}),
        json!({"direction": "up"}),
        json!({"port": []}),
    ] {
        let (reply, _) = client(&params);
        assert!(reply["error"]["message"].is_string(), "{params}: {reply}");
    }
    all_places_are_free();
}
