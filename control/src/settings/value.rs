//! The types of settings: how each is written, and what it can be.

use std::fmt;

use ipnet::IpNet;
use vswitch_switch::bridge::VlanLearning;
use vswitch_switch::port::ReceivePath;

use super::schema::Kind;
use crate::metrics;
use crate::values;

/// The value of a setting.
pub trait Value: fmt::Debug {
    /// As on the command line.
    fn text(&self) -> String;
}

/// A type of settings.
pub(super) trait Parse: Value + Sized {
    /// What a value can be.
    const KIND: Kind;

    /// The value that these words of a command line stand for.
    ///
    /// # Errors
    /// A sentence, where they stand for none.
    fn parse(words: &str) -> Result<Self, String>;
}

/// A whole number within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Number<MIN, MAX> {
    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> Value for Number<MIN, MAX> {
    fn text(&self) -> String {
        self.0.to_string()
    }
}

impl<const MIN: u32, const MAX: u32> Parse for Number<MIN, MAX> {
    const KIND: Kind = Kind::Number { min: MIN, max: MAX };

    fn parse(words: &str) -> Result<Self, String> {
        let number: i64 = words.parse().map_err(|error| in_words(&error))?;
        let fitting = u32::try_from(number).ok();
        let fitting = fitting.filter(|number| (MIN..=MAX).contains(number));
        fitting
            .map(Self)
            .ok_or_else(|| format!("{number} is not in the range {MIN} to {MAX}"))
    }
}

fn in_words(error: &std::num::ParseIntError) -> String {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    match error.kind() {
        PosOverflow => "it is too large",
        NegOverflow => "it is too small",
        _ => "it is not a whole number",
    }
    .to_owned()
}

/// A number of frames or entries that is not exceeded; zero is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<const MAX: u32 = { u32::MAX }>(u32);

impl<const MAX: u32> Limit<MAX> {
    /// The limit; zero is none.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<const MAX: u32> Value for Limit<MAX> {
    fn text(&self) -> String {
        match self.0 {
            0 => "off".to_owned(),
            limit => limit.to_string(),
        }
    }
}

impl<const MAX: u32> Parse for Limit<MAX> {
    const KIND: Kind = Kind::Limit { max: MAX };

    fn parse(words: &str) -> Result<Self, String> {
        match words {
            "off" => Ok(Self(0)),
            // Whoever writes 0 may well mean that nothing passes.
            "0" => Err("a limit is at least 1; 'off' is no limit".to_owned()),
            number => {
                let number = number.parse().ok().filter(|number| *number <= MAX);
                number
                    .map(Self)
                    .ok_or_else(|| format!("a limit is a number up to {MAX}, or 'off'"))
            }
        }
    }
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YesNo(pub bool);

impl Value for YesNo {
    fn text(&self) -> String {
        self.0.to_string()
    }
}

impl Parse for YesNo {
    const KIND: Kind = Kind::Flag {
        yes: "true",
        no: "false",
    };

    fn parse(words: &str) -> Result<Self, String> {
        let wrong = |_| "say 'true' or 'false'".to_owned();
        words.parse().map(Self).map_err(wrong)
    }
}

/// Whether something is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnOff(pub bool);

impl Value for OnOff {
    fn text(&self) -> String {
        if self.0 { "on" } else { "off" }.to_owned()
    }
}

impl Parse for OnOff {
    const KIND: Kind = Kind::Flag {
        yes: "on",
        no: "off",
    };

    fn parse(words: &str) -> Result<Self, String> {
        match words {
            "on" => Ok(Self(true)),
            "off" => Ok(Self(false)),
            _ => Err("say 'on' or 'off'".to_owned()),
        }
    }
}

impl Value for VlanLearning {
    fn text(&self) -> String {
        self.to_string()
    }
}

impl Parse for VlanLearning {
    const KIND: Kind = Kind::OneOf(&[
        (Self::Shared.as_str(), ""),
        (Self::Independent.as_str(), ""),
    ]);

