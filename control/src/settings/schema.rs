//! What is known of a setting, and of all settings of a table.

use std::fmt;

use serde_json::Value as Json;

use super::value::Value;

/// One setting, as its table declares it.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a column of the table of settings"
)]
pub struct Setting {
    /// The key in lab files. The flag is the same, with `-` for `_`.
    pub name: &'static str,
    /// What it does, in lines as they stand in the table.
    pub lines: &'static [&'static str],
    /// What it can be set to.
    pub kind: Kind,
    /// What the value is called in help texts.
    pub value_name: &'static str,
    /// Its value where it is not set, as on the command line. None where there is no single one.
    pub default: Option<fn() -> String>,
    /// What holds where it is not set and there is no single value.
    pub otherwise: &'static str,
    /// What a number counts.
    pub unit: &'static str,
    /// Its key in JSON: in the control protocol, in `show --json` and on disk.
    pub key: &'static str,
    /// The JSON object that holds it there, if it is not at the top.
    pub object: Option<&'static str>,
    /// Its key on disk before format 2, where that was another.
    pub former_key: Option<&'static str>,
    /// Whether it can be changed while the switch runs.
    pub live: bool,
    /// Whether `show` has it under its key. Other things are shown in the place of some.
    pub shown: bool,
    /// Whether `show` has a line of its own for it.
    pub has_line: bool,
    /// Whether it gives rights away: a state on disk alone is not believed about it.
    pub granted: bool,
    /// Whether it is a label of the metrics of a port.
    pub label: bool,
    /// A JSON value that sets it back, besides null where the table takes null for that.
    pub none: Option<fn() -> Json>,
    /// The value of the bare flag, where the flag needs none.
    pub bare: Option<&'static str>,
    /// The environment variable that has it where the flag is not given.
    pub variable: Option<&'static str>,
    /// The heading in help texts, if not the usual one.
    pub heading: Option<&'static str>,
}

/// What a setting can be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Number {
        /// The lowest.
        min: u32,
        /// The highest.
        max: u32,
    },
    /// A number from 1, or `off`, which is 0 in JSON.
    Limit {
        /// The highest.
        max: u32,
    },
    /// Yes or no, by these words on the command line.
    Flag {
        /// The word for true.
        yes: &'static str,
        /// The word for false.
        no: &'static str,
    },
    /// One of some words, each with its meaning; that is empty where the help has it.
    OneOf(&'static [(&'static str, &'static str)]),
    /// A text with a form of its own.
    Text {
        /// What it is, with an article.
        what: &'static str,
    },
    /// A text, or the number that it stands for, which it is in JSON.
    Numbered {
        /// What it is, with an article.
        what: &'static str,
    },
}

/// A single value of a file or of JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A whole number.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// A text.
    Text(String),
    /// Something else, in words.
    Other(String),
}

impl Setting {
    /// A setting of which no more is said.
    pub const fn new(name: &'static str, lines: &'static [&'static str], kind: Kind) -> Self {
        Self {
            name,
            lines,
            kind,
            value_name: "N",
            default: None,
            otherwise: "",
            unit: "",
            key: name,
            object: None,
            former_key: None,
            live: false,
            shown: true,
            has_line: false,
            granted: false,
            label: false,
            none: None,
            bare: None,
            variable: None,
            heading: None,
        }
    }

    /// The long flag, without its dashes.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// What is written on the command line as `text`, as it is in JSON.
    pub fn json(&self, text: String) -> Json {
        match self.kind {
            Kind::Number { .. } | Kind::Numbered { .. } => {
                text.parse::<u64>().map_or(Json::String(text), Json::from)
            }
            Kind::Limit { .. } => Json::from(text.parse::<u64>().unwrap_or(0)),
            Kind::Flag { yes, .. } => Json::from(text == yes),
            Kind::OneOf(_) | Kind::Text { .. } => Json::String(text),
        }
    }

    /// What it does, as one paragraph.
    pub fn help(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(|line| line.trim()).collect();
        lines.join(" ")
    }

    /// What holds where it is not set.
    pub fn default_text(&self) -> Option<String> {
        let otherwise = || (!self.otherwise.is_empty()).then(|| self.otherwise.to_owned());
        self.default.map(|default| default()).or_else(otherwise)
    }

    /// The value of a file as it would be on the command line. `name` is what the file calls it, and
    /// `zero_is_off` whether 0 is no limit.
    ///
    /// # Errors
    /// A sentence, where it is of another kind or out of range.
    pub fn word(&self, name: &str, scalar: &Scalar, zero_is_off: bool) -> Result<String, String> {
        match (self.kind, scalar) {
            (Kind::Limit { .. }, Scalar::Number(0)) if zero_is_off => Ok("off".to_owned()),
            (Kind::Number { min, max }, Scalar::Number(number)) if *number >= 0 => {
                in_range(name, *number, min, max, "")
            }
            (Kind::Limit { max }, Scalar::Number(number)) if *number >= 0 => {
                in_range(name, *number, 1, max, ", or 'off' for no limit")
            }
            (Kind::Limit { .. }, Scalar::Text(text)) if text == "off" => Ok(text.clone()),
            (Kind::Flag { yes, no }, Scalar::Flag(flag)) => {
                Ok(if *flag { yes } else { no }.to_owned())
            }
            (Kind::Numbered { .. }, Scalar::Number(number)) => Ok(number.to_string()),
            (Kind::OneOf(words), Scalar::Text(text)) => {
                let mut words = words.iter().map(|(word, _)| *word);
                if words.clone().any(|word| word == text) {
                    return Ok(text.clone());
                }
                let first = words.next().unwrap_or_default();
                let all = words.fold(first.to_owned(), |all, word| format!("{all}', '{word}"));
                Err(format!("'{}' is none of '{all}'", crate::plain::text(text)))
            }
            (Kind::Text { .. } | Kind::Numbered { .. }, Scalar::Text(text)) => Ok(text.clone()),
            (kind, other) => Err(format!("{} is wanted here, not {other}", kind.in_words())),
        }
    }
}

/// The word for a number that is from `min` to `max`.
fn in_range(name: &str, number: i64, min: u32, max: u32, or: &str) -> Result<String, String> {
    if (i64::from(min)..=i64::from(max)).contains(&number) {
        return Ok(number.to_string());
    }
    Err(format!(
        "'{name}' cannot be {number}: choose {min} to {max}{or}"
    ))
}

impl Kind {
    /// What is wanted in a file, with an article.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Number { .. } => "a whole number",
            Self::Limit { .. } => "a whole number or \"off\"",
            Self::Flag { .. } => "true or false",
            Self::OneOf(_) => "a text",
            Self::Text { what } | Self::Numbered { what } => what,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "integer '{number}'"),
            Self::Flag(flag) => write!(f, "boolean '{flag}'"),
            Self::Text(text) => write!(f, "string \"{}\"", crate::plain::text(text)),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// The settings of one table. Each is optional.
pub trait Schema: Clone + Default + PartialEq + fmt::Debug + Send + Sync + 'static {
    /// All of them, in their order.
    const ALL: &'static [Setting];
    /// Whether null sets a setting back in the control protocol. If not, it leaves it as it is.
    const NULL_SETS_BACK: bool;

