//! What a switch may be called.

use std::fmt;
use std::str::FromStr;

use vswitch_netns::name::{NameError, check};

/// The longest name of a switch, in bytes: it is a part of its socket's path.
const MAX_LEN: usize = 64;

/// A switch's name: letters, digits, `.`, `_` and `-`, not beginning with `-` or `.`; so it is
/// safe as the name of a directory and as a word on a command line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SwitchName(String);

impl SwitchName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SwitchName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check("switch", text, MAX_LEN)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SwitchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A lab's name: as a switch's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabName(String);

impl LabName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LabName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check("lab", text, MAX_LEN)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_taken() {
        for name in ["my_switch", "s1", "_x", "lab-2.east", &"a".repeat(64)] {
            assert_eq!(name.parse::<SwitchName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn anything_else_is_refused_in_one_line() {
        for name in [
            "",
            "a/b",
            "..",
            "-x",
            "a b",
            "a\nb",
            "\u{1b}[31m",
            &"a".repeat(65),
        ] {
            let error = name.parse::<SwitchName>().unwrap_err().to_string();
            assert!(!error.contains(['\n', '\u{1b}']), "{error}");
        }
    }
}
