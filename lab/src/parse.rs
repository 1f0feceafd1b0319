//! From the text of a lab file to its sections, with all that is wrong with them.
//!
//! Theory of operation. A section is read as a whole, which stops at the first mistake; so what is
//! wrong is noted, taken out, and the section read again. Whoever writes a file sees all their
//! mistakes at once.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, ValueDeserializer};

use super::file::LabFile;
use super::list::Pairs;
use super::text::{At, Meaning, Text};
use vswitch_control::near::nearest;

/// Something wrong with a lab file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where, in bytes.
    pub(crate) span: Range<usize>,
    /// What, and what to do.
    pub(crate) text: String,
}

impl Problem {
    /// At this place.
    pub(crate) fn new(span: Range<usize>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { span, text }
    }
}

type Table<'a> = DeTable<'a>;
type Entry<'a> = (Spanned<DeString<'a>>, Spanned<DeValue<'a>>);

/// Reads a lab file as far as it can be read; what cannot is told.
pub(crate) fn parse(text: &str) -> (LabFile, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors.iter().map(of_syntax).collect();
    let mut file = LabFile::default();
    if !problems.is_empty() {
        // The rest would be guesswork.
        return (file, problems);
    }
    for (key, value) in in_order(table.into_inner()) {
        match key.get_ref().as_ref() {
            "lab" => file.lab = section(value, &mut problems).unwrap_or_default(),
            "switch" => file.switch = sections(value, &mut problems),
            "host" => file.host = sections(value, &mut problems),
            "link" => file.link = list(value, &mut problems),
            other => {
                let known = ["lab", "switch", "host", "link"].map(str::to_owned);
                problems.push(Problem::new(key.span(), unknown_key(other, &known)));
            }
        }
    }
    problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
    (file, problems)
}

fn of_syntax(error: &toml::de::Error) -> Problem {
    let text = error.message().to_owned();
    Problem::new(error.span().unwrap_or_default(), text)
}

fn in_order(table: Table<'_>) -> Vec<Entry<'_>> {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// The sections of a table, by their names.
fn sections<K: Meaning, V: DeserializeOwned>(
    value: Spanned<DeValue<'_>>,
    problems: &mut Vec<Problem>,
) -> Pairs<Text<K>, V> {
    let span = value.span();
    let DeValue::Table(table) = value.into_inner() else {
        problems.push(Problem::new(span, "a table of tables is wanted here"));
        return Pairs::default();
    };
    let mut pairs = Vec::new();
    for (key, value) in in_order(table) {
        let name = K::read(key.get_ref().as_ref())
            .map_err(|wrong| problems.push(Problem::new(key.span(), wrong)));
        if let (Some(value), Ok(name)) = (section(value, problems), name) {
            pairs.push((At::new(key.span(), Text(name)), value));
        }
    }
    Pairs(pairs)
}

fn list<V: DeserializeOwned>(value: Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Vec<V> {
    let span = value.span();
    let DeValue::Array(items) = value.into_inner() else {
        let wrong = "a list is wanted here: write [[link]], with two brackets";
        problems.push(Problem::new(span, wrong));
        return Vec::new();
    };
    let read = items.into_iter().map(|item| section(item, problems));
    read.collect::<Vec<_>>().into_iter().flatten().collect()
}

/// One section. None if nothing can be made of it.
fn section<V: DeserializeOwned>(
    mut value: Spanned<DeValue<'_>>,
    problems: &mut Vec<Problem>,
) -> Option<V> {
    loop {
        let error = match V::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(section) => return Some(section),
            Err(error) => error,
        };
        let span = error.span().unwrap_or_else(|| value.span());
        let problem = Problem::new(span.clone(), in_words(error.message()));
        if !take_out(&mut value, &span) {
            problems.push(problem);
            return None;
        }
        problems.push(problem);
    }
}

/// Takes out the innermost entry at this place; whether there was one.
fn take_out(value: &mut Spanned<DeValue<'_>>, at: &Range<usize>) -> bool {
    let is_at = |span: Range<usize>| span == *at || (span.start <= at.start && at.end <= span.end);
    match value.get_mut() {
        DeValue::Table(table) => {
            let mut found = None;
            for (key, value) in table.iter_mut() {
                if take_out(value, at) {
                    return true;
                }
                if key.span() == *at || is_at(value.span()) {
                    found = Some(key.clone());
                }
            }
            found.is_some_and(|key| table.remove(&key).is_some())
        }
        DeValue::Array(items) => {
            if items.iter_mut().any(|item| take_out(item, at)) {
                return true;
            }
            let found = items.iter().position(|item| is_at(item.span()));
            let Some(found) = found else { return false };
            *items = items
                .clone()
                .into_iter()
                .enumerate()
                .filter(|(index, _)| *index != found)
                .map(|(_, item)| item)
                .collect();
            true
        }
        _ => false,
    }
}

/// What serde says, as one would say it.
fn in_words(message: &str) -> String {
    let known = || -> Vec<String> {
        let words = message.split('`').skip(1).step_by(2).skip(1);
        words.map(str::to_owned).collect()
    };
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let name = rest.split('`').next().unwrap_or_default();
        return unknown_key(name, &known());
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        let name = rest.split('`').next().unwrap_or_default();
        return format!("'{name}' is not one of '{}'", known().join("', '"));
    }
    if let Some(rest) = message.strip_prefix("missing field `") {
        let name = rest.split('`').next().unwrap_or_default();
        return format!("'{name}' is missing here");
    }
    for start in ["invalid type: ", "invalid value: "] {
        if let Some((found, wanted)) = message
            .strip_prefix(start)
            .and_then(|rest| rest.split_once(", expected "))
        {
            return format!(
                "{} is wanted here, not {}",
                kind(wanted),
                found.replace('`', "'")
            );
        }
    }
    message.to_owned()
}

/// What the standard library calls a kind of value, in words.
fn kind(wanted: &str) -> &str {
    match wanted {
        "u32" | "i64" => "a whole number",
        "a boolean" => "true or false",
        "a string" => "a text",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

fn unknown_key(name: &str, known: &[String]) -> String {
    let near = nearest(name, known.iter().map(String::as_str));
    let name = vswitch_control::plain::text(name);
    match near {
        Some(candidate) => format!("unknown key '{name}': did you mean '{candidate}'?"),
        None => format!(
            "unknown key '{name}': known here are '{}'",
            known.join("', '")
        ),
    }
}
