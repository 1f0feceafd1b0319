//! `vswitch explain`: what it says is what then happens, and nothing happens before.

use std::fs;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::capture::{ONLY_OURS, await_packets, capture_to, end, frame, lab, start};
use super::{fails, json, ok};
use crate::harness::{A_WHILE, PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("explain_foretells_and_changes_nothing", foretells),
        isolated("explain_gives_each_reason_for_a_drop", reasons),
        isolated("explain_takes_frames_in_hexadecimal_and_from_files", files),
        isolated("explain_reads_captures_as_tcpdump_does", captures),
        isolated("explain_live_gives_a_reason_for_each_frame", live),
        isolated("explain_of_what_cannot_be_is_refused", refused),
    ]
}

const MARIO: &str = "02:00:00:00:00:01";
const LUIGI: &str = "02:00:00:00:00:02";

fn explain(line: &str) -> Value {
    json(&format!("explain {line}"))
}

fn between(port: &str, src: &str, dst: &str) -> Value {
    explain(&format!("--port {port} --src {src} --dst {dst}"))
}

/// What the table says of a station.
fn station(mac: &str) -> Value {
    let table = json("fdb");
    let found = table
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["mac"] == mac);
    found.cloned().unwrap_or(Value::Null)
}

fn foretells() {
    let (_switch, mario, luigi) = lab();
    let told = between("mario", MARIO, LUIGI);
    assert_eq!(told["port"], "mario-vsw");
    assert_eq!(told["namespace"], "mario");
    assert_eq!(told["verdict"], "flood", "{told}");
    assert_eq!(told["source"]["is"], "new");
    assert_eq!(told["destination"]["is"], "unknown");
    let sent =
        json!([{"port": "luigi-vsw", "state": "up", "mtu": 1500, "is": "sent", "reason": null}]);
    assert_eq!(told["egress"], sent);
    assert_eq!(station(MARIO), Value::Null, "nothing is learnt");
    let is_ours = |bytes: &[u8]| bytes[6..12] == [2, 0, 0, 0, 0, 1];
    assert_eq!(luigi.receive_where(A_WHILE, is_ours), None);

    mario.send(&frame(1, 2, b"now it comes")).unwrap();
    assert!(luigi.receive_where(PATIENCE, is_ours).is_some());
    let told = between("luigi-vsw", LUIGI, MARIO);
    assert_eq!(told["verdict"], "forward", "{told}");
    assert_eq!(told["destination"]["is"], "known");
    assert_eq!(told["destination"]["port"], "mario-vsw");
    assert!(told["destination"]["age_s"].is_u64(), "{told}");
    // The same station elsewhere, and with a tag.
    let told = between("luigi", MARIO, LUIGI);
    assert_eq!(
        told["source"],
        json!({"is": "moves", "port": "mario-vsw", "evicts": null})
    );
    let line = format!("--port luigi --src {LUIGI} --dst {MARIO} --vlan 100");
    let told = explain(&line);
    assert_eq!(told["verdict"], "forward", "the tag makes no difference");
    let steps = told["steps"].to_string();
    assert!(
        steps.contains("02:00:00:00:00:01 in all VLANs is behind"),
        "{steps}"
    );
    assert_eq!(station(MARIO)["port"], "mario-vsw");

    let text = ok(&format!("explain --port luigi --src {LUIGI} --dst {MARIO}"));
    for part in [
        "60 bytes from 02:00:00:00:00:02 to 02:00:00:00:00:01, EtherType 0x0800, in by luigi-vsw (namespace luigi)\n",
        "  learn        02:00:00:00:00:02 is new: learnt behind luigi-vsw\n",
        "  look up      02:00:00:00:00:01 is behind mario-vsw, heard ",
        "  leave        by mario-vsw\n",
        "  verdict      forwarded to mario-vsw\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

fn reasons() {
    let (_switch, _mario, _luigi) = lab();
    ok(&format!("fdb add {LUIGI} luigi-vsw"));
    let reason = |told: &Value| {
        assert_eq!(told["verdict"], "drop", "{told}");
        told["reason"].as_str().unwrap().to_owned()
    };
    let dropped = |src, dst| reason(&between("mario", src, dst));
    assert_eq!(dropped("03:00:00:00:00:01", LUIGI), "source_multicast");
    assert_eq!(dropped("00:00:00:00:00:00", LUIGI), "source_zero");
    assert_eq!(dropped(MARIO, "01:80:c2:00:00:00"), "reserved_destination");
    assert_eq!(dropped(MARIO, MARIO), "same_port");
    assert_eq!(reason(&between("luigi", MARIO, LUIGI)), "same_port");
    let told = explain("--port mario --hex 0200");
    assert_eq!(
        (reason(&told), &told["frame"]["src"]),
        ("runt".to_owned(), &Value::Null)
    );
    assert_eq!(told["steps"].as_array().unwrap().len(), 2);
    // Bound by hand, and heard elsewhere: nothing moves.
    let told = between("mario", LUIGI, MARIO);
    assert_eq!(told["source"]["is"], "static", "{told}");
    let line = format!("--port mario --src {MARIO} --dst {LUIGI} --length 1519");
    let told = explain(&line);
    assert_eq!(told["egress"][0]["reason"], "egress_too_big", "{told}");
    assert_eq!(
        told["destination"],
        json!({"is": "static", "port": "luigi-vsw", "age_s": null})
    );
    ok("detach luigi");
    assert_eq!(dropped(MARIO, LUIGI), "no_egress");
}

fn files() {
    let (_switch, mario, _luigi) = lab();
    let running = capture_to("/run/f", &format!("{ONLY_OURS} --snaplen 14"));
    mario.send(&frame(1, 2, &[0; 1000])).unwrap();
    await_packets("/run/f", 2);
    end(running);
    let told = explain("--pcap /run/f");
    assert_eq!(told["port"], "mario-vsw", "the file tells it");
    assert_eq!(told["frame"]["length"], 1014, "what was cut off counts");
    assert_eq!(told["source"]["is"], "known");
    let told = explain("--pcap /run/f --packet 2 --port luigi");
    assert_eq!(told["source"]["is"], "moves", "{told}");
    let told = fails("explain --pcap /run/f --packet 2", 2);
    assert!(told.contains("--port"), "it went out: {told}");
    let octets = frame(9, 2, b"");
    let octets: Vec<_> = octets.iter().map(|byte| format!("{byte:02x}")).collect();
    let hex = octets.join(":");
    let told = explain(&format!("--port mario --hex {hex}"));
    assert_eq!(told["frame"]["src"], "02:00:00:00:00:09");
    assert_eq!(told["frame"]["ethertype"], 0x88b5);
}

/// A pcap file with this magic number and link type, in one order of bytes or the other.
fn pcap(big: bool, magic: u32, link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let number = |number: u32| {
        if big {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        }
    };
    let mut file = number(magic).to_vec();
    file.extend(if big { [0, 2, 0, 4] } else { [2, 0, 4, 0] });
    file.extend([0, 0, 262_144, link].into_iter().flat_map(number));
    for packet in packets {
        let length = u32::try_from(packet.len()).unwrap();
        file.extend([7, 8, length, length].into_iter().flat_map(number));
        file.extend(packet);
    }
    file
}

fn captures() {
    let (_switch, _mario, _luigi) = lab();
    let packets = [frame(1, 2, b"payload"), frame(3, 2, b"another")];
    let told = |path: &str, number| {
        let told = explain(&format!("--pcap {path} --packet {number} --port mario"));
        (
            told["frame"]["length"].clone(),
            told["frame"]["src"].clone(),
        )
    };
    for big in [false, true] {
        for magic in [0xa1b2_c3d4, 0xa1b2_3c4d] {
            fs::write("/run/f", pcap(big, magic, 1, &packets)).unwrap();
            assert_eq!(told("/run/f", 2), (json!(21), json!("02:00:00:00:00:03")));
            // Each frame with its check sequence, as the upper half of the link type says.
            let with_fcs = packets
                .clone()
                .map(|packet| [&packet[..], b"FCS."].concat());
            fs::write("/run/f", pcap(big, magic, 0x2400_0001, &with_fcs)).unwrap();
            assert_eq!(told("/run/f", 1), (json!(21), json!(MARIO)));
        }
    }
    let whole = pcap(false, 0xa1b2_c3d4, 1, &packets);
    fs::write("/run/f", &whole[..whole.len() - 3]).unwrap();
    assert_eq!(told("/run/f", 1), (json!(21), json!(MARIO)));
    let said = fails("explain --pcap /run/f --packet 2 --port mario", 1);
    assert!(
        said.contains("cut off at byte") && said.contains("1 packets"),
        "{said}"
    );
    fs::write("/run/f", pcap(false, 0xa1b2_c3d4, 113, &packets)).unwrap();
    let said = fails("explain --pcap /run/f --port mario", 1);
    assert!(said.contains("LINKTYPE_LINUX_SLL (113)"), "{said}");
    fs::write("/run/f", b"").unwrap();
    let said = fails("explain --pcap /run/f --port mario", 1);
    assert!(said.contains("is empty"), "{said}");
}

fn live() {
    let (_switch, mario, _luigi) = lab();
    let mut from_group = frame(1, 2, b"");
    from_group[6] |= 1;
    let mut running = start("explain --live mario --count 40");
    let ended = wait_until(PATIENCE, || {
        mario.send(&frame(1, 2, b"")).unwrap();
        mario.send(&from_group).unwrap();
        running.has_ended()
    });
    let output = running.finish().unwrap();
    assert!(ended && output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        " mario-vsw in  02:00:00:00:00:01 > 02:00:00:00:00:02: 02:00:00:00:00:02 is unknown; to all other ports\n",
        " mario-vsw in  03:00:00:00:00:01 > 02:00:00:00:00:02: dropped: its source is a group address\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.lines().count(), 40);
}

fn refused() {
    let (_switch, _mario, _luigi) = lab();
    fs::write("/run/text", "this is no capture").unwrap();
    let addresses = format!("--src {MARIO} --dst {LUIGI}");
    for (line, part) in [
        (format!("explain --port bowser {addresses}"), "'bowser'"),
        ("explain --live bowser".to_owned(), "'bowser'"),
        ("explain --pcap /run/none".to_owned(), "/run/none"),
        (
            "explain --pcap /run/text".to_owned(),
            "neither pcap nor pcapng",
        ),
        ("explain --pcap /run".to_owned(), "/run"),
    ] {
        let told = fails(&line, 1);
        assert!(told.contains(part), "{line}: {told}");
    }
    for line in [
        "explain",
        "explain --port mario",
        "explain --port mario --hex 0",
        "explain --port mario --hex xy",
        "explain --port mario --src 02:00:00:00:00:01",
        "explain --port mario --live",
        "explain mario",
    ] {
        fails(line, 2);
    }
}
