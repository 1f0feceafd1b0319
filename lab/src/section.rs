//! Sections of a lab file that hold settings beside their own keys.
//!
//! Theory of operation. A section's own keys are a structure as any other; the settings come from
//! their table. While the section is read, its keys are sifted: a setting's value is read by the table,
//! with its place, and all else goes on to the structure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, Range};

use schemars::{JsonSchema, Schema as JsonSchemaObject, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value as Json;

use super::text::At;
use vswitch_control::settings::{Kind, Scalar, Schema, Setting};

/// Where each setting is, by its name.
pub(crate) type Places = BTreeMap<&'static str, Range<usize>>;

/// A section and its settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct With<S, T> {
    /// Its own keys.
    pub(crate) section: T,
    /// What is set in it.
    pub(crate) settings: S,
    /// Where that is in the file.
    pub(crate) places: Places,
}

impl<S, T> Deref for With<S, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.section
    }
}

impl<'de, S: Schema, T: Deserialize<'de>> Deserialize<'de> for With<S, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table<S, T>(PhantomData<(S, T)>);
        impl<'de, S: Schema, T: Deserialize<'de>> Visitor<'de> for Table<S, T> {
            type Value = With<S, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<Self::Value, A::Error> {
                let (mut settings, mut places) = (S::default(), Places::new());
                let sieve = Sieve {
                    inner,
                    settings: &mut settings,
                    places: &mut places,
                };
                let section = T::deserialize(MapAccessDeserializer::new(sieve))?;
                Ok(With {
                    section,
                    settings,
                    places,
                })
            }
        }
        deserializer.deserialize_map(Table(PhantomData))
    }
}

/// Takes the settings out of a table.
struct Sieve<'a, A, S> {
    inner: A,
    settings: &'a mut S,
    places: &'a mut Places,
}

impl<'de, A: MapAccess<'de>, S: Schema> MapAccess<'de> for Sieve<'_, A, S> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let mut seed = Some(seed);
        loop {
            let key = KeySeed::<K, S> {
                seed: &mut seed,
                table: PhantomData,
            };
            match self.inner.next_key_seed(key)? {
                None => return Ok(None),
                Some(Key::Own(key)) => return Ok(Some(key)),
                Some(Key::Setting(setting)) => {
                    let settings = &mut *self.settings;
                    let place = self
                        .inner
                        .next_value_seed(ValueSeed { setting, settings })?;
                    self.places.insert(setting.name, place);
                }
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.inner.next_value_seed(seed)
    }
}

/// A key of a section.
enum Key<K> {
    /// One of its own.
    Own(K),
    /// That of a setting.
    Setting(&'static Setting),
}

struct KeySeed<'a, K, S> {
    /// Reads the section's own keys; it is taken by the first.
    seed: &'a mut Option<K>,
    table: PhantomData<S>,
}

impl<'de, K: DeserializeSeed<'de>, S: Schema> DeserializeSeed<'de> for KeySeed<'_, K, S> {
    type Value = Key<K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, K: DeserializeSeed<'de>, S: Schema> Visitor<'de> for KeySeed<'_, K, S> {
    type Value = Key<K::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        if let Some(setting) = S::setting(key) {
            return Ok(Key::Setting(setting));
        }
        let seed = self.seed.take();
        let seed = seed.ok_or_else(|| E::custom("a key was read twice"))?;
        let own = seed.deserialize(StrDeserializer::<Refused>::new(key));
        own.map(Key::Own).map_err(|refused| match refused {
            Refused::Unknown(own) => {
                let own = own.iter().copied();
                let all = own.chain(S::ALL.iter().map(|setting| setting.name));
                let all: Vec<_> = all.map(|name| format!("`{name}`")).collect();
                let all = all.join(", ");
                E::custom(format_args!("unknown field `{key}`, expected one of {all}"))
            }
            Refused::Other(why) => E::custom(why),
        })
    }
}

/// Why a key is none of a section's own.
#[derive(Debug)]
enum Refused {
    /// Known are these.
    Unknown(&'static [&'static str]),
    /// What serde says.
    Other(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(_) => f.write_str("unknown field"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Refused {}

impl Error for Refused {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self::Other(why.to_string())
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self::Unknown(known)
    }
}

/// Reads the value of a setting; gives its place.
struct ValueSeed<'a, S> {
    setting: &'static Setting,
    settings: &'a mut S,
}

impl<'de, S: Schema> DeserializeSeed<'de> for ValueSeed<'_, S> {
    type Value = Range<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let Self { setting, settings } = self;
        let found = At::<Found>::deserialize(deserializer)?;
        let words = setting.word(setting.name, &found.0, false);
        let taken = words.and_then(|words| settings.set(setting, &words));
        taken.map_err(D::Error::custom)?;
        Ok(found.span())
    }
}

/// A value of whatever kind.
struct Found(Scalar);

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Found;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, true or false, or a text")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Found, E> {
                Ok(Found(Scalar::Flag(flag)))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Found, E> {
                Ok(Found(Scalar::Number(number)))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Found, E> {
                Ok(Found(Scalar::Other(format!("floating point '{number}'"))))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Found, E> {
                Ok(Found(Scalar::Text(text.to_owned())))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<S: Schema, T: JsonSchema> JsonSchema for With<S, T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> JsonSchemaObject {
        let mut schema = T::json_schema(generator);
        let object = schema.ensure_object();
        let properties = object
            .entry("properties")
            .or_insert_with(|| Json::Object(serde_json::Map::default()));
        if let Json::Object(properties) = properties {
            for setting in S::ALL {
                properties.insert(setting.name.to_owned(), Json::from(schema_of(setting)));
            }
        }
        schema
    }
}

/// What an editor is told of a setting.
fn schema_of(setting: &Setting) -> JsonSchemaObject {
    let mut schema = match setting.kind {
        Kind::Number { min, max } => {
            json_schema!({"type": "integer", "minimum": min, "maximum": max})
        }
        Kind::Limit { max } => json_schema!({"anyOf": [
            {"type": "integer", "minimum": 1, "maximum": max},
            {"const": "off"},
        ]}),
        Kind::Flag { .. } => json_schema!({"type": "boolean"}),
        Kind::OneOf(words) => {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            json_schema!({"type": "string", "enum": words})
        }
        Kind::Text { .. } => json_schema!({"type": "string"}),
        Kind::Numbered { .. } => json_schema!({"type": ["string", "integer"]}),
    };
    schema.insert("description".to_owned(), setting.help().into());
    if let Some(default) = setting.default.map(|default| default()) {
        let default = match setting.kind {
            Kind::Limit { .. } if default == "off" => Json::from(default),
            _ => setting.json(default),
        };
        schema.insert("default".to_owned(), default);
    }
    schema
}
