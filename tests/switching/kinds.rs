//! Every kind of frame passes, once and unaltered, or is dropped for the reason that it should.

mod table;

use libtest_mimic::Trial;
use vswitch_switch::BridgeConfig;
use vswitch_switch::bridge::DropReason;
use vswitch_switch::port::memory::{self, MemoryOptions};

use self::table::{Fate, Kind};
use super::frames::{BROADCAST, nothing_more, numbered, received_before};
use super::lab::{Lab, Plan, mac, on_one_processor};
use crate::harness::packet::Endpoint;
use crate::harness::{PATIENCE, isolated};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("switching_every_kind_of_frame_has_its_fate", || {
            every_kind(false);
        }),
        isolated(
            "switching_reserved_addresses_pass_where_that_is_wanted",
            || every_kind(true),
        ),
        isolated(
            "switching_frames_shorter_than_their_header_are_counted",
            runts,
        ),
    ]
}

fn every_kind(forward_reserved: bool) {
    let config = BridgeConfig {
        forward_reserved,
        ..BridgeConfig::default()
    };
    let lab = on_one_processor(|| Lab::new(config, &[Plan::SILENT; 3]));
    let wires = lab.endpoints();
    let kinds = table::all(lab.hosts[0].mac(), lab.hosts[1].mac());
    assert!(kinds.len() >= 26);
    for (number, kind) in (0..).zip(&kinds) {
        let fate = match kind.fate {
            Fate::Drop(DropReason::ReservedDestination) if forward_reserved => Fate::Pass,
            fate => fate,
        };
        check(&lab, &wires, number, kind, fate);
    }
    for wire in &wires {
        nothing_more(wire);
    }
    for port in lab.handle().ports().unwrap().iter().skip(1) {
        assert_eq!(port.counters.drops.total(), 0, "{port:?}");
    }
    lab.stop();
}

/// Sends a frame and another behind it, which always passes and tells when to look.
fn check(lab: &Lab, wires: &[Endpoint], number: u64, kind: &Kind, fate: Fate) {
    let Kind { name, bytes, .. } = kind;
    let before = lab.counters(&lab.hosts[0]);
    on_one_processor(|| {
        let sent = wires[0].send_patiently(bytes);
        sent.unwrap_or_else(|error| panic!("{name}: {error}"));
        let behind = numbered(BROADCAST, mac(0x1_0000), number);
        wires[0].send_patiently(&behind).unwrap();
    });
    for (wire, host) in wires.iter().zip(1..).skip(1) {
        let frames = received_before(wire, number);
        let frames: Vec<_> = frames.iter().map(|frame| &frame.bytes).collect();
        match fate {
            Fate::Pass => assert_eq!(frames, [bytes], "{name} at host {host}"),
            Fate::Drop(reason) => assert!(frames.is_empty(), "{name}: {reason}: {frames:?}"),
        }
    }
    let after = lab.counters(&lab.hosts[0]);
    assert_eq!(after.rx.frames - before.rx.frames, 2, "{name}");
    for reason in DropReason::ALL {
        let dropped = after.drops.get(reason) - before.drops.get(reason);
        let expected = u64::from(matches!(fate, Fate::Drop(wanted) if wanted == reason));
        assert_eq!(dropped, expected, "{name}: {reason}");
    }
}

/// The kernel sends none of these, so they come from a port that does.
fn runts() {
    let lab = on_one_processor(|| Lab::silent(1));
    let wire = lab.hosts[0].endpoint();
    let (port, cable) = memory::pair("memory", MemoryOptions::default()).unwrap();
    lab.handle().add_port(port).unwrap();
    for length in 0..14 {
        cable.send(&[0x22; 13][..length.min(13)]).unwrap();
    }
    let passes = numbered(BROADCAST, mac(9), 0);
    cable.send(&passes).unwrap();
    assert_eq!(wire.receive(PATIENCE).unwrap().bytes, passes);
    let drops = lab.port("memory").counters.drops;
    assert_eq!(drops.iter().collect::<Vec<_>>(), [(DropReason::Runt, 14)]);
    lab.stop();
}
