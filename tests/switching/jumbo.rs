//! Large frames, large packets, and ends that do not agree on what is large.

use libtest_mimic::Trial;
use vswitch_switch::BridgeConfig;
use vswitch_switch::bridge::DropReason;

use super::frames::{BROADCAST, nothing_more, numbered, received_before};
use super::lab::{Host, Lab, Plan, on_one_processor};
use super::tcp;
use crate::harness::{PATIENCE, isolated};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("switching_jumbo_pings_pass_whole", jumbo_pings_pass_whole),
        isolated("switching_fragmented_pings_pass", fragmented_pings_pass),
        isolated(
            "switching_frames_too_big_for_the_egress_port_are_counted",
            || too_big(Plan::SILENT.mtu(1500), DropReason::EgressTooBig),
        ),
        isolated(
            "switching_frames_too_big_for_the_station_are_counted",
            // The port itself would take them; the interface behind it does not.
            || {
                let mixed = Plan {
                    mtu_bytes: 1500,
                    ..Plan::SILENT.mtu(9000)
                };
                too_big(mixed, DropReason::EgressFull);
            },
        ),
        isolated(
            "switching_tcp_and_pings_pass_between_different_mtus",
            different_mtus,
        ),
    ]
}

fn pair(lab: &Lab) -> (&Host, &Host) {
    (&lab.hosts[0], &lab.hosts[1])
}

fn jumbo_pings_pass_whole() {
    const PAYLOAD: usize = 8900;
    let lab = Lab::new(BridgeConfig::default(), &[Plan::TALKING.mtu(9000); 2]);
    let (one, two) = pair(&lab);
    let wire = two.endpoint();
    one.ping(two.v4(), PAYLOAD);
    one.ping(two.v6(), PAYLOAD);
    // In one frame, that of IPv4 with "don't fragment" set (RFC 791, 3.1).
    let is_large = |frame: &[u8]| frame.len() > 1514;
    let v4 = wire.receive_where(PATIENCE, is_large).unwrap().bytes;
    assert_eq!((v4.len(), v4[20] & 0x40), (14 + 20 + 8 + PAYLOAD, 0x40));
    let v6 = wire.receive_where(PATIENCE, is_large).unwrap().bytes;
    assert_eq!(v6.len(), 14 + 40 + 8 + PAYLOAD);
    two.ping(one.v4(), PAYLOAD);
    tcp::carry(one, two, two.v4(), 10_000_000);
    lab.stop();
}

fn fragmented_pings_pass() {
    let lab = Lab::talking(2);
    let (one, two) = pair(&lab);
    for payload_bytes in [1473, 8_000, 60_000] {
        one.ping(two.v4(), payload_bytes);
        two.ping(one.v6(), payload_bytes);
    }
    lab.stop();
}

/// Frames of 9,000 bytes do not reach a host of 1,500, are counted as `reason`, and hold up
/// nobody.
fn too_big(narrow: Plan, reason: DropReason) {
    const TOO_BIG: u64 = 30;
    let wide = Plan::SILENT.mtu(9000);
    let lab = on_one_processor(|| Lab::new(BridgeConfig::default(), &[wide, wide, narrow]));
    let wires = lab.endpoints();
    on_one_processor(|| {
        for number in 0..TOO_BIG {
            let mut large = numbered(BROADCAST, lab.hosts[0].mac(), number);
            large.resize(9014, 0);
            wires[0].send_patiently(&large).unwrap();
            let small = numbered(BROADCAST, lab.hosts[0].mac(), number);
            wires[0].send_patiently(&small).unwrap();
        }
    });
    for number in 0..TOO_BIG {
        let large = received_before(&wires[1], number);
        assert_eq!(large.len(), 1, "the other host has room for it");
        assert_eq!(large[0].bytes.len(), 9014);
        assert_eq!(received_before(&wires[2], number), []);
    }
    nothing_more(&wires[2]);
    let drops = lab.counters(&lab.hosts[2]).drops;
    assert_eq!(drops.iter().collect::<Vec<_>>(), [(reason, TOO_BIG)]);
    assert_eq!(lab.counters(&lab.hosts[1]).drops.total(), 0);
    lab.stop();
}

fn different_mtus() {
    let plans = [Plan::TALKING.mtu(9000), Plan::TALKING];
    let lab = Lab::new(BridgeConfig::default(), &plans);
    let (wide, narrow) = pair(&lab);
    wide.ping(narrow.v4(), 1400);
    narrow.ping(wide.v6(), 1400);
    // The ends agree on a segment size that both have room for (RFC 9293, 3.7.1).
    tcp::carry(wide, narrow, narrow.v4(), 10_000_000);
    tcp::carry(narrow, wide, wide.v6(), 10_000_001);
    lab.stop();
}
