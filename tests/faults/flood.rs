//! Too much of everything: stations, moves, broadcasts, loops.

use std::time::{Duration, Instant};

use serde_json::json;
use vswitch_netns::{InterfaceName, LinkChange, LinkLocal, Netlink, VethEnd};

use super::forwarder::Res;
use super::scene::{A, B, FRIEND, Host, Scene, VICTIM};
use super::vswitch::Vswitch;
use super::{Fault, Promise, Rival};
use crate::harness::packet::Endpoint;
use crate::harness::station::Stream;

/// The table of the switch in these faults.
const MAX_MACS: usize = 4096;
/// The control socket is to answer within that.
const ANSWER: Duration = Duration::from_millis(100);
/// More broadcasts in a second are not sent, many more than a port may: with them, sending alone
/// would take all that the processors can do.
const MOST_BROADCASTS: f64 = 50_000.0;

pub(super) fn faults() -> Vec<Fault> {
    let of_port = |name, injected, inject| Fault {
        name,
        injected,
        others: Promise::NONE_LOST,
        victim: Promise::ORDER,
        options: &[],
        needs: None,
        inject,
    };
    vec![
        Fault {
            options: &["--max-macs", "4096"],
            ..of_port(
                "mac-flood",
                "frames with ever new source addresses through one port, with a table of 4,096",
                mac_flood,
            )
        },
        of_port(
            "flapping",
            "one MAC address used by two hosts alternately",
            flapping,
        ),
        of_port(
            "storm",
            "five times as many broadcasts through one port, 50,000/s at most, for a second",
            storm,
        ),
        Fault {
            others: Promise::COME_AGAIN,
            victim: Promise::COME_AGAIN,
            ..of_port(
                "loop",
                "a cable from one port to another, and a broadcast",
                loop_,
            )
        },
    ]
}

/// A frame from a station, to everybody or to one.
fn frame(to: [u8; 6], from: [u8; 6]) -> Vec<u8> {
    let mut frame = [&to[..], &from, &[0x88, 0xb6]].concat();
    frame.resize(60, 0);
    frame
}

/// A hand on the wire behind the victim's port, beside its station.
fn hand(host: Host) -> Res<Endpoint> {
    let interface = host.inside();
    let opened = host.namespace()?.run(|| Endpoint::open(&interface));
    opened
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}

fn mac_flood(scene: &mut Scene) -> Res {
    let hand = hand(VICTIM)?;
    let strangers = |scene: &Scene| scene.station(FRIEND).with_heard(|heard| heard.strangers);
    let before = strangers(scene);
    let count = 2_000 * u32::try_from(scene.pace.times.min(100)).unwrap_or(1);
    for number in 0..count {
        let [_, a, b, c] = number.to_be_bytes();
        let _ = hand.send(&frame(FRIEND.mac(), [2, 0x66, 0, a, b, c]));
    }
    scene.wait(Duration::from_millis(200));
    let stations = scene.switch.stations()?;
    scene.note(format!("{count} addresses, {stations} stations remembered"));
    // Frames between 1 and 2 that came to 4 were flooded: their stations had been evicted.
    let leaked = strangers(scene) - before;
    scene.note(format!("{leaked} frames of others flooded"));
    if scene.rival == Rival::Vswitch {
        scene.expect(stations <= MAX_MACS, format!("{stations} stations"));
        scene.expect(
            leaked == 0,
            format!("{leaked} frames of others were flooded"),
        );
    }
    Ok(())
}

fn flapping(scene: &mut Scene) -> Res {
    let hands = [hand(VICTIM)?, hand(FRIEND)?];
    let station = [2, 0x77, 0, 0, 0, 1];
    let end = Instant::now() + Duration::from_secs(1);
    let mut moves = 0_u32;
    while Instant::now() < end {
        for hand in &hands {
            let _ = hand.send(&frame(B.mac(), station));
            moves += 1;
            scene.wait(Duration::from_millis(1));
        }
    }
    scene.note(format!("{moves} moves"));
    Ok(())
}

