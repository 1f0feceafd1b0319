//! Validates names; no other place does.
//!
//! A name consists of letters, digits, `.`, `_` and `-`, does not begin with `-` (an option) or `.`
//! (a hidden file, `..`), and is no longer than the kernel allows. A valid name is safe as a file
//! name, as an interface name, as a program argument and in a message.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest interface name in bytes (`IFNAMSIZ` without the terminating zero).
pub const MAX_INTERFACE_NAME_BYTES: usize = 15;
/// The longest namespace name in bytes: it is a file name (`NAME_MAX`).
pub const MAX_NAMESPACE_NAME_BYTES: usize = 255;

/// Reports why a name is not valid. The text shows the name escaped, and truncated if it is long.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty.
    #[error("the name of the {kind} is empty; give one of letters, digits, '.', '_' and '-'")]
    Empty {
        /// The kind of object, such as "namespace".
        kind: &'static str,
    },
    /// The name has too many bytes.
    #[error("the {kind} name {shown} has {bytes} bytes; at most {max_bytes} are allowed")]
    TooLong {
        /// The kind of object.
        kind: &'static str,
        /// The name, escaped for printing.
        shown: String,
        /// The length of the name.
        bytes: usize,
        /// The greatest length.
        max_bytes: usize,
    },
    /// The first character would make it an option or a hidden file.
    #[error("the {kind} name {shown} begins with {first:?}; begin it with a letter, digit or '_'")]
    BadStart {
        /// The kind of object.
        kind: &'static str,
        /// The name, escaped for printing.
        shown: String,
        /// The invalid character.
        first: char,
    },
    /// The name contains a character that is not allowed.
    #[error(
        "the {kind} name {shown} contains {character:?}; only letters, digits, '.', '_' and '-' \
         are allowed"
    )]
    BadCharacter {
        /// The kind of object.
        kind: &'static str,
        /// The name, escaped for printing.
        shown: String,
        /// The first invalid character.
        character: char,
    },
}

