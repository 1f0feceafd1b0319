//! One manual page (man(7)).

use std::io;

use clap::Command;
use clap_mangen::Man;
use roff::{Roff, bold, roman};

/// What is told on the page of the program itself.
const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "Success."),
    (
        "1",
        "Failure: a sentence on standard error says what failed, why, and what to do.",
    ),
    ("2", "Wrong usage."),
];
const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "VSWITCH_RUNTIME_DIR",
        "The directory of the switches' control sockets.",
    ),
    (
        "XDG_RUNTIME_DIR",
        "Where that directory is for an ordinary user, if it is not given.",
    ),
    (
        "VSWITCH_RECEIVE",
        "How frames come from the kernel; see vswitch-run(1).",
    ),
    ("NO_COLOR", "If set, nothing is coloured."),
    (
        "RUST_LOG",
        "How much a switch logs: error, warn, info, debug or trace.",
    ),
    (
        "NOTIFY_SOCKET",
        "Where a switch in the foreground tells a service manager that it is ready.",
    ),
];
const FILES: &[(&str, &str)] = &[
    (
        "/run/vswitch/NAME/control.sock",
        "The control socket of the switch NAME of root.",
    ),
    (
        "/run/netns",
        "The named network namespaces, the same as those of ip-netns(8).",
    ),
];

/// The page of `command`, which is `root` or below it.
///
/// # Errors
/// None where it is written to memory.
pub(super) fn render(root: &Command, command: &Command) -> io::Result<String> {
    let name = command.get_bin_name().unwrap_or(root.get_name());
    let words: Vec<&str> = name.split(' ').collect();
    let version = root.get_version().unwrap_or_default();
    let man = Man::new(command.clone())
        .title(words.join("-").to_uppercase())
        .section("1")
        .source(format!("vswitch {version}"))
        .manual("vswitch");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.get_subcommands().any(|child| !child.is_hide_set()) {
        man.render_subcommands_section(&mut text)?;
    }
    if let Some(after) = command.get_after_help() {
        examples(&after.to_string()).to_writer(&mut text)?;
    }
    if words.len() == 1 {
        for (heading, terms) in [
            ("EXIT STATUS", EXIT_STATUS),
            ("ENVIRONMENT", ENVIRONMENT),
            ("FILES", FILES),
        ] {
            definitions(heading, terms).to_writer(&mut text)?;
        }
    }
    see_also(root, &words).to_writer(&mut text)?;
    String::from_utf8(text).map_err(io::Error::other)
}

/// What stands below a command's help: prose at the left, command lines indented, which are kept
/// as they are.
fn examples(after: &str) -> Roff {
    let mut page = Roff::new();
    page.control("SH", ["EXAMPLES"]);
    let mut is_open = false;
    for line in after.lines() {
        let is_line = line.starts_with("  ");
        if is_line != is_open {
            for control in if is_line { ["RS", "nf"] } else { ["fi", "RE"] } {
                page.control(control, if control == "RS" { Some("4") } else { None });
            }
            is_open = is_line;
        }
        let text = if is_line { &line[2..] } else { prose(line) };
        if !text.is_empty() {
            page.text([roman(text)]);
        }
    }
    if is_open {
        page.control("fi", None).control("RE", None);
    }
    page
}

/// The heading says already that it is an example.
fn prose(line: &str) -> &str {
    match line.split_once(':') {
        Some(("Example" | "Examples", rest)) => rest.trim(),
        _ => line,
    }
}

fn definitions(heading: &str, terms: &[(&str, &str)]) -> Roff {
    let mut page = Roff::new();
    page.control("SH", [heading]);
    for (term, meaning) in terms {
        page.control("TP", None);
        page.text([bold(*term)]);
        page.text([roman(*meaning)]);
    }
    page
}

/// The pages of the command above and of those beside.
fn see_also(root: &Command, words: &[&str]) -> Roff {
    let mut pages: Vec<String> = Vec::new();
    let above = &words[..words.len().saturating_sub(1)];
    if above.is_empty() {
        let children = root.get_subcommands().filter(|child| !child.is_hide_set());
        pages.extend(children.map(|child| format!("vswitch-{}", child.get_name())));
    } else {
        pages.extend((1..=above.len()).map(|len| above[..len].join("-")));
    }
    let mut page = Roff::new();
    page.control("SH", ["SEE ALSO"]);
    let mut line = Vec::new();
    for name in &pages {
        line.extend([bold(name.as_str()), roman("(1), ")]);
    }
    line.extend([bold("ip-netns"), roman("(8), "), bold("veth"), roman("(4)")]);
    page.text(line);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_kept_as_they_are() {
        let text =
            examples("Example: one\n  vswitch a\n  vswitch b -x\nand then\n  vswitch c").render();
        let expected = "one\n.RS 4\n.nf\nvswitch a\nvswitch b \\-x\n.fi\n.RE\nand then\n.RS 4\n.nf\nvswitch c\n.fi\n.RE\n";
        assert!(text.ends_with(expected), "{text}");
    }
}
