//! Labs: what `up` does, how a lab and its file differ, and what condition a lab is in.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::table::{BAD, FAINT, GOOD, HEADING, WARNING, paint};
use vswitch_control::names::LabName;
use vswitch_control::plain;
use vswitch_lab::{Difference, Held, Intent, Key, Plan, Present, Spec};

/// A number of things, in words.
pub(crate) fn number(count: usize, one: &str, several: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        more => format!("{more} {several}"),
    }
}

/// What a plan does, a line for each thing: '+' for what comes, '-' for what goes, '~' for what
/// changes.
pub(crate) fn differences(plan: &Plan, present: &Present) -> String {
    let mut text = String::new();
    for (key, (difference, from, to)) in plan.differences() {
        let why = present.get(key).and_then(|held| held.broken.as_deref());
        text.push_str(&line(key, difference, from, to, why));
        text.push('\n');
    }
    text
}

/// Between a description and a reason.
const fn dash(description: &str) -> &'static str {
    if description.is_empty() {
        "made again:"
    } else {
        " – made again:"
    }
}

fn line(
    key: &Key,
    difference: Difference,
    from: Option<&Spec>,
    to: Option<&Spec>,
    why: Option<&str>,
) -> String {
    let plain = |text: String| plain::text(&text).into_owned();
    let key = plain(key.to_string());
    let why = why.map(plain::text);
    let spec = |spec: Option<&Spec>| spec.map(|spec| plain(spec.to_string())).unwrap_or_default();
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) if from != to && why.is_none() => {
            let (from, to) = from.versus(to);
            (plain(from), plain(to))
        }
        (from, to) => (spec(from), spec(to)),
    };
    let described = |mark: &str, style, text: String| {
        let colon = if text.is_empty() { "" } else { ": " };
        format!("{} {key}{colon}{text}", paint(style, mark))
    };
    match (difference, why) {
        (Difference::Make, _) => described("+", GOOD, to),
        (Difference::Remove, _) => described("-", BAD, from),
        (Difference::Replace, Some(why)) => {
            described("+", GOOD, format!("{to}{} {why}", dash(&to)))
        }
        (Difference::Change | Difference::Replace, _) if from == to => described(
            "~",
            WARNING,
            "made again, with what it depends on".to_owned(),
        ),
        (Difference::Change, _) => described("~", WARNING, format!("{from} → {to}")),
        (Difference::Replace, _) => described("~", WARNING, format!("{from} → {to} (made again)")),
    }
}

/// What a plan does, for machines.
pub(crate) fn plan_json(intent: &Intent) -> Value {
    let changes: Vec<Value> = intent
        .plan
        .differences()
        .into_iter()
        .map(|(key, (difference, from, to))| {
            let mut change = json!(key);
            change["change"] = json!(difference);
            change["from"] = from.map_or(Value::Null, |spec| json!(spec));
            change["to"] = to.map_or(Value::Null, |spec| json!(spec));
            let held = intent.present.get(key);
            change["because"] = json!(held.and_then(|held| held.broken.clone()));
            change
        })
        .collect();
    json!({"lab": intent.lab.name.as_str(), "changes": changes})
}

/// How a lab is.
pub(crate) struct Condition {
    /// The lab.
    pub(crate) name: LabName,
    /// The file that it was made from.
    pub(crate) file: PathBuf,
    /// All that it is made of.
    pub(crate) things: Present,
}

impl Condition {
    /// Whether nothing is missing.
    pub(crate) fn is_whole(&self) -> bool {
        self.things.values().all(|held| held.broken.is_none())
    }

    fn missing(&self) -> usize {
        let broken = self.things.values().filter(|held| held.broken.is_some());
        broken.count()
    }

    /// For machines.
    pub(crate) fn json(&self) -> Value {
        let things: Vec<Value> = self
            .things
            .iter()
            .map(|(key, held)| {
                let mut thing = json!(key);
                thing["spec"] = json!(held.spec);
                thing["missing"] = json!(held.broken);
                thing
            })
            .collect();
        json!({
            "name": self.name.as_str(),
            "file": self.file,
            "whole": self.is_whole(),
            "things": things,
        })
    }
}

/// How a lab is, a line for each thing.
pub(crate) fn condition(condition: &Condition) -> String {
    let state = match condition.missing() {
        0 => paint(GOOD, "up"),
        missing => paint(BAD, format!("{missing} missing")),
    };
    let mut text = format!(
        "{}  {state}  {}\n",
        paint(HEADING, &condition.name),
        paint(FAINT, plain::path(&condition.file))
    );
    for (key, held) in &condition.things {
        text.push_str("  ");
        text.push_str(&thing(key, held));
        text.push('\n');
    }
    if condition.missing() > 0 {
        text.push_str("  'vswitch up' with its file mends it\n");
    }
    text
}

fn thing(key: &Key, held: &Held) -> String {
    let (key, spec) = (key.to_string(), held.spec.to_string());
    let (key, spec) = (plain::text(&key), plain::text(&spec));
    let colon = if spec.is_empty() { "" } else { ": " };
    match &held.broken {
        None => format!("{} {key}{colon}{spec}", paint(GOOD, "✓")),
        Some(why) => format!(
            "{} {key}{colon}{spec} – {}",
            paint(BAD, "✗"),
            paint(BAD, plain::text(why))
        ),
    }
}
