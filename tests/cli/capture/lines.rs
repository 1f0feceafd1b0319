//! A line for each frame.

use libtest_mimic::Trial;
use serde_json::Value;

use super::{ONLY_OURS, frame, lab, start};
use crate::harness::packet::Endpoint;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("capture_has_a_line_for_each_frame", text),
        isolated("capture_json_has_an_object_for_each_frame", json),
    ]
}

/// What `vswitch LINE` prints, which ends by itself once it has seen enough of `frame`.
fn lines_of(line: &str, sender: &Endpoint, frame: &[u8]) -> Vec<String> {
    let mut running = start(line);
    let ended = wait_until(PATIENCE, || {
        sender.send(frame).unwrap();
        running.has_ended()
    });
    let output = running.finish().unwrap();
    assert!(ended && output.status.success(), "{line}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Who has 10.0.0.2? (RFC 826)
fn question() -> Vec<u8> {
    let sender = [2, 0, 0, 0, 0, 1];
    [
        &[0xff; 6][..],
        &sender,
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
        &sender,
        &[10, 0, 0, 1],
        &[0; 6],
        &[10, 0, 0, 2],
    ]
    .concat()
}

fn text() {
    let (_switch, mario, _luigi) = lab();
    let line = "capture --mac 02:00:00:00:00:01 --count 20";
    let lines = lines_of(line, &mario, &question());
    assert_eq!(lines.len(), 20);
    let what =
        "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff 42 bytes: ARP who has 10.0.0.2? tell 10.0.0.1";
    // Those that came together left together.
    for way in ["mario-vsw in ", "luigi-vsw out"] {
        let end = format!(" {way} {what}");
        let line = lines.iter().find(|line| line.ends_with(&end));
        let line = line.unwrap_or_else(|| panic!("{end}: {lines:#?}"));
        assert_eq!(line.find(' '), Some("12:00:00.123456789".len()), "{line}");
    }

    let mut from_group = frame(3, 2, b"");
    from_group[6] |= 1;
    let lines = lines_of(
        "capture --direction in --mac 03:00:00:00:00:03 --count 1",
        &mario,
        &from_group,
    );
    assert!(
        lines[0].ends_with("[dropped: source_multicast]"),
        "{lines:?}"
    );
}

fn json() {
    let (_switch, mario, _luigi) = lab();
    let line = format!("capture mario {ONLY_OURS} --count 1 --json");
    let lines = lines_of(&line, &mario, &frame(1, 2, b"hello"));
    let shown: Value = serde_json::from_str(&lines[0]).unwrap();
    for (key, expected) in [
        ("port", Value::from("mario-vsw")),
        ("namespace", "mario".into()),
        ("direction", "in".into()),
        ("length", 19.into()),
        ("captured", 19.into()),
        ("src", "02:00:00:00:00:01".into()),
        ("dst", "02:00:00:00:00:02".into()),
        ("vlans", Value::Array(Vec::new())),
        ("ethertype", 0x88b5.into()),
        ("info", "EtherType 0x88b5".into()),
        ("dropped", Value::Null),
        ("checksum_unfinished", false.into()),
        ("super_frame", false.into()),
        ("lost_before", 0.into()),
    ] {
        assert_eq!(shown[key], expected, "{key}: {shown}");
    }
    assert!(shown["time"].as_str().unwrap().ends_with('Z'), "{shown}");
}
