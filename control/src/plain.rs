//! Text from outside, so that a terminal shows it and does nothing else with it.
//!
//! The kernel lets interfaces and files have nearly any name, frames carry names of hosts, and the
//! process behind a control socket may be anybody's. [`text`] makes of such text one that has no control
//! characters (ESC begins what moves the cursor, sets titles, types), nothing that turns the direction of
//! writing around, nothing invisible and no end of a line: what is left out is written as its code, as in
//! `\x1b`. All that goes to a terminal or into a log passes through this module twice:
//!
//! - where it is put into words: a name by [`text`] or [`path`], a whole view by [`view`];
//! - on the way out, where colours are wanted and all else is not: [`styled`], in `render::print`.
//!
//! Errors and log lines, which have no colours of their own, pass through [`text`] as a whole. JSON
//! keeps every character, written as an escape where a terminal would act on it: [`json`].

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Whether a terminal just shows it, where it stands.
fn is_plain(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // The standard library knows what cannot be seen (controls, formats with the marks of direction
    // among them, separators, what is not assigned); it also counts marks that combine with what
    // stands before.
    let mut escaped = c.escape_debug();
    escaped.next() == Some(c)
}

fn escape(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str(r"\n"),
        '\t' => out.push_str(r"\t"),
        '\r' => out.push_str(r"\r"),
        // Writing to a string does not fail.
        c if c.is_ascii() => drop(write!(out, "\\x{:02x}", u32::from(c))),
        c => out.extend(c.escape_unicode()),
    }
}

/// The text on one line, with all that a terminal would act on written as its code.
pub fn text(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(|c| !is_plain(c)) else {
        return Cow::Borrowed(text);
    };
    let (good, rest) = text.split_at(first);
    let mut out = good.to_owned();
    for c in rest.chars() {
        if is_plain(c) {
            out.push(c);
        } else {
            escape(c, &mut out);
        }
    }
    Cow::Owned(out)
}

