//! `vswitch completions`.

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(after_help = "Example: install for your next shells
  vswitch completions bash # into ~/.local/share/bash-completion/completions/vswitch
  vswitch completions zsh  # into a directory of your fpath, as _vswitch
  vswitch completions fish # into ~/.config/fish/completions/vswitch.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: ShellArg,
}

/// A shell that can be told how to complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShellArg {
    /// GNU Bash, 3.2 and later
    Bash,
    /// Elvish
    Elvish,
    /// fish
    Fish,
    /// `PowerShell`
    Powershell,
    /// zsh
    Zsh,
}

impl ShellArg {
    /// As on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Elvish => "elvish",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
            Self::Zsh => "zsh",
        }
    }
}
