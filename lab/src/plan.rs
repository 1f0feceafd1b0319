//! What has to be done so that what is there becomes what is wanted. Pure: nothing is done here.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::thing::{CableSpec, Key, RANKS, Spec, Things};
use vswitch_control::settings::{Schema, Setting, SwitchSettings};

/// A thing that is there, or of which something is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// How it is.
    pub spec: Spec,
    /// Why it does not do, so that it has to be cleared away and made anew; none if it does.
    pub broken: Option<String>,
}

/// What is there, by key.
pub type Present = BTreeMap<Key, Held>;

/// What is to be done with one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes.
    Remove {
        /// How it was.
        from: Spec,
        /// Whether it goes by itself with something else that goes.
        implied: bool,
    },
    /// It comes.
    Make { to: Spec },
    /// It changes while it is in use.
    Change { from: Spec, to: Spec },
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub key: Key,
    pub action: Action,
}

/// All steps, in an order in which they can be done: those of a stage side by side, one stage
/// after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The stages, in their order.
    pub stages: Vec<Vec<Step>>,
}

/// How a thing differs, for those who look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// It is to be made.
    Make,
    /// It is to be removed.
    Remove,
    /// It is to be changed while it is in use.
    Change,
    /// It is to be removed and made anew.
    Replace,
}

/// Plans the way from `present` to `wanted`.
pub(crate) fn plan(present: &Present, wanted: &Things) -> Plan {
    let fate = Fate::of(present, wanted);
    let mut removals: Vec<Vec<Step>> = (0..RANKS).map(|_| Vec::new()).collect();
    let mut makings = removals.clone();
    for (key, held) in present {
        if fate.goes(key) {
            let action = Action::Remove {
                from: held.spec.clone(),
                implied: fate.is_implied(key, &held.spec),
            };
            removals[usize::from(RANKS - 1 - key.rank())].push(Step {
                key: key.clone(),
                action,
            });
        }
    }
    for (key, to) in wanted {
        let to = to.clone();
        let action = match present.get(key) {
            Some(held) if fate.changed.contains(key) => Action::Change {
                from: held.spec.clone(),
                to,
            },
            Some(_) if !fate.replaced.contains(key) => continue,
            _ => Action::Make { to },
        };
        makings[usize::from(key.rank())].push(Step {
            key: key.clone(),
            action,
        });
    }
    let stages = removals.into_iter().chain(makings);
    Plan {
        stages: stages.filter(|stage| !stage.is_empty()).collect(),
    }
}

/// What becomes of what is there.
struct Fate {
    removed: BTreeSet<Key>,
    replaced: BTreeSet<Key>,
    changed: BTreeSet<Key>,
    /// What is not as it should be, so that it takes nothing along.
    broken: BTreeSet<Key>,
}

impl Fate {
    fn of(present: &Present, wanted: &Things) -> Self {
        let is_gone = |key: &&Key| !wanted.contains_key(*key);
        let mut fate = Self {
            removed: present.keys().filter(is_gone).cloned().collect(),
            replaced: BTreeSet::new(),
            changed: BTreeSet::new(),
            broken: present
                .iter()
                .filter(|(_, held)| held.broken.is_some())
                .map(|(key, _)| key.clone())
                .collect(),
        };
        let mut both: Vec<_> = wanted
            .iter()
            .filter_map(|(key, to)| Some((key, present.get(key)?, to)))
            .collect();
        // What others need is judged before them.
        both.sort_by_key(|(key, ..)| key.rank());
        let specs: Things = present
            .iter()
            .map(|(key, held)| (key.clone(), held.spec.clone()))
            .collect();
        for (key, held, to) in both {
            let before = key.needs(&held.spec, &specs);
            let after = key.needs(to, wanted);
            let moves = before.iter().chain(&after).any(|need| {
                fate.goes(need) || !present.contains_key(need) || fate.loses(need, key)
            });
            if held.broken.is_some() || moves {
                fate.replaced.insert(key.clone());
            } else if held.spec != *to {
                if can_change(&held.spec, to) {
                    fate.changed.insert(key.clone());
                } else {
                    fate.replaced.insert(key.clone());
                }
            }
        }
        fate
    }

    /// Whether what is there of it goes, for good or to be made anew.
    fn goes(&self, key: &Key) -> bool {
        self.removed.contains(key) || self.replaced.contains(key)
    }

    /// Whether something is lost with what changes in `need`: the kernel drops routes with
    /// addresses.
    fn loses(&self, need: &Key, key: &Key) -> bool {
        matches!(key, Key::Route { .. }) && self.changed.contains(need)
    }

    /// Whether it goes with something else: all that is in a host goes with it, and a switch
    /// takes its ports and cables along, if it runs.
    fn is_implied(&self, key: &Key, spec: &Spec) -> bool {
        let host_goes = key.host().is_some_and(|host| {
            self.goes(&Key::Host {
                host: host.to_owned(),
            })
        });
        let switch_goes = |switch: &str| {
            let key = Key::Switch {
                switch: switch.to_owned(),
            };
            self.goes(&key) && !self.broken.contains(&key)
        };
        match (key, spec) {
            (Key::Sysctl { .. } | Key::Route { .. }, _) => host_goes,
            (Key::Port { switch, .. }, _) => switch_goes(switch),
            (Key::Cable { .. }, Spec::Cable(cable)) => switch_goes(&cable.switch),
            _ => false,
        }
    }
}

/// The first setting that differs and cannot be changed while a switch runs.
pub(super) fn fixed(from: &SwitchSettings, to: &SwitchSettings) -> Option<&'static Setting> {
    let mut fixed = SwitchSettings::ALL.iter().filter(|setting| !setting.live);
    fixed.find(|setting| from.text(setting) != to.text(setting))
}

/// Whether the one can become the other while it is in use.
fn can_change(from: &Spec, to: &Spec) -> bool {
    match (from, to) {
        (Spec::Switch(from), Spec::Switch(to)) => fixed(from, to).is_none(),
        (Spec::Cable(from), Spec::Cable(to)) => {
            let changed = CableSpec {
                addresses: to.addresses.clone(),
                settings: to.settings.clone(),
                ..from.clone()
            };
            changed == *to
        }
        (Spec::Sysctl { .. }, Spec::Sysctl { .. }) => true,
        _ => false,
    }
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// All steps, in their order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.stages.iter().flatten()
    }

    /// What it does, thing by thing, in the order of the things.
    pub fn differences(&self) -> BTreeMap<&Key, (Difference, Option<&Spec>, Option<&Spec>)> {
        let mut found = BTreeMap::new();
        for step in self.steps() {
            let entry = match &step.action {
                Action::Remove { from, .. } => (Difference::Remove, Some(from), None),
                Action::Change { from, to } => (Difference::Change, Some(from), Some(to)),
                Action::Make { to } => match found.get(&step.key) {
                    Some((_, from, _)) => (Difference::Replace, *from, Some(to)),
                    None => (Difference::Make, None, Some(to)),
                },
            };
            found.insert(&step.key, entry);
        }
        found
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
