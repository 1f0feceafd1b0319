//! `vswitch exec`.

use std::ffi::OsString;

use clap::Args;
use vswitch_netns::name::NamespaceName;

#[derive(Debug, Args)]
#[command(
    override_usage = "vswitch exec <NS> [--] <CMD>...\n       vswitch exec --all [--] <CMD>...",
    after_help = "Example:
  vswitch exec mario -- ping -c 1 10.0.0.2
  vswitch exec --all -- sysctl -w net.ipv4.tcp_congestion_control=cubic"
)]
pub(crate) struct ExecArgs {
    /// Run the command in every named namespace, one after the other.
    #[arg(long, short)]
    all: bool,

    /// The namespace (not with --all), then the command and its arguments.
    #[arg(value_name = "NS CMD", required = true, trailing_var_arg = true)]
    #[arg(allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Where to run what.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Execution {
    /// The namespace; `None` for all of them.
    pub(crate) namespace: Option<NamespaceName>,
    /// The program.
    pub(crate) program: OsString,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
}

impl ExecArgs {
    /// Takes the words apart.
    ///
    /// # Errors
    /// A sentence, where the namespace's name is wrong or the command is missing.
    pub(crate) fn resolve(self) -> Result<Execution, String> {
        let mut words = self.words.into_iter().peekable();
        let namespace = if self.all {
            None
        } else {
            let word = words.next().unwrap_or_default();
            let name = word.to_string_lossy().parse::<NamespaceName>();
            Some(name.map_err(|error| error.to_string())?)
        };
        words.next_if(|word| word == "--");
        let program = words
            .next()
            .filter(|program| !program.is_empty())
            .ok_or("no command given: write it behind the namespace, as in 'vswitch exec mario -- ip addr'")?;
        Ok(Execution {
            namespace,
            program,
            arguments: words.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn parse(words: &str) -> Result<Execution, String> {
        match Cli::try_parse_from(words.split(' ')).map(|cli| cli.command) {
            Ok(Command::Exec(args)) => args.resolve(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_two_dashes_may_be_left_out() {
        for words in [
            "vswitch exec mario -- ping -c 1 10.0.0.2",
            "vswitch exec mario ping -c 1 10.0.0.2",
        ] {
            let execution = parse(words).unwrap();
            assert_eq!(execution.namespace.unwrap().to_string(), "mario", "{words}");
            assert_eq!(execution.program, "ping", "{words}");
            assert_eq!(execution.arguments, ["-c", "1", "10.0.0.2"], "{words}");
        }
    }

    #[test]
    fn all_takes_no_namespace() {
        for words in ["vswitch exec --all -- ls -l", "vswitch exec -a ls -l"] {
            let execution = parse(words).unwrap();
            assert_eq!(execution.namespace, None, "{words}");
            assert_eq!(execution.program, "ls", "{words}");
            assert_eq!(execution.arguments, ["-l"], "{words}");
        }
    }

    #[test]
    fn options_behind_the_command_are_the_commands() {
        let execution = parse("vswitch exec mario ls --all --runtime-dir x -- y").unwrap();
        assert_eq!(
            execution.arguments,
            ["--all", "--runtime-dir", "x", "--", "y"]
        );
    }

    #[test]
    fn a_missing_command_and_a_bad_name_are_refused() {
        assert!(parse("vswitch exec mario").is_err());
        assert!(parse("vswitch exec mario --").is_err());
        assert!(parse("vswitch exec ../x ls").is_err());
    }
}