/// Checks a name of any kind against the common rules.
///
/// `kind` appears in the error (for example "switch"), and `max_bytes` is the limit for that kind
/// of name.
pub fn check(kind: &'static str, text: &str, max_bytes: usize) -> Result<(), NameError> {
    let Some(first) = text.chars().next() else {
        return Err(NameError::Empty { kind });
    };
    let bytes = text.len();
    if bytes > max_bytes {
        let shown = shown(text);
        return Err(NameError::TooLong {
            kind,
            shown,
            bytes,
            max_bytes,
        });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if let Some(character) = text.chars().find(|&c| !allowed(c)) {
        let shown = shown(text);
        return Err(NameError::BadCharacter {
            kind,
            shown,
            character,
        });
    }
    if matches!(first, '-' | '.') {
        let shown = shown(text);
        return Err(NameError::BadStart { kind, shown, first });
    }
    Ok(())
}

/// Quotes text from outside, escapes it, and truncates it so that it fits into a sentence.
#[must_use]
pub fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 40;
    let mut head: String = text.chars().take(MAX_CHARS).collect();
    if head.len() < text.len() {
        head.push('…');
    }
    format!("{head:?}")
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(String);

        impl $type {
            /// Checks `text` and stores it.
            pub fn new(text: &str) -> Result<Self, NameError> {
                check($kind, text, $max)?;
                Ok(Self(text.to_owned()))
            }

            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name_type! {
    /// A checked name of a network namespace.
    NamespaceName, "namespace", MAX_NAMESPACE_NAME_BYTES
}
name_type! {
    /// A checked name of a network interface.
    InterfaceName, "interface", MAX_INTERFACE_NAME_BYTES
}

impl InterfaceName {
    /// Names the end of a namespace's veth pair that is inside it: `NS-netns`.
    #[must_use]
    pub fn inside(namespace: &NamespaceName) -> Self {
        derived(namespace.as_str(), "-netns")
    }

    /// Names the end of a namespace's veth pair that is at the switch: `NS-vsw`.
    #[must_use]
    pub fn switch_side(namespace: &NamespaceName) -> Self {
        derived(namespace.as_str(), "-vsw")
    }

    /// Returns `text` itself if it is short enough for an interface name, else its first bytes and
    /// a hash of all of it, as for the names above. Characters that are not allowed become `_`.
    #[must_use]
    pub fn shortened(text: &str) -> Self {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let mut name = text.replace(|c| !allowed(c), "_");
        if name.is_empty() || name.starts_with(['-', '.']) {
            name.insert(0, '_');
        }
        derived(&name, "")
    }
}

/// Returns `NS` with a suffix. If that exceeds 15 bytes: the first bytes of `NS`, `_`, seven digits
/// of its hash, and the suffix.
///
/// The hash is 64-bit FNV-1a over the whole name, folded to 35 bits, in base 32. It is the same on
/// every machine and in every version, so scripts and a restarted daemon find the interface again.
fn derived(name: &str, suffix: &str) -> InterfaceName {
    if name.len() + suffix.len() <= MAX_INTERFACE_NAME_BYTES {
        return InterfaceName(format!("{name}{suffix}"));
    }
    let digits = hash_digits(name);
    let room = MAX_INTERFACE_NAME_BYTES - suffix.len() - digits.len() - 1;
    // A valid name is ASCII, so every byte is a character boundary.
    InterfaceName(format!("{}_{digits}{suffix}", &name[..room]))
}

fn hash_digits(text: &str) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let hash = text.bytes().fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    let folded = hash ^ (hash >> 35);
    let digit = |place: u32| {
        let [low, ..] = (folded >> (5 * place)).to_le_bytes();
        char::from(ALPHABET[usize::from(low & 31)])
    };
    (0..7).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_names_are_accepted() {
        for name in ["mario", "a", "A.b_c-9", "_x", "9", &"n".repeat(255)] {
            assert_eq!(NamespaceName::new(name).unwrap().as_str(), name);
        }
        assert!(InterfaceName::new("exactly-15-byte").is_ok());
    }

    #[test]
    fn invalid_names_are_refused_and_quoted() {
        let long = "x".repeat(300);
        let cases: [(&str, &str); 10] = [
            ("", "is empty"),
            ("-rf", "begins with '-'"),
            (".", "begins with '.'"),
            ("..", "begins with '.'"),
            ("a/b", "contains '/'"),
            ("../etc", "contains '/'"),
            ("a b", "contains ' '"),
            ("a\nb", "contains '\\n'"),
            ("é", "contains 'é'"),
            (&long, "has 300 bytes"),
        ];
        for (name, reason) in cases {
            let message = NamespaceName::new(name).unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
            assert!(message.len() < 200, "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
        assert!(InterfaceName::new("sixteen-bytes-xx").is_err());
    }

    #[test]
    fn derived_names_are_plain_when_they_fit() {
        let name = |text| NamespaceName::new(text).unwrap();
        assert_eq!(
            InterfaceName::inside(&name("mario")).as_str(),
            "mario-netns"
        );
        assert_eq!(
            InterfaceName::switch_side(&name("mario")).as_str(),
            "mario-vsw"
        );
        assert_eq!(
            InterfaceName::inside(&name("ninebytes")).as_str(),
            "ninebytes-netns"
        );
    }

    #[test]
    fn any_text_yields_a_valid_interface_name() {
        for (text, name) in [
            ("leaf1-spine", "leaf1-spine"),
            ("", "_"),
            ("-x", "_-x"),
            ("a b", "a_b"),
        ] {
            assert_eq!(InterfaceName::shortened(text).as_str(), name);
        }
        let long = InterfaceName::shortened("datacentre-leaf1-spine1");
        assert_eq!(InterfaceName::new(long.as_str()), Ok(long.clone()));
        assert_ne!(long, InterfaceName::shortened("datacentre-leaf1-spine2"));
    }

    #[test]
    fn long_names_are_shortened_to_stable_and_distinct_ones() {
        let one = NamespaceName::new("datacentre-rack1-host1").unwrap();
        let two = NamespaceName::new("datacentre-rack1-host2").unwrap();
        // Users' scripts contain these two names: they must never change.
        assert_eq!(InterfaceName::switch_side(&one).as_str(), "dat_dlmojke-vsw");
        assert_eq!(InterfaceName::inside(&one).as_str(), "d_dlmojke-netns");
        assert_ne!(
            InterfaceName::switch_side(&one),
            InterfaceName::switch_side(&two)
        );
        for name in [
            InterfaceName::inside(&two),
            InterfaceName::switch_side(&two),
        ] {
            assert_eq!(InterfaceName::new(name.as_str()), Ok(name));
        }
    }
}
