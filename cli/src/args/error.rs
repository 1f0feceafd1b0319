//! What is told about wrong usage: one sentence instead of clap's paragraphs.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use vswitch_control::near::nearest;

/// The sentence for `error`, or `None` where it is no error but help or the version, which
/// clap prints itself.
pub(crate) fn usage_sentence(error: &clap::Error, words: &[String]) -> Option<String> {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return None,
        _ => {}
    }
    if let Some(sentence) = unknown_command(error, words) {
        return Some(sentence);
    }
    let text = error.render().to_string();
    let told: Vec<&str> = text
        .split("\n\n")
        .take_while(|part| !part.starts_with("Usage:") && !part.starts_with("For more"))
        // No name and no number here begins with a dash: passing it as a value would not help.
        .filter(|part| !part.trim_start().starts_with("tip: to pass"))
        .collect();
    let sentence = told
        .join("; ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let sentence = sentence.strip_prefix("error: ").unwrap_or(&sentence);
    Some(format!(
        "{}; see '{} --help'",
        in_words(sentence.trim_end_matches('.')),
        command_words(words)
    ))
}

/// What is told of a command that is none. Clap's own hints know short forms that no help shows.
fn unknown_command(error: &clap::Error, words: &[String]) -> Option<String> {
    use clap::CommandFactory;
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let before = words.iter().take_while(|word| *word != typed);
    let mut parent = super::Cli::command();
    for word in before {
        if let Some(found) = parent.find_subcommand(word) {
            parent = found.clone();
        }
    }
    let known = parent
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let hint = nearest(typed, known.map(clap::Command::get_name))
        .map(|near| format!("did you mean '{near}'? "));
    Some(format!(
        "there is no command '{}': {}'{} --help' lists all commands",
        vswitch_control::plain::text(typed),
        hint.unwrap_or_default(),
        command_words(words)
    ))
}

/// What the standard library says of numbers, in words that do not presume a programmer.
fn in_words(sentence: &str) -> String {
    let mut told = sentence.to_owned();
    for jargon in [
        "invalid digit found in string",
        "cannot parse integer from empty string",
    ] {
        told = told.replace(jargon, "it is not a whole number");
    }
    told = told.replace("number too large to fit in target type", "it is too large");
    match told.split_once("..=") {
        Some((low, high)) if told.contains(" is not in ") => {
            format!("{low} to {high}").replace(" is not in ", " is not in the range ")
        }
        _ => told,
    }
}

/// `vswitch` with the command, and its command, that were asked for.
fn command_words(words: &[String]) -> String {
    use clap::CommandFactory;
    let mut command = super::Cli::command();
    let mut path = vec!["vswitch".to_owned()];
    for word in words {
        let Some(found) = command.find_subcommand(word) else {
            continue;
        };
        path.push(word.clone());
        command = found.clone();
    }
    path.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::Parser;

    fn sentence(line: &str) -> Option<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let error = Cli::try_parse_from(&words).unwrap_err();
        usage_sentence(&error, &words[1..])
    }

    #[test]
    fn wrong_usage_is_told_in_one_line() {
        for line in [
            "vswitch run",
            "vswitch run a/b",
            "vswitch attach mario --mtu 5",
            "vswitch attach mario --ip 10.0.0.0/24",
            "vswitch frobnicate",
            "vswitch port add",
            "vswitch show --jsn",
        ] {
            let told = sentence(line).unwrap();
            assert!(!told.contains('\n'), "{told}");
            assert!(told.contains(" --help'"), "{told}");
        }
        assert_eq!(
            sentence("vswitch run a/b").unwrap(),
            "invalid value 'a/b' for '<NAME>': the switch name \"a/b\" contains '/'; only letters, \
             digits, '.', '_' and '-' are allowed; see 'vswitch run --help'"
        );
    }

    #[test]
    fn numbers_are_judged_in_words() {
        let cases = [
            ("vswitch attach m --mtu abc", "not a whole number"),
            ("vswitch attach m --mtu=", "not a whole number"),
            ("vswitch bench a b --time 99999999999999999999", "too large"),
            (
                "vswitch run s --ageing 0",
                "0 is not in the range 1 to 1000000;",
            ),
            ("vswitch attach m --ip foo", "write an IPv4 or IPv6 address"),
            ("vswitch attach m --ip 10.0.0.7", "as in 10.0.0.7/24"),
            ("vswitch attach m --ip fd00::1", "as in fd00::1/64"),
        ];
        for (line, words) in cases {
            let told = sentence(line).unwrap();
            assert!(told.contains(words), "{line}: {told}");
        }
        assert!(
            !sentence("vswitch attach m --mtu -1")
                .unwrap()
                .contains("tip")
        );
    }

    #[test]
    fn a_command_that_was_nearly_typed_is_named() {
        let cases = [
            (
                "vswitch rnu x",
                "there is no command 'rnu': did you mean 'run'? 'vswitch --help' lists",
            ),
            (
                "vswitch port lsit",
                "there is no command 'lsit': did you mean 'list'? 'vswitch",
            ),
            (
                "vswitch frobnicate",
                "there is no command 'frobnicate': 'vswitch --help' lists",
            ),
        ];
        for (line, words) in cases {
            let told = sentence(line).unwrap();
            assert!(told.starts_with(words), "{line}: {told}");
        }
    }

    #[test]
    fn help_is_not_an_error() {
        assert_eq!(sentence("vswitch --help"), None);
        assert_eq!(sentence("vswitch run --help"), None);
    }
}
