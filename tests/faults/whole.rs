//! Faults of the whole switch: ended, started anew, stopped for a while.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::forwarder::{CANNOT, Res};
use super::scene::Scene;
use super::{Fault, Promise};

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault {
            name: "none",
            injected: "nothing for a second: what the machine itself does to the figures",
            others: Promise::UNHARMED,
            victim: Promise::UNHARMED,
            options: &[],
            needs: None,
            inject: |scene| {
                scene.wait(Duration::from_secs(1));
                Ok(())
            },
        },
        Fault {
            name: "killed",
            injected: "kill -9 of the switch; as soon as it has ended, it is started again",
            others: Promise::ORDER,
            victim: Promise::ORDER,
            options: &[],
            needs: None,
            inject: |scene| killed(scene, false),
        },
        Fault {
            name: "killed-at-once",
            injected: "kill -9 of the switch, and started again before it has ended",
            others: Promise::ORDER,
            victim: Promise::ORDER,
            options: &[],
            needs: None,
            inject: |scene| killed(scene, true),
        },
        Fault {
            name: "restart",
            injected: "a planned restart: another process of the program goes on",
            others: Promise::NONE_LOST,
            victim: Promise::NONE_LOST,
            options: &[],
            needs: None,
            inject: restart,
        },
        Fault {
            name: "stopped",
            injected: "SIGSTOP, and SIGCONT after 5 s",
            others: Promise::back_within_ms(100),
            victim: Promise::ORDER,
            options: &[],
            needs: None,
            inject: stopped,
        },
    ]
}

fn killed(scene: &mut Scene, at_once: bool) -> Res {
    if scene.pace.times > 10 {
        // It is to be one that has run for a while, whatever was done to set it up.
        scene.wait(Duration::from_secs(2));
    }
    let start = Instant::now();
    scene.switch.kill_and_run(at_once)?;
    let took = start.elapsed();
    scene.is_back();
    scene.note(format!("it runs again after {took:.1?}"));
    Ok(())
}

fn restart(scene: &mut Scene) -> Res {
    let before = scene.switch.pid();
    let start = Instant::now();
    scene.switch.restart()?;
    let took = start.elapsed();
    scene.expect(scene.switch.pid() != before, "the same process goes on");
    scene.is_back();
    scene.note(format!("done after {took:.1?}"));
    Ok(())
}

fn stopped(scene: &mut Scene) -> Res {
    let Some(pid) = scene.switch.pid() else {
        return Err(CANNOT.to_owned());
    };
    let send = |signal| kill(Pid::from_raw(pid.cast_signed()), signal).map_err(|e| e.to_string());
    send(Signal::SIGSTOP)?;
    // The rings are full long before.
    let time = if scene.pace.times > 10 { 5_000 } else { 1_500 };
    scene.wait(Duration::from_millis(time));
    send(Signal::SIGCONT)?;
    scene.is_back();
    Ok(())
}
