//! Texts in a lab file that mean something, and the places of values.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::ops::{Deref, Range};

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use vswitch_netns::{InterfaceName, NamespaceName};

use super::file::{HostAddress, Network, Station};
use super::scalar::SysctlKey;
use vswitch_control::names::{LabName, SwitchName};
use vswitch_control::values;

/// A value and where in the file it is.
#[derive(Clone, Debug)]
pub(crate) struct At<T>(toml::Spanned<T>);

impl<T> At<T> {
    /// A value at this place.
    pub(crate) fn new(span: Range<usize>, value: T) -> Self {
        Self(toml::Spanned::new(span, value))
    }

    /// The value.
    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
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
    values::unambiguous(text)?;
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
    values::unambiguous(text)?;
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

pub(super) fn shown(text: &str) -> String {
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
