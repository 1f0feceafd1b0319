//! Settings and commands, as they are written in a lab file.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::text::shown;

/// A setting of the network stack, by its path below `/proc/sys`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SysctlKey(pub(crate) String);

impl SysctlKey {
    /// As in sysctl.conf(5): the first separator, '.' or '/', is the one that separates.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let path: String = match text.find(['.', '/']).map(|at| &text[at..=at]) {
            Some(".") => {
                let swap = |c| match c {
                    '.' => '/',
                    '/' => '.',
                    other => other,
                };
                text.chars().map(swap).collect()
            }
            _ => text.to_owned(),
        };
        let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        if !path.starts_with("net/") || path.contains('\0') || !path.split('/').all(is_plain) {
            return Err(format!(
                "{} is not a setting of a host's network: only those that begin with 'net.' are",
                shown(text)
            ));
        }
        Ok(Self(path))
    }
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SysctlValue(pub(crate) String);

impl<'de> Deserialize<'de> for SysctlValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = SysctlValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, true or false, or a text")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<SysctlValue, E> {
                Ok(SysctlValue(u8::from(value).to_string()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<SysctlValue, E> {
                Ok(SysctlValue(value.to_string()))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<SysctlValue, E> {
                if value.contains(char::is_control) && !value.contains('\t') {
                    return Err(E::custom("the value of a setting is one line"));
                }
                // As the kernel gives it back, however many blanks there are.
                let words: Vec<&str> = value.split_whitespace().collect();
                Ok(SysctlValue(words.join("\t")))
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

impl JsonSchema for SysctlValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SysctlValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["integer", "boolean", "string"]})
    }
}

/// A command: words, of which the first is the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandLine(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for CommandLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Line;
        impl<'de> Visitor<'de> for Line {
            type Value = CommandLine;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command: a line for the shell, or a list of words")
            }

            fn visit_str<E: Error>(self, line: &str) -> Result<CommandLine, E> {
                if line.trim().is_empty() {
                    return Err(E::custom("this command is empty"));
                }
                refuse_nul(line)?;
                Ok(CommandLine(vec!["sh".into(), "-c".into(), line.into()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<CommandLine, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = items.next_element::<String>()? {
                    refuse_nul(&word)?;
                    words.push(word);
                }
                if words.first().is_none_or(String::is_empty) {
                    return Err(A::Error::custom("this command is empty"));
                }
                Ok(CommandLine(words))
            }
        }
        deserializer.deserialize_any(Line)
    }
}

fn refuse_nul<E: Error>(word: &str) -> Result<(), E> {
    if word.contains('\0') {
        return Err(E::custom("a command cannot hold a zero byte"));
    }
    Ok(())
}

impl JsonSchema for CommandLine {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Command".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
        ]})
    }
}
