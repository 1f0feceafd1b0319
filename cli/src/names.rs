//! What a switch may be called.

use std::fmt;
use std::str::FromStr;

/// The longest name of a switch, in bytes.
const MAX_LEN: usize = 64;

/// A switch's name: letters, digits, `.`, `_` and `-`, not beginning with `-` or `.`; so it is
/// safe as the name of a directory and as a word on a command line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SwitchName(String);

/// A text that cannot name a switch.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SwitchNameError {
    /// Nothing at all.
    #[error("a switch's name cannot be empty")]
    Empty,
    /// Longer than 64 bytes.
    #[error("a switch's name cannot be {0} bytes long: use at most {MAX_LEN}")]
    TooLong(usize),
    /// It begins like an option or a hidden file.
    #[error("'{0}' cannot name a switch: begin with a letter, a digit or '_'")]
    Beginning(String),
    /// Some other character is not allowed.
    #[error("'{0}' cannot name a switch: use letters, digits, '.', '_' and '-' alone")]
    Character(String),
}

impl SwitchName {
    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SwitchName {
    type Err = SwitchNameError;

    fn from_str(text: &str) -> Result<Self, SwitchNameError> {
        let shown = || text.escape_default().to_string();
        if text.is_empty() {
            return Err(SwitchNameError::Empty);
        }
        if text.len() > MAX_LEN {
            return Err(SwitchNameError::TooLong(text.len()));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !text.chars().all(allowed) {
            return Err(SwitchNameError::Character(shown()));
        }
        if text.starts_with(['-', '.']) {
            return Err(SwitchNameError::Beginning(shown()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SwitchName {
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
    fn anything_else_is_refused_by_name() {
        for name in [
            "",
            "a/b",
            "..",
            ".",
            ".hidden",
            "-x",
            "a b",
            "a\nb",
            "ü",
            &"a".repeat(65),
        ] {
            let error = name.parse::<SwitchName>().unwrap_err().to_string();
            assert!(!error.contains('\n'), "one line: {error}");
        }
        let error = "a\u{1b}[31m".parse::<SwitchName>().unwrap_err();
        assert!(!error.to_string().contains('\u{1b}'), "escaped: {error}");
    }
}
