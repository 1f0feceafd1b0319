//! Kinds of values in a lab file: texts that mean something, lists that may be one value, tables
//! with keys of their own; each with its place.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::ops::{Deref, Range};

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use vswitch_netns::{InterfaceName, NamespaceName};

use super::file::{HostAddress, Network, Station, Subnet};
use crate::names::{LabName, SwitchName};
use crate::values;

/// A value and where in the file it is.
#[derive(Clone, Debug)]
pub(crate) struct At<T>(toml::Spanned<T>);

impl<T> At<T> {
    /// A value at this place.
    pub(crate) fn new(span: Range<usize>, value: T) -> Self {
        Self(toml::Spanned::new(span, value))
    }

    /// Its place, in bytes.
    pub(crate) fn span(&self) -> Range<usize> {
        self.0.span()
    }
}

impl<T> Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.get_ref()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        toml::Spanned::deserialize(deserializer).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// What a text in the file can stand for.
pub(crate) trait Meaning: Sized {
    /// What it is, with an article.
    const WHAT: &'static str;
    /// A regular expression for editors; none if it cannot be said so.
    const PATTERN: Option<&'static str> = None;

    /// Its meaning, or a sentence that says why it has none.
    fn read(text: &str) -> Result<Self, String>;
}

/// The names' rule, for editors.
const NAME: Option<&str> = Some("^[A-Za-z0-9_][A-Za-z0-9._-]*$");

macro_rules! meanings {
    ($($type:ty, $what:literal, $pattern:expr, $read:expr;)*) => {$(
        impl Meaning for $type {
            const WHAT: &'static str = $what;
            const PATTERN: Option<&'static str> = $pattern;

            fn read(text: &str) -> Result<Self, String> {
                let read: fn(&str) -> Result<Self, String> = $read;
                read(text)
            }
        }
    )*};
}

meanings! {
    LabName, "the name of a lab", NAME, |text| text.parse().map_err(|error| told(&error));
    SwitchName, "the name of a switch", NAME, |text| text.parse().map_err(|error| told(&error));
    NamespaceName, "the name of a host", NAME, |text| text.parse().map_err(|error| told(&error));
    InterfaceName, "the name of an interface", NAME, |text| text.parse().map_err(|error| told(&error));
    HostAddress, "an address with its prefix length, such as 10.0.0.1/24", None,
        |text| values::host_address(text).map(Self);
    Subnet, "a subnet, such as 10.0.0.0/24", None, |text| values::subnet(text).map(Self);
    Network, "a network, such as 10.0.0.0/24, or a host", None, network;
    Station, "a MAC address, such as 02:00:00:00:00:01", None,
        |text| values::station(text).map(Self);
    IpAddr, "the address of a router, such as 10.0.0.254", None, router;
    SysctlKey, "a setting, such as net.ipv4.tcp_ecn", Some("^net[./]"), SysctlKey::read;
}

fn told(error: &vswitch_netns::NameError) -> String {
    error.to_string()
}

fn network(text: &str) -> Result<Network, String> {
    let Ok(net) = text.parse::<IpNet>() else {
        return Err(format!(
            "{} is not a network: write its address and prefix length, as in 10.0.0.0/24, or use \
             'gateway' for everything else",
            shown(text)
        ));
    };
    if net.prefix_len() == 0 {
        return Err(format!(
            "{net} is everything: write the router's address as 'gateway' instead"
        ));
    }
    if net != net.trunc() {
        return Err(format!("{net} is not a network: write {}", net.trunc()));
    }
    Ok(Network(net))
}

fn router(text: &str) -> Result<IpAddr, String> {
    let wrong = |why: &str| {
        Err(format!(
            "{} cannot be the address of a router: {why}",
            shown(text)
        ))
    };
    if text.parse::<IpNet>().is_ok() {
        return wrong("leave the prefix length out");
    }
    match text.parse::<IpAddr>() {
        Err(_) => wrong("write an IPv4 or IPv6 address, as in 10.0.0.254"),
        Ok(address)
            if address.is_unspecified() || address.is_loopback() || address.is_multicast() =>
        {
            wrong("no host can have it")
        }
        Ok(address) => Ok(address),
    }
}

fn shown(text: &str) -> String {
    vswitch_netns::name::shown(text).replace('"', "'")
}

/// A text with a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text<T>(pub(crate) T);

impl<T> Deref for Text<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Meaning> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfText<T>(PhantomData<T>);
        impl<T: Meaning> Visitor<'_> for OfText<T> {
            type Value = Text<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::WHAT)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<T>, E> {
                T::read(text).map(Text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(OfText(PhantomData))
    }
}

impl<T: Meaning> JsonSchema for Text<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::WHAT.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        match T::PATTERN {
            Some(pattern) => json_schema!({"type": "string", "pattern": pattern}),
            None => json_schema!({"type": "string", "description": capital(T::WHAT)}),
        }
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

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
                    let value = item.0.into_inner();
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

/// A setting of the network stack, by its path below `/proc/sys`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SysctlKey(pub(crate) String);

impl SysctlKey {
    /// As in sysctl.conf(5): the first separator, '.' or '/', is the one that separates.
    fn read(text: &str) -> Result<Self, String> {
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
