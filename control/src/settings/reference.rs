//! The reference page of the documentation.

use std::fmt::Write;

use super::schema::{Kind, Schema, Setting};
use super::{PortSettings, SwitchSettings};

const HEAD: &str = "\
<!-- Generated: vswitch schema --reference > docs/settings.md -->

# Settings

Every setting of a switch and of a port. A flag is the key of a lab file with `-` for `_`: `--max-macs 8` and
`max_macs = 8`. `off` is a text in lab files (`broadcast_limit = \"off\"`), and `on` and `off` of a
flag such as `--loop-guard` are `true` and `false` there. In JSON, that is in the
[control protocol](control-protocol.md), in `vswitch show --json` and on disk, `off` is 0.
";

const SWITCH: &str = "
## Of a switch

Flags of `vswitch run`, keys of `[switch.NAME]` in a [lab file](labs.md). What is *live* can be changed
while the switch runs, by `vswitch up` after an edit of the lab file and by `set` of the control protocol; all else
holds until the switch is stopped. A switch keeps its settings until it is stopped: a restart or a crash does not
reset them.
";

const PORT: &str = "
## Of a port

Flags of `vswitch port set`, `vswitch port add` and `vswitch attach`, keys of `[host.NAME]` and of each
`interface` in a [lab file](labs.md), parameters of `port.set` in the control protocol. All are live. `default`
resets one (`vswitch port set mario --max-macs default`; null in JSON). They are kept as long as the port is.
";

/// The page, as Markdown.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    page.push_str(SWITCH);
    page.push_str(&table::<SwitchSettings>());
    page.push_str(PORT);
    page.push_str(&table::<PortSettings>());
    page
}

fn table<S: Schema>() -> String {
    let mut text = String::new();
    for setting in S::ALL {
        let live = if setting.live { "" } else { " Not live." };
        let default = setting.default_text().unwrap_or_default();
        let default = match setting.default {
            Some(_) => format!("`{default}`"),
            None => default,
        };
        let variable = setting
            .variable
            .map(|variable| format!(" Environment variable: `{variable}`."));
        // Text that is written to a string does not fail.
        let _ = write!(
            text,
            "\n### `{}`\n\n{}{live}{}\n\n- Value: {}\n- Default: {default}\n{}",
            setting.name,
            setting.help(),
            variable.unwrap_or_default(),
            values(setting),
            in_json(setting),
        );
    }
    text
}

fn values(setting: &Setting) -> String {
    let unit = match setting.unit {
        "" => String::new(),
        unit => format!(" {unit}"),
    };
    match setting.kind {
        Kind::Number { min, max } => format!("{min} to {max}{unit}"),
        Kind::Limit { max } => format!("1 to {max}{unit}, or `off`"),
        Kind::Flag { yes, no } => format!("`{yes}` or `{no}`"),
        Kind::OneOf(words) => {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            words.join(", ")
        }
        Kind::Text { what } | Kind::Numbered { what } => what.to_owned(),
    }
}

fn in_json(setting: &Setting) -> String {
    match (setting.object, setting.key) {
        (Some(object), key) => format!("- JSON: `{key}` in `{object}`\n"),
        (None, key) if key != setting.name => format!("- JSON: `{key}`\n"),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_published_reference_is_up_to_date() {
        let published = include_str!("../../../docs/settings.md");
        assert!(
            published == super::reference(),
            "run: vswitch schema --reference > docs/settings.md"
        );
    }
}
