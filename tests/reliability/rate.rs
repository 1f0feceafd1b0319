//! The highest rate at which no frame is lost, by search: that of four hosts which send all at
//! once, two by two.

use std::time::Duration;

use crate::faults::forwarder::Res;
use crate::faults::scene::Scene;

/// What a trial takes.
const TRIAL: Duration = Duration::from_millis(700);
/// Between these it is looked for.
const LEAST: f64 = 1_000.0;
const MOST: f64 = 500_000.0;
/// How close to each other the highest that passes and the lowest that fails must be.
const RESOLUTION: f64 = 1.15;

/// Frames in a second of each of the four hosts.
pub(crate) fn no_loss(scene: &mut Scene) -> Res<f64> {
    let (mut passes, mut fails) = (LEAST, MOST);
    let mut rate = 20_000.0;
    while fails / passes > RESOLUTION {
        scene.pace.rate = rate;
        let (lead, tail) = (scene.pace.lead, TRIAL);
        scene.pace.lead = tail;
        scene.begin()?;
        let fates = scene.end();
        scene.pace.lead = lead;
        let lost: u64 = fates.iter().map(|fate| fate.lost).sum();
        // A sender that cannot keep up has found its own limit.
        let sent: u64 = fates.iter().map(|fate| fate.sent).sum();
        let kept_up = sent as f64 >= rate * 4.0 * 2.0 * tail.as_secs_f64() * 0.8;
        if lost == 0 && kept_up {
            passes = rate;
        } else {
            fails = rate;
        }
        rate = if fails < MOST {
            (passes * fails).sqrt()
        } else {
            rate * 2.0
        };
        rate = rate.min(MOST);
        if passes >= MOST {
            break;
        }
    }
    Ok(passes)
}
