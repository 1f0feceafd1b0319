//! Completion of command lines, with the names of what there is at the moment.
//!
//! # Theory of operation
//!
//! The script of a shell ([`script`]) asks this program itself at each press of the key, with
//! [`VARIABLE`] set and the words so far as arguments. `clap`'s engine then goes by the same
//! definition as the parser ([`crate::args`]), in which every argument that names something
//! living has been given a look-up ([`kinds`], [`live`]). What fails or takes too long completes to
//! nothing: whoever types is never kept waiting, nor told of errors in the middle of a line.

mod bash;
mod ip_words;
mod kinds;
mod live;

use std::env;
use std::ffi::OsString;
use std::io;

use clap::CommandFactory;
use clap_complete::env::{CompleteEnv, Elvish, Fish, Powershell, Shells, Zsh};

use crate::args::{Cli, ShellArg};

/// Set by the scripts, to the name of the shell that asks.
const VARIABLE: &str = "VSWITCH_COMPLETE";
/// What is completed, and who is asked; by its name, so that the script outlives an update.
const PROGRAM: &str = "vswitch";
/// Put behind the script of zsh, which loads a file of its `fpath` when it is first asked, by calling
/// it: that call has to complete already.
const ZSH_FIRST_CALL: &str = r#"
if [[ "${funcstack[1]-}" == "_vswitch" ]]; then
    _clap_dynamic_completer_vswitch "$@"
fi
"#;
const SHELLS: Shells<'static> = Shells(&[&bash::Bash, &Elvish, &Fish, &Powershell, &Zsh]);

/// Answers a shell that asks for completions; whether it was one that asked. To be called before
/// the first thread is started.
pub(crate) fn answer() -> bool {
    if env::var_os(VARIABLE).is_none_or(|shell| shell.is_empty() || shell == "0") {
        return false;
    }
    let words: Vec<OsString> = env::args_os().collect();
    let typed = words.iter().skip_while(|word| *word != "--").skip(1);
    let typed: Vec<OsString> = typed.cloned().collect();
    live::Live::of(&typed).look_around();
    let asked = CompleteEnv::with_factory(|| definition(&typed))
        .var(VARIABLE)
        .bin(PROGRAM)
        .completer(PROGRAM)
        .shells(SHELLS)
        .try_complete(words, env::current_dir().ok().as_deref());
    // Nobody can be told in the middle of a line.
    drop(asked);
    true
}

/// What a shell has to run to complete.
///
/// # Errors
/// None where it is written to memory.
pub(crate) fn script(shell: ShellArg) -> io::Result<String> {
    let mut script = Vec::new();
    if let Some(shell) = SHELLS.completer(shell.as_str()) {
        shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    }
    let script = String::from_utf8(script).map_err(io::Error::other)?;
    let first_call = match shell {
        ShellArg::Zsh => ZSH_FIRST_CALL,
        _ => "",
    };
    Ok(format!("{}\n{first_call}", script.trim()))
}

/// The command line's definition with look-ups for what has been typed so far.
fn definition(typed: &[OsString]) -> clap::Command {
    kinds::attach(Cli::command(), &live::Live::of(typed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn there_is_a_script_for_every_shell() {
        for shell in ShellArg::value_variants() {
            let script = script(*shell).unwrap();
            assert!(script.contains(VARIABLE), "{shell:?}: {script}");
            assert!(script.contains(shell.as_str()), "{shell:?}: {script}");
            assert!(!script.starts_with('\n') && script.ends_with('\n'));
        }
        // What is in the first line says to zsh that it is a completion at all.
        let zsh = script(ShellArg::Zsh).unwrap();
        assert!(zsh.starts_with("#compdef vswitch\n"), "{zsh}");
        // clap's function is called by its name.
        let (defined, called) = zsh.split_once("funcstack").unwrap();
        assert!(defined.contains("function _clap_dynamic_completer_vswitch()"));
        assert!(called.contains("_clap_dynamic_completer_vswitch \"$@\""));
    }

    /// What the engine offers behind `line`, whose last word is being typed.
    fn offered(line: &str) -> Vec<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let mut command = definition(&words);
        let index = words.len() - 1;
        let found = clap_complete::engine::complete(&mut command, words, index, None).unwrap();
        let text =
            |c: &clap_complete::CompletionCandidate| c.get_value().to_string_lossy().into_owned();
        found.iter().map(text).collect()
    }

    #[test]
    fn commands_and_options_are_offered() {
        assert_eq!(offered("vswitch atta"), ["attach"]);
        let options = offered("vswitch attach mario --");
        assert!(options.contains(&"--mtu".to_owned()), "{options:?}");
        assert_eq!(offered("vswitch run s --receive so"), ["socket"]);
        let all = offered("vswitch run s --");
        assert!(!all.contains(&"--detached".to_owned()), "{all:?}");
    }

    #[test]
    fn the_command_behind_exec_is_sought_where_a_shell_seeks_it() {
        let commands = offered("vswitch exec mario cargo");
        assert!(commands.contains(&"cargo".to_owned()), "{commands:?}");
        let commands = offered("vswitch exec mario -- cargo");
        assert!(commands.contains(&"cargo".to_owned()), "{commands:?}");
    }
}