    fn parse(words: &str) -> Result<Self, String> {
        let wrong = |error: <Self as std::str::FromStr>::Err| error.to_string();
        words.parse().map_err(wrong)
    }
}

/// One of some words.
macro_rules! words {
    ($(#[$meta:meta])* $type:ident { $($(#[$also:meta])* $variant:ident = $word:literal: $help:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $type {
            $(#[doc = $help] $(#[$also])* $variant,)*
        }

        impl $type {
            /// As on the command line.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl Value for $type {
            fn text(&self) -> String {
                self.as_str().to_owned()
            }
        }

        impl Parse for $type {
            const KIND: Kind = Kind::OneOf(&[$(($word, $help)),*]);

            fn parse(words: &str) -> Result<Self, String> {
                match words {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(concat!("use one of:", $(" '", $word, "'",)*).to_owned()),
                }
            }
        }
    };
}

words! {
    /// How frames come from the kernel.
    Receive {
        #[default]
        Auto = "auto": "The fastest way that the kernel gives",
        Ring = "ring": "A ring of memory that the kernel fills; without it, no port can be opened",
        Socket = "socket": "The socket's queue, read by recvmmsg",
    }
}

impl Receive {
    /// As a port takes it.
    pub const fn path(self) -> ReceivePath {
        match self {
            Self::Auto => ReceivePath::Auto,
            Self::Ring => ReceivePath::Ring,
            Self::Socket => ReceivePath::Socket,
        }
    }
}

words! {
    /// Whether a switch gives up the rights that it does not need.
    GuardMode {
        #[default]
        Auto = "auto": "What the kernel allows; the rest is a warning",
        Required = "required": "Everything, or the switch does not start",
        Off = "off": "Nothing",
    }
}

/// A subnet from which hosts get addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet(pub IpNet);

impl Value for Subnet {
    fn text(&self) -> String {
        self.0.to_string()
    }
}

impl Parse for Subnet {
    const KIND: Kind = Kind::Text {
        what: "a subnet, such as 10.0.0.0/24",
    };

    fn parse(words: &str) -> Result<Self, String> {
        values::subnet(words).map(Self)
    }
}

/// A group of users, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(pub u32);

impl Value for Group {
    fn text(&self) -> String {
        self.0.to_string()
    }
}

impl Parse for Group {
    const KIND: Kind = Kind::Numbered {
        what: "the name or number of a group",
    };

    fn parse(words: &str) -> Result<Self, String> {
        values::group(words).map(Self)
    }
}

impl Value for metrics::Address {
    fn text(&self) -> String {
        self.option()
    }
}

impl Parse for metrics::Address {
    const KIND: Kind = Kind::Text {
        what: "an address of metrics, such as 127.0.0.1:9464 or unix:/PATH",
    };

    fn parse(words: &str) -> Result<Self, String> {
        words.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_to_their_range_and_say_it() {
        type Small = Number<2, 9>;
        assert_eq!(Small::parse("9").unwrap().get(), 9);
        assert_eq!(
            Small::parse("1").unwrap_err(),
            "1 is not in the range 2 to 9"
        );
        assert_eq!(
            Small::parse("-1").unwrap_err(),
            "-1 is not in the range 2 to 9"
        );
        let large = "99999999999999999999";
        assert_eq!(Small::parse(large).unwrap_err(), "it is too large");
        assert_eq!(Small::parse("x").unwrap_err(), "it is not a whole number");
        assert_eq!(Small::parse("").unwrap_err(), "it is not a whole number");
    }

    #[test]
    fn off_is_zero_and_zero_is_refused() {
        assert_eq!(<Limit>::parse("off").unwrap().get(), 0);
        assert_eq!(<Limit>::parse("12").unwrap().text(), "12");
        assert_eq!(<Limit>::parse("off").unwrap().text(), "off");
        for wrong in ["0", "-1", "many", ""] {
            assert!(<Limit>::parse(wrong).is_err(), "{wrong}");
        }
        let told = Limit::<253>::parse("254").unwrap_err();
        assert_eq!(told, "a limit is a number up to 253, or 'off'");
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for way in ["auto", "ring", "socket"] {
            assert_eq!(Receive::parse(way).unwrap().text(), way);
        }
        assert_eq!(OnOff::parse("off").unwrap(), OnOff(false));
        assert!(OnOff::parse("maybe").is_err() && GuardMode::parse("yes").is_err());
        assert_eq!(YesNo::parse("true").unwrap().text(), "true");
    }
}
