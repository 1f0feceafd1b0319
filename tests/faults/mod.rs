//! What may happen to a switch, each done to one under traffic. The integration tests run all of
//! it at a low rate and assert what is promised; `tests/reliability` measures, and does the same to
//! other switches.
//!
//! - [`scene`]: hosts, traffic, and what became of it
//! - `forwarder`, `vswitch`, `rivals`: who is put to the test
//! - the other modules: the faults

mod clients;
mod flood;
pub(crate) mod forwarder;
mod ports;
mod resources;
mod rivals;
pub(crate) mod scene;
mod slow;
pub(crate) mod vswitch;
mod whole;

use std::time::Duration;

use libtest_mimic::Trial;

pub(crate) use clients::{descriptors, descriptors_at_rest, memory};
pub(crate) use forwarder::{CANNOT, Res, Rival};
use scene::{Fate, Pace, Scene};

use crate::harness::isolated;

/// Something that may happen.
#[derive(Clone)]
pub(crate) struct Fault {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it is, and how it is done.
    pub(crate) injected: &'static str,
    /// What is promised to the frames of the two hosts that it is not done to; where it is done to
    /// the whole switch, to all.
    pub(crate) others: Promise,
    /// What is promised to the frames of the one that it is done to.
    pub(crate) victim: Promise,
    /// Options of `vswitch run`.
    pub(crate) options: &'static [&'static str],
    /// A program that it cannot be done without.
    pub(crate) needs: Option<&'static str>,
    /// Does it. Traffic runs.
    pub(crate) inject: fn(&mut Scene) -> Res,
}

/// What is promised to frames. What is not, is measured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Promise {
    /// So many may be lost.
    pub(crate) lost: Option<u64>,
    /// So long nothing may come.
    pub(crate) gap: Option<Duration>,
    /// So long it may take until they come again.
    pub(crate) recovery: Option<Duration>,
    /// Whether they may come twice or out of order meanwhile.
    pub(crate) in_disorder: bool,
}

impl Promise {
    /// Nothing but: not twice, not out of order.
    pub(crate) const ORDER: Self = Self {
        lost: None,
        gap: None,
        recovery: None,
        in_disorder: false,
    };
    /// Nothing, but that they come again.
    pub(crate) const COME_AGAIN: Self = Self {
        in_disorder: true,
        ..Self::ORDER
    };
    /// None lost.
    pub(crate) const NONE_LOST: Self = Self {
        lost: Some(0),
        ..Self::ORDER
    };
    /// None lost, no gap over 5 ms.
    pub(crate) const UNHARMED: Self = Self {
        lost: Some(0),
        gap: Some(Duration::from_millis(5)),
        recovery: None,
        in_disorder: false,
    };

    /// They come again within so many milliseconds.
    pub(crate) const fn back_within_ms(ms: u64) -> Self {
        Self {
            recovery: Some(Duration::from_millis(ms)),
            ..Self::ORDER
        }
    }
}

/// What a fault did.
pub(crate) struct Outcome {
    pub(crate) others: Fate,
    pub(crate) victim: Fate,
    /// What else was seen.
    pub(crate) notes: Vec<String>,
    /// What was promised and is not so.
    pub(crate) broken: Vec<String>,
    /// The same, of promises about time, which a busy machine breaks.
    pub(crate) late: Vec<String>,
    /// What the switch said meanwhile.
    pub(crate) log: String,
    /// Whether nothing else loads the processors.
    is_alone: bool,
}

/// All faults.
pub(crate) fn all() -> Vec<Fault> {
    let areas = [
        whole::faults,
        ports::faults,
        slow::faults,
        flood::faults,
        clients::faults,
        resources::faults,
    ];
    areas.into_iter().flat_map(|faults| faults()).collect()
}

impl Fault {
    /// Sets the scene, does it, and judges.
    pub(crate) fn run(&self, rival: Rival, pace: Pace) -> Res<Outcome> {
        let mut scene = Scene::set(rival, pace, self.options)?;
        self.happen(&mut scene)
    }

