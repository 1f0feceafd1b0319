//! Lists that may be one value, and tables with keys of their own.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::text::{At, Meaning, Text};

/// Some values; one may stand by itself.
#[derive(Clone, Debug)]
pub(crate) struct List<T>(pub(crate) Vec<ListItem<T>>);

/// One of a list. Its place is known where it is one of several; else it is the list's.
#[derive(Clone, Debug)]
pub(crate) struct ListItem<T> {
    pub(crate) value: T,
    pub(crate) span: Option<Range<usize>>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Meaning> Deserialize<'de> for List<Text<T>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A list by itself, or one with a place: both ways come here.
        struct OneOrSome<T>(PhantomData<T>);
        impl<'de, T: Meaning> Visitor<'de> for OneOrSome<T> {
            type Value = List<Text<T>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}, or a list of such", T::WHAT)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                let value = T::read(text).map(Text).map_err(E::custom)?;
                Ok(List(vec![ListItem { value, span: None }]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element::<At<Text<T>>>()? {
                    let span = Some(item.span());
                    let value = item.into_inner();
                    list.push(ListItem { value, span });
                }
                Ok(List(list))
            }
        }
        deserializer.deserialize_any(OneOrSome(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one}]})
    }
}

/// A table whose keys mean something, in the order of the file.
#[derive(Clone, Debug)]
pub(crate) struct Pairs<K, V>(pub(crate) Vec<(At<K>, V)>);

impl<K, V> Default for Pairs<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Pairs<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table<K, V>(PhantomData<(K, V)>);
        impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Table<K, V> {
            type Value = Pairs<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                pairs.sort_by_key(|(key, _): &(At<K>, V)| key.span().start);
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Table(PhantomData))
    }
}

impl<K: JsonSchema, V: JsonSchema> JsonSchema for Pairs<K, V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("TableOf{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (key, value) = (
            generator.subschema_for::<K>(),
            generator.subschema_for::<V>(),
        );
        json_schema!({"type": "object", "propertyNames": key, "additionalProperties": value})
    }
}
