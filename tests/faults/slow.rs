//! Ports behind which somebody is slow.

use std::process::Command;
use std::time::Duration;

use vswitch_netns::{LinkChange, Netlink};

use super::forwarder::Res;
use super::rivals::run;
use super::scene::{FRIEND, Scene, VICTIM};
use super::{Fault, Promise};
use crate::harness::station::Stream;

pub(super) fn faults() -> Vec<Fault> {
    let of_port = |name, injected, inject| Fault {
        name,
        injected,
        others: Promise::UNHARMED,
        victim: Promise::ORDER,
        options: &[],
        needs: None,
        inject,
    };
    vec![
        of_port(
            "paused-reader",
            "the host behind a port reads nothing for a second",
            paused_reader,
        ),
        of_port(
            "small-mtu",
            "an MTU of 600 behind a port that gets frames of 1,400 bytes",
            small_mtu,
        ),
        Fault {
            needs: Some("tc"),
            ..of_port(
                "shaped",
                "a port shaped to 1 Mbit/s (tbf) that gets more",
                shaped,
            )
        },
    ]
}

fn load(scene: &Scene, len: usize) {
    scene.station(FRIEND).send(Some(Stream {
        to: VICTIM.mac(),
        rate: scene.pace.rate,
        len,
        in_flight: scene.pace.in_flight,
    }));
}

#[allow(clippy::unnecessary_wraps, reason = "as all faults are")]
fn paused_reader(scene: &mut Scene) -> Res {
    scene.station(VICTIM).pause(Duration::from_secs(1));
    scene.wait(Duration::from_secs(1));
    Ok(())
}

fn small_mtu(scene: &mut Scene) -> Res {
    let mut inside = Netlink::open_in(&VICTIM.namespace()?).map_err(|e| e.to_string())?;
    let mut set = |mtu_bytes| {
        let link = inside.link(&VICTIM.inside()).map_err(|e| e.to_string())?;
        inside
            .change_link(&link, &LinkChange::new().mtu_bytes(mtu_bytes))
            .map_err(|error| error.to_string())
    };
    set(600)?;
    load(scene, 1400);
    scene.wait(Duration::from_millis(700));
    set(1500)?;
    load(scene, 60);
    scene.wait(Duration::from_millis(100));
    Ok(())
}

/// tbf(8) on the switch's end of the cable.
fn shaped(scene: &mut Scene) -> Res {
    let shape = ["rate", "1mbit", "burst", "2kb", "limit", "4kb"];
    let port = VICTIM.outside();
    run(Command::new("tc")
        .args(["qdisc", "add", "dev", &port, "root", "tbf"])
        .args(shape))?;
    load(scene, 1400);
    scene.wait(Duration::from_millis(700));
    run(Command::new("tc").args(["qdisc", "del", "dev", &port, "root"]))?;
    load(scene, 60);
    scene.wait(Duration::from_millis(100));
    Ok(())
}