    /// The same in a scene that is set.
    pub(crate) fn happen(&self, scene: &mut Scene) -> Res<Outcome> {
        scene.begin()?;
        (self.inject)(scene)?;
        let [others, victim] = scene.end();
        let is_missing = |promise: Promise, fate: Fate| promise.lost.is_some() && fate.lost > 0;
        if others.lost > 0 || is_missing(self.victim, victim) {
            scene.note(scene.where_lost());
        }
        let mut outcome = Outcome {
            others,
            victim,
            notes: std::mem::take(&mut scene.notes),
            broken: std::mem::take(&mut scene.faults),
            late: std::mem::take(&mut scene.late),
            log: scene.log(),
            is_alone: !scene.pace.on_one_processor,
        };
        outcome.judge("frames of others", self.others, others);
        outcome.judge("frames of the victim", self.victim, victim);
        Ok(outcome)
    }
}

impl Fault {
    /// Whether the program that it needs is there.
    pub(crate) fn is_possible(&self) -> bool {
        let dirs = std::env::var_os("PATH").unwrap_or_default();
        self.needs
            .is_none_or(|name| std::env::split_paths(&dirs).any(|dir| dir.join(name).exists()))
    }
}

impl Outcome {
    fn judge(&mut self, whose: &str, promise: Promise, fate: Fate) {
        let mut broken = |what: String| self.broken.push(format!("{whose}: {what}"));
        let Fate {
            lost,
            duplicates,
            reordered,
            longest_gap,
            recovery,
            overrun,
            ..
        } = fate;
        // What the stations could not take was not lost by the switch. Tests run side by side, and
        // the queue of a processor is one for all of them.
        let forgiven = if self.is_alone { 0 } else { fate.queue_full };
        if promise
            .lost
            .is_some_and(|most| lost > most + overrun + forgiven)
        {
            broken(format!("{lost} lost"));
        }
        if !promise.in_disorder && (duplicates > 0 || reordered > 0) {
            broken(format!("{duplicates} twice, {reordered} out of order"));
        }
        if recovery.is_none() {
            broken("they never come again".to_owned());
        }
        let mut late = |what: String| self.late.push(format!("{whose}: {what}"));
        if promise.gap.is_some_and(|most| longest_gap > most) {
            late(format!("a gap of {longest_gap:.1?}"));
        }
        if promise
            .recovery
            .is_some_and(|most| recovery.is_some_and(|took| took > most))
        {
            late(format!("back after {:.1?}", recovery.unwrap_or_default()));
        }
    }
}

/// Tests of the area.
pub(crate) fn tests() -> Vec<Trial> {
    let alone = all().into_iter().filter(|fault| fault.needs.is_none());
    let test = |fault: Fault| {
        let name = format!("faults::{}", fault.name.replace('-', "_"));
        isolated(&name, move || drop(outcome_of(&fault)))
    };
    let held_up = isolated("faults_of_the_test_itself_lose_nothing", held_up);
    alone.map(test).chain([held_up]).collect()
}

/// What a fault does in a test; nothing that was promised may be broken.
fn outcome_of(fault: &Fault) -> Outcome {
    let outcome = fault.run(Rival::Vswitch, Pace::TEST);
    let outcome = outcome.unwrap_or_else(|error| {
        panic!("{error}\n{}", vswitch::Vswitch::log());
    });
    assert!(outcome.others.sent > 0, "there was no traffic");
    assert!(
        outcome.broken.is_empty(),
        "{:?}\n{:?}\n{:?}\n{}",
        outcome.broken,
        outcome.others,
        outcome.victim,
        vswitch::Vswitch::log()
    );
    outcome
}

/// A switch that does not get the processor for longer than its rings last at this rate: the stations
/// wait for it, so that what is lost in the other tests was lost by the switch.
fn held_up() {
    let mut stopped = all().into_iter().filter(|fault| fault.name == "stopped");
    let outcome = outcome_of(&stopped.next().unwrap());
    let lost = [outcome.others.lost, outcome.victim.lost];
    assert_eq!(lost, [0, 0], "{:?}", outcome.notes);
}