/// The same of bytes, of which those that are no UTF-8 are written as `\xff`.
pub fn bytes(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(&text(chunk.valid()));
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// The same of a path.
pub fn path(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    bytes(path.as_os_str().as_bytes())
}

/// The same of every text in a view.
pub fn view<T: Serialize + DeserializeOwned>(view: T) -> T {
    let Ok(mut value) = serde_json::to_value(&view) else {
        return view;
    };
    if !tidy(&mut value) {
        return view;
    }
    // What is not a text, such as an address, has nothing to be written in another way.
    serde_json::from_value(value).unwrap_or(view)
}

/// Whether anything was written in another way.
fn tidy(value: &mut Value) -> bool {
    match value {
        Value::String(string) => match text(string) {
            Cow::Borrowed(_) => false,
            Cow::Owned(plain) => {
                *string = plain;
                true
            }
        },
        Value::Array(values) => values
            .iter_mut()
            .fold(false, |any, value| tidy(value) | any),
        Value::Object(members) => {
            let mut any = false;
            let tidied = std::mem::take(members).into_iter().map(|(key, mut value)| {
                any |= tidy(&mut value);
                let plain = text(&key).into_owned();
                any |= plain != key;
                (plain, value)
            });
            *members = tidied.collect();
            any
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Lines with colours, and without anything else that a terminal would act on.
pub fn styled(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| is_plain(c) || c == '\n') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match colour(rest) {
            Some(length) => {
                out.push_str(&rest[..length]);
                length
            }
            None if is_plain(c) || c == '\n' => {
                out.push(c);
                c.len_utf8()
            }
            None => {
                escape(c, &mut out);
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    Cow::Owned(out)
}

/// The length of the sequence at the beginning that selects colours (ECMA-48, 8.3.117), if there is
/// one.
fn colour(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("\x1b[")?;
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
    (end <= 16 && rest[end..].starts_with('m')).then_some("\x1b[".len() + end + 1)
}

/// JSON with the same values, in which nothing stands that a terminal would act on. (What is below
/// 0x20 is escaped in all JSON, and such characters stand in texts alone.)
pub fn json(json: &str) -> Cow<'_, str> {
    let is_kept = |c: char| is_plain(c) || c == '\n';
    if json.chars().all(is_kept) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_kept(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    Cow::Owned(out)
}

/// What tests feed to all that puts text from outside into words.
#[doc(hidden)]
pub mod hostile {
    /// Names that a terminal would act on.
    pub const NAMES: [&str; 10] = [
        "a\x1b[31m",
        "\x1b]0;title\x07",
        "\x1b[2J\x1b[H",
        "\u{9b}31mx",
        "del\x7f\x08\x08",
        "two\nlines",
        "back\rwards\t",
        "\u{202e}evil\u{2066}",
        "sep\u{2028}\u{2029}\u{85}",
        "in\u{200b}vis\u{feff}ible",
    ];

    /// Asserts that nothing of `name` is in `told` that a terminal would act on; colours and ends of
    /// lines are the teller's own, unless the name has brought them.
    ///
    /// # Panics
    /// Where there is.
    #[track_caller]
    pub fn assert_harmless(told: &str, name: &str) {
        for line in told.lines() {
            let plain = anstream::adapter::strip_str(line).to_string();
            assert_eq!(super::text(&plain), plain, "{name:?} in {line:?}");
        }
        assert!(!told.contains(name), "{name:?} in {told:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for plain in [
            "mario-vsw",
            "10.0.0.1/24",
            r"C:\x1b",
            "naïve – ü ✓ 日本 “x” 🙂",
            "",
        ] {
            assert!(
                matches!(text(plain), Cow::Borrowed(same) if same == plain),
                "{plain}"
            );
            assert_eq!(styled(plain), plain);
            assert_eq!(json(plain), plain);
            assert_eq!(bytes(plain.as_bytes()), plain);
        }
    }

    #[test]
    fn whatever_a_terminal_acts_on_is_written_as_its_code() {
        for (from, to) in [
            ("a\x1b[31m", r"a\x1b[31m"),
            ("\0\x07\x08\x7f", r"\x00\x07\x08\x7f"),
            ("a\nb\rc\td", r"a\nb\rc\td"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("\u{202e}x\u{2066}", r"\u{202e}x\u{2066}"),
            ("\u{2028}\u{2029}\u{85}", r"\u{2028}\u{2029}\u{85}"),
            (
                "\u{200b}\u{200f}\u{feff}\u{61c}",
                r"\u{200b}\u{200f}\u{feff}\u{61c}",
            ),
            ("\u{e0041}\u{fff9}", r"\u{e0041}\u{fff9}"),
        ] {
            assert_eq!(text(from), to);
        }
        assert_eq!(bytes(b"a\xff\xfe\x1bz\xc3"), r"a\xff\xfe\x1bz\xc3");
        assert_eq!(path(Path::new("/run/a\nb")), r"/run/a\nb");
        // The rule itself, for every character there is.
        let acted_on = |c: char| {
            c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
                || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
        };
        for c in (0..=0x10_ffff)
            .filter_map(char::from_u32)
            .filter(|c| acted_on(*c))
        {
            assert!(!is_plain(c), "{c:?}");
        }
    }

    #[test]
    fn colours_pass_on_the_way_out_and_nothing_else() {
        assert_eq!(styled("\x1b[1;31mx\x1b[0m\n"), "\x1b[1;31mx\x1b[0m\n");
        for (from, to) in [
            ("\x1b[2Jx", r"\x1b[2Jx"),
            ("\x1b]0;t\x07", r"\x1b]0;t\x07"),
            ("\x1b[", r"\x1b["),
            ("\x1b[31", r"\x1b[31"),
            ("\x1b[?25l", r"\x1b[?25l"),
            ("\x1b[1\x1b[31m", "\\x1b[1\x1b[31m"),
            ("a\rb\u{9b}m", r"a\rb\u{9b}m"),
        ] {
            assert_eq!(styled(from), to);
        }
    }

    #[test]
    fn json_says_the_same_in_other_letters() {
        for name in hostile::NAMES.into_iter().chain(["\u{e0041}"]) {
            let written = serde_json::to_string_pretty(&[name]).unwrap();
            let shown = json(&written);
            assert!(shown.chars().all(|c| is_plain(c) || c == '\n'), "{shown}");
            let read: [String; 1] = serde_json::from_str(&shown).unwrap();
            assert_eq!(read, [name]);
        }
    }

    #[test]
    fn a_view_is_tidied_in_every_corner() {
        let given = serde_json::json!({"a\x1b": ["b\n", {"c": "\u{202e}", "d": 1}], "e": null});
        let expected =
            serde_json::json!({"a\\x1b": ["b\\n", {"c": "\\u{202e}", "d": 1}], "e": null});
        assert_eq!(view(given), expected);
    }
}
