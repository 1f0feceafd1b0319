//! Settings as JSON: in the control protocol, in `show --json` and on disk.

use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value as Json};

use super::schema::{Kind, Scalar, Schema, Setting};

/// The members of a JSON object.
pub(super) type Members = Map<String, Json>;

/// All that is set.
pub(super) fn of<S: Schema>(settings: &S) -> Members {
    let mut members = Members::new();
    for (setting, text) in settings.texts() {
        put(&mut members, setting, setting.json(text));
    }
    members
}

/// The settings in `members`. What is unknown in them is left alone: a later version may know it.
///
/// # Errors
/// A sentence, where a value is wrong.
pub(super) fn read<S: Schema>(members: &Members) -> Result<S, String> {
    let mut settings = S::default();
    for setting in S::ALL {
        let former = || setting.former_key.and_then(|key| members.get(key));
        let found = find(members, setting).or_else(former);
        let Some(value) = found.filter(|value| !value.is_null()) else {
            continue;
        };
        // The first version took greater limits, and lowered them.
        let value = match (setting.kind, value.as_u64()) {
            (Kind::Limit { max }, Some(limit)) => &Json::from(limit.min(max.into())),
            _ => value,
        };
        set(&mut settings, setting, value)?;
    }
    Ok(settings)
}

/// Sets one of them.
pub(super) fn set<S: Schema>(
    settings: &mut S,
    setting: &Setting,
    value: &Json,
) -> Result<(), String> {
    let words = setting.word(setting.key, &scalar(value), true);
    let words = words.map_err(|wrong| {
        let is_named = wrong.starts_with('\'');
        if is_named {
            wrong
        } else {
            format!("'{}': {wrong}", setting.key)
        }
    })?;
    settings.set(setting, &words)
}

/// Puts the value of a setting where it belongs.
pub(super) fn put(members: &mut Members, setting: &Setting, value: Json) {
    let Some(object) = setting.object else {
        members.insert(setting.key.to_owned(), value);
        return;
    };
    let inner = members
        .entry(object)
        .or_insert_with(|| Json::Object(Members::new()));
    if let Json::Object(inner) = inner {
        inner.insert(setting.key.to_owned(), value);
    }
}

fn find<'a>(members: &'a Members, setting: &Setting) -> Option<&'a Json> {
    match setting.object {
        Some(object) => members.get(object)?.get(setting.key),
        None => members.get(setting.key),
    }
}

fn scalar(value: &Json) -> Scalar {
    match value {
        Json::Bool(flag) => Scalar::Flag(*flag),
        Json::String(text) => Scalar::Text(text.clone()),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Scalar::Number(number),
            None => Scalar::Other(format!("number '{number}'")),
        },
        Json::Null => Scalar::Other("null".to_owned()),
        Json::Array(_) => Scalar::Other("a list".to_owned()),
        Json::Object(_) => Scalar::Other("an object".to_owned()),
    }
}

/// Settings as `show` has them: null where they are not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View<S>(pub S);

impl<S> Deref for View<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S: Schema> Serialize for View<S> {
    fn serialize<R: Serializer>(&self, serializer: R) -> Result<R::Ok, R::Error> {
        let mut members = Members::new();
        for setting in S::ALL.iter().filter(|setting| setting.shown) {
            let text = self.0.text(setting);
            put(
                &mut members,
                setting,
                text.map_or(Json::Null, |text| setting.json(text)),
            );
        }
        members.serialize(serializer)
    }
}

impl<'de, S: Schema> Deserialize<'de> for View<S> {
    /// A switch of another version may know other values: those are taken for not set.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Members::deserialize(deserializer).map_err(D::Error::custom)?;
        let mut settings = S::default();
        for setting in S::ALL.iter().filter(|setting| setting.shown) {
            if let Some(value) = find(&members, setting) {
                let _ = set(&mut settings, setting, value);
            }
        }
        Ok(Self(settings))
    }
}
