//! Plans against a model of the machine: from any lab to any other, also if half of the first
//! has vanished.

use std::collections::BTreeSet;
use std::fmt::Write;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::lab;

/// A lab of the dice.
fn random_lab(dice: &mut StdRng) -> Things {
    let mut text = String::new();
    let switches: Vec<usize> = (0..4).filter(|_| dice.random_bool(0.7)).collect();
    for switch in &switches {
        writeln!(text, "[switch.s{switch}]\nsubnet = \"10.{switch}.0.0/24\"").unwrap();
        if dice.random_bool(0.3) {
            writeln!(text, "ageing = {}", dice.random_range(1..3)).unwrap();
        }
        if dice.random_bool(0.2) {
            text.push_str("receive = \"socket\"\n");
        }
        if dice.random_bool(0.2) {
            writeln!(text, "ports = [\"eth{switch}\"]").unwrap();
        }
    }
    let both = |a, b| switches.contains(&a) && switches.contains(&b);
    if both(2, 3) && dice.random_bool(0.7) {
        let mtu = [1500, 9000][dice.random_range(0..2)];
        writeln!(text, "[[link]]\nbetween = [\"s2\", \"s3\"]\nmtu = {mtu}").unwrap();
    }
    let routed = both(0, 1) && dice.random_bool(0.7);
    if routed {
        text.push_str(
            "[host.r]\nforward = true\ninterface = [{ switch = \"s0\", ip = \"10.0.0.254/24\" }, \
             { switch = \"s1\", ip = \"10.1.0.254/24\" }]\n",
        );
    }
    for host in 1..6 {
        if switches.is_empty() || dice.random_bool(0.3) {
            continue;
        }
        let switch = switches[dice.random_range(0..switches.len())];
        let number = host + 10 * dice.random_range(0..2);
        writeln!(text, "[host.h{host}]\nswitch = \"s{switch}\"").unwrap();
        writeln!(text, "ip = \"10.{switch}.0.{number}/24\"").unwrap();
        if dice.random_bool(0.3) {
            text.push_str("mtu = 1400\n");
        }
        if routed && switch < 2 {
            writeln!(text, "gateway = \"10.{switch}.0.254\"").unwrap();
        }
        if dice.random_bool(0.3) {
            let ecn = dice.random_range(0..3);
            writeln!(text, "sysctl = {{ \"net.ipv4.tcp_ecn\" = {ecn} }}").unwrap();
        }
        if dice.random_bool(0.3) {
            writeln!(text, "setup = [\"x {}\"]", dice.random_range(0..2)).unwrap();
        }
        if dice.random_bool(0.3) {
            text.push_str("commands = [\"y\", \"y\"]\n");
        }
    }
    let read = lab::read(&text, "x".parse().unwrap(), &Things::new());
    read.unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
        .things
}

/// What is there, with what may be done to it.
struct Machine(Things);

impl Machine {
    fn needed_by(&self, key: &Key) -> Vec<&Key> {
        let needs = |(other, spec): &(&Key, &Spec)| other.needs(spec, &self.0).contains(key);
        self.0
            .iter()
            .filter(needs)
            .map(|(other, _)| other)
            .collect()
    }

    fn step(&mut self, step: &Step) {
        let key = &step.key;
        match &step.action {
            Action::Make { to } => {
                assert!(!self.0.contains_key(key), "{key} is there already");
                for need in key.needs(to, &self.0) {
                    assert!(self.0.contains_key(&need), "{key} is made before {need}");
                }
                self.0.insert(key.clone(), to.clone());
            }
            Action::Change { from, to } => {
                assert_eq!(self.0.get(key), Some(from), "{key}");
                assert!(can_change(from, to), "{key}");
                if matches!(key, Key::Cable { .. }) {
                    let routes = self.needed_by(key);
                    let lost = routes.iter().any(|key| matches!(key, Key::Route { .. }));
                    assert!(!lost, "the kernel drops {routes:?}");
                }
                self.0.insert(key.clone(), to.clone());
            }
            Action::Remove { from, .. } => {
                assert_eq!(self.0.get(key), Some(from), "{key}");
                let left = self.needed_by(key);
                assert!(left.is_empty(), "{key} goes before {left:?}");
                self.0.remove(key);
            }
        }
    }
}

fn present(things: &Things, broken: &BTreeSet<Key>) -> Present {
    let held = things.iter().map(|(key, spec)| {
        let broken = broken.contains(key).then(|| "it is gone".to_owned());
        let spec = spec.clone();
        (key.clone(), Held { spec, broken })
    });
    held.collect()
}

/// All that has a reason to be touched: what differs, what is broken, and whatever stands on that.
fn reasons(old: &Things, new: &Things, broken: &BTreeSet<Key>) -> BTreeSet<Key> {
    let all: BTreeSet<&Key> = old.keys().chain(new.keys()).collect();
    let mut touched: BTreeSet<Key> = all
        .iter()
        .filter(|key| old.get(key) != new.get(key) || broken.contains(key))
        .map(|key| (*key).clone())
        .collect();
    loop {
        let stands_on = |key: &&&Key| {
            let of = |things: &Things| {
                let spec = things.get(key);
                spec.is_some_and(|spec| {
                    let needs = key.needs(spec, things);
                    needs.iter().any(|need| touched.contains(need))
                })
            };
            !touched.contains(**key) && (of(old) || of(new))
        };
        let more: Vec<Key> = all
            .iter()
            .filter(stands_on)
            .map(|key| (*key).clone())
            .collect();
        if more.is_empty() {
            return touched;
        }
        touched.extend(more);
    }
}

#[test]
fn a_plan_leads_from_any_lab_to_any_other_and_touches_nothing_else() {
    for seed in 0..600 {
        let mut dice = StdRng::seed_from_u64(seed);
        let (old, new) = (random_lab(&mut dice), random_lab(&mut dice));
        let share = [0.0, 0.1, 0.9][dice.random_range(0..3)];
        let broken: BTreeSet<Key> = old
            .keys()
            .filter(|_| dice.random_bool(share))
            .cloned()
            .collect();
        let plan = plan(&present(&old, &broken), &new);
        let reasons = reasons(&old, &new, &broken);
        let mut machine = Machine(old);
        for step in plan.steps() {
            assert!(reasons.contains(&step.key), "seed {seed}: {step:?}");
            machine.step(step);
        }
        assert_eq!(machine.0, new, "seed {seed}");
    }
}

#[test]
fn nothing_is_done_where_all_is_as_wanted() {
    for seed in 0..200 {
        let things = random_lab(&mut StdRng::seed_from_u64(seed));
        assert!(plan(&present(&things, &BTreeSet::new()), &things).is_empty());
    }
}

#[test]
fn a_changed_host_disturbs_no_switch_and_no_other_host() {
    let read = |text: &str, before: &Things| {
        lab::read(text, "x".parse().unwrap(), before)
            .unwrap()
            .things
    };
    let lab = "[switch.s]\nsubnet = \"10.0.0.0/24\"\n[host.a]\nip = \"10.0.0.1/24\"\n[host.b]\n";
    let old = read(lab, &Things::new());
    let new = read(
        &lab.replace("10.0.0.1/24\"", "10.0.0.9/24\"\nmtu = 9000"),
        &old,
    );
    let plan = plan(&present(&old, &BTreeSet::new()), &new);
    let cable = Key::Cable {
        host: "a".into(),
        interface: "a-netns".into(),
    };
    assert_eq!(plan.differences().into_keys().collect::<Vec<_>>(), [&cable]);
}
