//! A storm of sources that nobody has heard of.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use libtest_mimic::Trial;
use vswitch_switch::BridgeConfig;
use vswitch_switch::bridge::DropReason;

use super::frames::numbered;
use super::lab::{Lab, OverOnDrop, Plan, mac};
use super::tcp;
use crate::harness::isolated;

const STATIONS: u32 = 200_000;
const MAX_STATIONS: usize = 4096;
/// Frames on their way at once: the rate is what the switch can bear, however slow the machine.
const WINDOW: u32 = 256;

pub(super) fn tests() -> Vec<Trial> {
    vec![isolated(
        "switching_a_storm_of_unknown_sources_harms_nobody_else",
        storm,
    )]
}

fn storm() {
    let config = BridgeConfig {
        max_stations: MAX_STATIONS,
        ..BridgeConfig::default()
    };
    let lab = Lab::new(config, &[Plan::TALKING, Plan::TALKING, Plan::SILENT]);
    let [one, two, stormy] = &lab.hosts[..] else {
        unreachable!()
    };
    one.ping(two.v4(), 56);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                one.ping(two.v4(), 56);
                tcp::carry(two, one, one.v6(), 1_000_000);
            }
        });
        let _over = OverOnDrop(&over);
        rage(&lab);
    });

    let counters = lab.counters(stormy);
    let lost = counters.drops.get(DropReason::RxOverflow);
    assert_eq!(counters.rx.frames + lost, u64::from(STATIONS));
    assert_eq!(lab.handle().status().unwrap().stations, MAX_STATIONS);
    // The two have been known all the time, so that what they said stayed between them.
    for host in [one, two] {
        assert_eq!(lab.whereabouts(host.mac()), [host.port_name()]);
    }
    let overheard = counters.tx.frames;
    let said = lab.counters(one).rx.frames;
    assert!(
        overheard < 100 && said > overheard,
        "{overheard} frames of {said} reached the third"
    );
    lab.stop();
}

fn rage(lab: &Lab) {
    let stormy = &lab.hosts[2];
    let wire = stormy.endpoint();
    for number in 1..=STATIONS {
        // Some to everybody, since nobody knows the destination, and some to one.
        let dst = if number % 4 == 0 {
            mac(0xdead_beef)
        } else {
            lab.hosts[0].mac()
        };
        let frame = numbered(dst, mac(0x1000_0000 + number), number.into());
        wire.send_patiently(&frame).unwrap();
        if number % WINDOW == 0 {
            lab.wait_for("the storm passes through", || {
                let counters = lab.counters(stormy);
                let lost = counters.drops.get(DropReason::RxOverflow);
                counters.rx.frames + lost >= number.into()
            });
            let stations = lab.handle().status().unwrap().stations;
            assert!(stations <= MAX_STATIONS, "{stations} stations");
        }
    }
    lab.wait_for("the end of the storm", || {
        let counters = lab.counters(stormy);
        counters.rx.frames + counters.drops.get(DropReason::RxOverflow) == u64::from(STATIONS)
    });
}
