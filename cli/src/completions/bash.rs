//! Bash, which takes words apart at colons and equals signs (`COMP_WORDBREAKS`, bash(1)): it would
//! ask for the third octet of a MAC address. Here they are put together again, and from what is
//! offered that is left out which bash takes for words of their own.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use clap_complete::engine;
use clap_complete::env::EnvCompleter;

/// The number of the word that is being typed, as bash counts.
const INDEX: &str = "VSWITCH_COMPLETE_INDEX";

#[derive(Debug)]
pub(super) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == "bash"
    }

    /// `compopt` and `nosort` are of bash 4: macOS's 3.2 goes without.
    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        program: &str,
        completer: &str,
        script: &mut dyn io::Write,
    ) -> io::Result<()> {
        write!(
            script,
            r#"# bash completion of {name}
_{name}_complete() {{
    local IFS=$'\n'
    COMPREPLY=($({INDEX}="$COMP_CWORD" {variable}=bash "{completer}" -- "${{COMP_WORDS[@]}}" 2>/dev/null))
    if [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == *[=/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}}
complete -o bashdefault -o nosort -F _{name}_complete {program} 2>/dev/null ||
    complete -o bashdefault -F _{name}_complete {program}
"#
        )
    }

    fn write_complete(
        &self,
        command: &mut clap::Command,
        words: Vec<OsString>,
        directory: Option<&Path>,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let index = std::env::var(INDEX)
            .ok()
            .and_then(|index| index.parse().ok());
        let index = index.unwrap_or(words.len().saturating_sub(1));
        let (words, index) = joined(&words, index);
        let Some(typed) = words.get(index).cloned() else {
            return Ok(());
        };
        let mut found = engine::complete(command, words, index, directory)?;
        // The only name that fits is then put in, instead of listed with all the options.
        let is_option = |word: &OsStr| word.as_encoded_bytes().starts_with(b"-");
        if !is_option(&typed) && found.iter().any(|found| !is_option(found.get_value())) {
            found.retain(|found| !is_option(found.get_value()));
        }
        for candidate in &found {
            if let Some(rest) = rest(&typed, candidate.get_value()) {
                writeln!(out, "{rest}")?;
            }
        }
        Ok(())
    }
}

/// Whether bash has cut at this word.
fn is_break(word: &OsStr) -> bool {
    word == ":" || word == "="
}

/// The words with what bash has cut put together, and the number of that which was `index`.
fn joined(words: &[OsString], index: usize) -> (Vec<OsString>, usize) {
    let mut whole: Vec<OsString> = Vec::new();
    let mut new_index = 0;
    let mut goes_on = false;
    for (old_index, word) in words.iter().enumerate() {
        let is_break = is_break(word);
        match whole.last_mut() {
            // An empty word is one that a person has begun behind a space.
            Some(last) if is_break || (goes_on && !word.is_empty()) => last.push(word),
            _ => whole.push(word.clone()),
        }
        if old_index == index {
            new_index = whole.len() - 1;
        }
        goes_on = is_break;
    }
    (whole, new_index)
}

/// What of a candidate is behind the last place where bash cuts in what was typed; `None` where it
/// can't be told on a line.
fn rest<'a>(typed: &OsStr, candidate: &'a OsStr) -> Option<&'a str> {
    let (typed, candidate) = (typed.to_str()?, candidate.to_str()?);
    let cut = typed.rfind([':', '=']).map_or(0, |at| at + 1);
    let rest = candidate.get(cut..)?;
    (!rest.contains('\n')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(words: &[&str], index: usize) -> (Vec<String>, usize) {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let (words, index) = joined(&words, index);
        let text = |word: &OsString| word.to_str().unwrap().to_owned();
        (words.iter().map(text).collect(), index)
    }

    #[test]
    fn what_bash_has_cut_is_put_together() {
        let (words, index) = join(&["vswitch", "fdb", "del", "02", ":", "00", ":"], 6);
        assert_eq!((words[3].as_str(), index), ("02:00:", 3));
        let (words, index) = join(&["vswitch", "fdb", "del", "02", ":", "0"], 5);
        assert_eq!((words[3].as_str(), index), ("02:0", 3));
        let (words, index) = join(&["vswitch", "fdb", "--switch", "=", "my"], 4);
        assert_eq!((words[2].as_str(), index), ("--switch=my", 2));
        let (words, index) = join(&["vswitch", "fdb", "--switch", "=", "s", "del", ""], 6);
        assert_eq!(words, ["vswitch", "fdb", "--switch=s", "del", ""]);
        assert_eq!(index, 4);
        assert_eq!(join(&["vswitch", ""], 1).1, 1);
    }

    #[test]
    fn only_what_bash_takes_for_the_word_is_offered() {
        let rest = |typed: &str, candidate: &'static str| {
            super::rest(OsStr::new(typed), OsStr::new(candidate))
        };
        assert_eq!(rest("02:0", "02:00:00:00:00:01"), Some("00:00:00:00:01"));
        assert_eq!(rest("02:", "02:00:00:00:00:01"), Some("00:00:00:00:01"));
        assert_eq!(rest("--switch=my", "--switch=my_switch"), Some("my_switch"));
        assert_eq!(rest("ma", "mario"), Some("mario"));
        assert_eq!(rest("ma", "ma\nrio"), None);
    }
}
