//! What is changed of settings that hold already.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use serde_json::Value as Json;

use super::json::{self, Members};
use super::schema::{Schema, Setting};

/// Settings to be set, and settings to be set back to what holds otherwise. All others stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<S> {
    /// What is set.
    pub set: S,
    /// The names of those that are set back.
    pub back: Vec<&'static str>,
}

impl<S: Schema> Default for Change<S> {
    fn default() -> Self {
        Self::from(S::default())
    }
}

impl<S> From<S> for Change<S> {
    fn from(set: S) -> Self {
        let back = Vec::new();
        Self { set, back }
    }
}

impl<S: Schema> Change<S> {
    /// What makes `to` of `from`.
    pub fn between(from: &S, to: &S) -> Self {
        let mut change = Self::default();
        for setting in S::ALL {
            let wanted = to.text(setting);
            if wanted.is_none() && from.value(setting).is_some() {
                change.back.push(setting.name);
            } else if wanted != from.text(setting) {
                change.set.copy(setting, to);
            }
        }
        change
    }

    /// `settings` after it.
    pub fn of(&self, settings: &S) -> S {
        let mut changed = self.set.clone();
        let mut before = settings.clone();
        for setting in self.set_back() {
            before.copy(setting, &S::default());
        }
        changed.fill(&before);
        changed
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.back.is_empty() && self.set.is_empty()
    }

    /// Takes over what `other` changes and this does not.
    pub fn merge(&mut self, other: &Self) {
        self.set.fill(&other.set);
        self.back.extend(&other.back);
    }

    fn set_back(&self) -> impl Iterator<Item = &'static Setting> {
        self.back.iter().filter_map(|name| S::setting(name))
    }

    fn read(members: &Members) -> Result<Self, String> {
        let mut change = Self::default();
        for (key, value) in members {
            let inside = |object: Option<&str>| -> Vec<&'static Setting> {
                let all = S::ALL.iter();
                all.filter(|setting| setting.object == object).collect()
            };
            let at_top = inside(None).into_iter().find(|setting| setting.key == key);
            let inside = inside(Some(key));
            match (at_top, value) {
                (Some(setting), value) => change.take(setting, value)?,
                (None, Json::Object(members)) if !inside.is_empty() => {
                    for (key, value) in members {
                        let found = inside.iter().find(|setting| setting.key == key);
                        let found = found.ok_or_else(|| unknown(key, inside.iter().copied()))?;
                        change.take(found, value)?;
                    }
                }
                (None, Json::Null) if !inside.is_empty() => {}
                (None, _) if !inside.is_empty() => {
                    return Err(format!("an object is wanted as '{key}'"));
                }
                (None, _) => return Err(unknown(key, S::ALL.iter())),
            }
        }
        Ok(change)
    }

    fn take(&mut self, setting: &'static Setting, value: &Json) -> Result<(), String> {
        if !setting.live {
            return Err(format!(
                "'{}' cannot be changed while the switch runs: stop it, and start it with another",
                setting.key
            ));
        }
        let sets_back = match value {
            Json::Null if S::NULL_SETS_BACK => true,
            Json::Null => return Ok(()),
            value => setting.none.is_some_and(|none| none() == *value),
        };
        if sets_back {
            self.back.push(setting.name);
            return Ok(());
        }
        json::set(&mut self.set, setting, value)
    }
}

fn unknown<'a>(key: &str, known: impl Iterator<Item = &'a Setting>) -> String {
    let mut names: Vec<String> = known
        .filter(|setting| setting.live)
        .map(|setting| format!("`{}`", setting.object.unwrap_or(setting.key)))
        .collect();
    names.dedup();
    format!(
        "unknown field `{}`, expected one of {}",
        crate::plain::text(key),
        names.join(", ")
    )
}

impl<S: Schema> Serialize for Change<S> {
    fn serialize<R: Serializer>(&self, serializer: R) -> Result<R::Ok, R::Error> {
        let mut members = json::of(&self.set);
        for setting in self.set_back() {
            let none = setting.none.map_or(Json::Null, |none| none());
            json::put(&mut members, setting, none);
        }
        members.serialize(serializer)
    }
}

impl<'de, S: Schema> Deserialize<'de> for Change<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Members::deserialize(deserializer)?;
        Self::read(&members).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::Limit;
    use super::super::{PortSettings, SwitchSettings};
    use super::*;
    use serde_json::json;

    fn parse<S: Schema>(value: Json) -> Result<Change<S>, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn null_is_not_the_same_as_nothing_for_a_port() {
        let change: Change<PortSettings> =
            parse(json!({"broadcast_limit": null, "max_macs": 5})).unwrap();
        assert_eq!(change.back, ["broadcast_limit"]);
        assert_eq!(change.set.max_macs.map(Limit::get), Some(5));
        let again = parse(serde_json::to_value(&change).unwrap()).unwrap();
        assert_eq!(change, again);
        let before: Change<PortSettings> =
            parse(json!({"broadcast_limit": 1, "multicast_limit": 0})).unwrap();
        let after = serde_json::to_value(change.of(&before.set)).unwrap();
        assert_eq!(after, json!({"max_macs": 5, "multicast_limit": 0}));
    }

    #[test]
    fn only_what_is_given_changes_and_only_within_its_range() {
        let change: Change<SwitchSettings> = parse(json!({
            "ageing_s": 10, "subnet": "", "ring_slots": 0, "max_macs": null,
            "protection": {"loop_guard": false, "move_limit": 253},
        }))
        .unwrap();
        assert_eq!(change.back, ["ring_slots", "subnet"]);
        let set = serde_json::to_value(&change.set).unwrap();
        let expected =
            json!({"ageing_s": 10, "protection": {"loop_guard": false, "move_limit": 253}});
        assert_eq!(set, expected);
        for (wrong, told) in [
            (
                json!({"ageing_s": 0}),
                "'ageing_s' cannot be 0: choose 1 to 1000000",
            ),
            (json!({"max_macs": u32::MAX}), "'max_macs' cannot be"),
            (json!({"ring_slots": 127}), "choose 128 to 65536"),
            (json!({"subnet": "10.0.0.1/24"}), "write 10.0.0.0/24"),
            (json!({"receive": "ring"}), "while the switch runs"),
            (
                json!({"protection": {"move_limit": 254}}),
                "choose 1 to 253",
            ),
            (json!({"protection": {"more": 1}}), "unknown field `more`"),
            (json!({"protection": 1}), "an object is wanted"),
            (
                json!({"ageing": 1}),
                "unknown field `ageing`, expected one of `ageing_s`",
            ),
            (
                json!({"ageing_s": "long"}),
                "'ageing_s': a whole number is wanted here",
            ),
        ] {
            let error = parse::<SwitchSettings>(wrong).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn what_differs_is_what_changes() {
        let settings = |text: &str| -> SwitchSettings { serde_json::from_str(text).unwrap() };
        let from = settings(r#"{"ageing_s":300,"ring_slots":256,"max_macs":7}"#);
        let to = settings(r#"{"ageing_s":10,"max_macs":7}"#);
        let change = Change::between(&from, &to);
        let told = serde_json::to_value(&change).unwrap();
        assert_eq!(told, json!({"ageing_s": 10, "ring_slots": 0}));
        assert_eq!(change.of(&from), to);
        assert!(Change::between(&to, &to).is_empty());
    }
}
