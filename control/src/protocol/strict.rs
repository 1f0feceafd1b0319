//! JSON in which no object names a member twice.
//!
//! RFC 8259, 4 leaves open what a second member of one name means: some readers take the first, some
//! the last. What looks at a message on its way to the switch, such as a proxy that lets some methods
//! pass, could read another message than the switch does.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::plain;

/// A value that says everything once.
#[derive(Debug)]
pub(super) struct Strict(pub(super) Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Once).map(Self)
    }
}

struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            if members.contains_key(&key) {
                let key = plain::text(&key);
                return Err(A::Error::custom(format_args!(
                    "the member '{key}' is there twice"
                )));
            }
            let Strict(value) = object.next_value()?;
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, serde_json::Error> {
        serde_json::from_str(text).map(|Strict(value)| value)
    }

    #[test]
    fn what_is_said_once_is_read_as_by_others() {
        for text in [
            "null",
            "true",
            "-1",
            "18446744073709551615",
            "1.5e300",
            "\"a\\u00e9\"",
            "[]",
            "{}",
            r#"{"a":[1,{"b":null,"c":[]}],"d":{"a":1}}"#,
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read(text).unwrap(), value, "{text}");
        }
        for text in ["", "{", "[1,]", "nul", "1 2", "\"\u{1}\""] {
            assert!(!read(text).unwrap_err().is_data(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(&deep).is_err(), "no overflow of the stack");
    }

    #[test]
    fn what_is_said_twice_is_refused_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"a":3}"#,
            r#"[[{"x":{"a":null,"a":null}}]]"#,
            r#"{"params":{"a":[0,{"a":1,"a":2}]}}"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            let error = read(text).unwrap_err();
            assert!(error.is_data(), "{error}");
            assert!(error.to_string().contains("'a' is there twice"), "{error}");
        }
    }
}