fn storm(scene: &mut Scene) -> Res {
    let rate = (scene.pace.rate * 5.0).min(MOST_BROADCASTS);
    let before = scene.station(A).with_heard(|heard| {
        heard
            .streams
            .get(&VICTIM.0)
            .map_or(0, |tally| tally.received)
    });
    let stream = |to, rate, in_flight| {
        let len = 60;
        Some(Stream {
            to,
            rate,
            len,
            in_flight,
        })
    };
    scene.station(VICTIM).send(stream([0xff; 6], rate, None));
    let slowest = slowest_answer(scene, Duration::from_secs(1))?;
    scene
        .station(VICTIM)
        .send(stream(FRIEND.mac(), scene.pace.rate, scene.pace.in_flight));
    let after = scene.station(A).with_heard(|heard| {
        heard
            .streams
            .get(&VICTIM.0)
            .map_or(0, |tally| tally.received)
    });
    scene.note(format!(
        "{} of {rate:.0} broadcasts a second passed",
        after - before
    ));
    say_slowest(scene, slowest);
    Ok(())
}

/// Asks again and again for so long; how long the slowest answer took. None of another make.
fn slowest_answer(scene: &Scene, time: Duration) -> Res<Option<Duration>> {
    if scene.rival != Rival::Vswitch {
        scene.wait(time);
        return Ok(None);
    }
    let end = Instant::now() + time;
    let mut slowest = Duration::ZERO;
    while Instant::now() < end {
        let start = Instant::now();
        Vswitch::call("version", json!({}))?;
        slowest = slowest.max(start.elapsed());
        scene.wait(Duration::from_millis(5));
    }
    Ok(Some(slowest))
}

fn say_slowest(scene: &mut Scene, slowest: Option<Duration>) {
    if let Some(slowest) = slowest {
        scene.note(format!("the control socket answered within {slowest:.1?}"));
        if slowest > ANSWER {
            scene.late.push(format!("an answer after {slowest:.1?}"));
        }
    }
}

fn loop_(scene: &mut Scene) -> Res {
    let mut here = Netlink::open().map_err(|error| error.to_string())?;
    let end = |name: &str| {
        InterfaceName::new(name)
            .map(VethEnd::new)
            .map_err(|e| e.to_string())
    };
    here.create_veth(&end("loop-a")?, &end("loop-b")?, None)
        .map_err(|error| error.to_string())?;
    for name in ["loop-a", "loop-b"] {
        let link = here.link(name).map_err(|error| error.to_string())?;
        let mute = LinkChange::new().arp(false).link_local(LinkLocal::None);
        here.change_link(&link, &mute).map_err(|e| e.to_string())?;
        here.set_up(&link).map_err(|error| error.to_string())?;
        scene.switch.add_port(name)?;
    }
    hand(VICTIM)?
        .send(&frame([0xff; 6], VICTIM.mac()))
        .map_err(|error| error.to_string())?;
    let slowest = slowest_answer(scene, Duration::from_secs(2))?;
    say_slowest(scene, slowest);
    let rounds = |here: &mut Netlink| -> Res<u64> {
        let link = here.link("loop-a").map_err(|error| error.to_string())?;
        let counted = here.counters(&link).map_err(|error| error.to_string())?;
        Ok(counted.rx_frames + counted.tx_frames)
    };
    let before = rounds(&mut here)?;
    scene.wait(Duration::from_millis(500));
    let going_round = (rounds(&mut here)? - before) * 2;
    scene.note(format!("{going_round} frames/s go round after 2 s"));
    let link = here.link("loop-a").map_err(|error| error.to_string())?;
    here.delete_link(&link).map_err(|error| error.to_string())?;
    scene.is_back();
    for name in ["loop-a", "loop-b"] {
        scene.switch.remove_port(name)?;
    }
    Ok(())
}