    /// What `setting` is set to.
    fn value(&self, setting: &Setting) -> Option<&dyn Value>;

    /// Sets `setting` to what these words of a command line stand for.
    ///
    /// # Errors
    /// A sentence, where they stand for nothing.
    fn set(&mut self, setting: &Setting, words: &str) -> Result<(), String>;

    /// Has `setting` as it is in `other`, be it set or not.
    fn copy(&mut self, setting: &Setting, other: &Self);

    /// The setting of this name.
    fn setting(name: &str) -> Option<&'static Setting> {
        Self::ALL.iter().find(|setting| setting.name == name)
    }

    /// What `setting` is set to, as on the command line.
    fn text(&self, setting: &Setting) -> Option<String> {
        self.value(setting).map(Value::text)
    }

    /// All that is set, each with its value as on the command line.
    fn texts(&self) -> impl Iterator<Item = (&'static Setting, String)> {
        let all = Self::ALL.iter();
        all.filter_map(|setting| Some((setting, self.text(setting)?)))
    }

    /// Whether nothing is set.
    fn is_empty(&self) -> bool {
        Self::ALL
            .iter()
            .all(|setting| self.value(setting).is_none())
    }

    /// Takes over what `other` sets and this does not.
    fn fill(&mut self, other: &Self) {
        for setting in Self::ALL {
            if self.value(setting).is_none() {
                self.copy(setting, other);
            }
        }
    }

    /// With all that has a default and is not set at its default.
    #[must_use]
    fn or_default(mut self) -> Self {
        for setting in Self::ALL {
            if let (None, Some(default)) = (self.value(setting), setting.default) {
                let taken = self.set(setting, &default());
                debug_assert_eq!(taken, Ok(()), "the default of {}", setting.name);
            }
        }
        self
    }
}

/// Makes a structure of a table of settings.
macro_rules! settings {
    (
        $(#[$meta:meta])*
        struct $schema:ident, null_sets_back: $null:literal;
        $(
            $(#[doc = $line:literal])*
            $name:ident: $type:ty { $($attribute:ident: $value:expr),* $(,)? }
        )*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $schema {
            $(
                $(#[doc = $line])*
                pub $name: Option<$type>,
            )*
        }

        impl $crate::settings::Schema for $schema {
            const ALL: &'static [$crate::settings::Setting] = &[$(
                $crate::settings::Setting {
                    $($attribute: $value,)*
                    ..$crate::settings::Setting::new(
                        stringify!($name),
                        &[$($line),*],
                        <$type as $crate::settings::value::Parse>::KIND,
                    )
                },
            )*];
            const NULL_SETS_BACK: bool = $null;

            fn value(
                &self,
                setting: &$crate::settings::Setting,
            ) -> Option<&dyn $crate::settings::Value> {
                match setting.name {
                    $(stringify!($name) => self
                        .$name
                        .as_ref()
                        .map(|value| -> &dyn $crate::settings::Value { value }),)*
                    _ => None,
                }
            }

            fn set(
                &mut self,
                setting: &$crate::settings::Setting,
                words: &str,
            ) -> Result<(), String> {
                match setting.name {
                    $(stringify!($name) => {
                        self.$name = Some(<$type as $crate::settings::value::Parse>::parse(words)?);
                    })*
                    _ => {}
                }
                Ok(())
            }

            fn copy(&mut self, setting: &$crate::settings::Setting, other: &Self) {
                match setting.name {
                    $(stringify!($name) => self.$name.clone_from(&other.$name),)*
                    _ => {}
                }
            }
        }

        impl serde::Serialize for $schema {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::settings::json::of(self).serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $schema {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let members = serde::Deserialize::deserialize(from)?;
                $crate::settings::json::read(&members).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use settings;
