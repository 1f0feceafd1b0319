//! A prompt that names the namespace, whatever the user's own settings are.
//!
//! # Theory of operation
//!
//! A shell reads its settings when it starts, and the prompt is one of them. So it is given
//! settings that read the user's own first and then put the namespace's name before the prompt.
//! They are files of a tmpfs that is mounted nowhere any more: the shell reaches them through an
//! open directory (`/proc/self/fd/N`), which it closes when it has read them. Then they are gone,
//! however the shell ends.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use nix::fcntl::{FcntlArg, fcntl};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// The highest descriptor that every shell can close.
const CLOSABLE: i32 = 9;

/// Where the directory is for the moment: what is mounted there is not seen outside.
const PLACE: &str = "/sys";

/// What a shell reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bash,
    Zsh,
    Fish,
    /// All that read the file that ENV names (POSIX.1-2024, sh): dash, ksh, busybox.
    Posix,
    /// Nothing that is known.
    Other,
}

impl Kind {
    fn of(program: &Path) -> Self {
        let name = program.file_name().and_then(|name| name.to_str());
        match name.unwrap_or_default() {
            "bash" | "rbash" => Self::Bash,
            "zsh" => Self::Zsh,
            "fish" => Self::Fish,
            "sh" | "dash" | "ash" | "busybox" | "ksh" | "ksh93" | "mksh" | "yash" => Self::Posix,
            _ => Self::Other,
        }
    }
}

/// Has the shell that `command` starts name the namespace in its prompt.
///
/// The calling process has a mount namespace of its own, and is about to become the shell.
pub(super) fn name_namespace(command: &mut Command, namespace: &str) -> io::Result<()> {
    let mark = format!("[{namespace}] ");
    match Kind::of(Path::new(command.get_program())) {
        Kind::Bash => {
            let directory = directory_of("bashrc", |fd| bash(&mark, fd))?;
            command.arg("--rcfile").arg(format!("{directory}/bashrc"));
        }
        Kind::Zsh => {
            let own = env::var("ZDOTDIR").ok();
            let directory = directory_of(".zshenv", |fd| zsh(&mark, own.as_deref(), fd))?;
            command.env("ZDOTDIR", directory);
        }
        Kind::Posix => {
            let own = env::var("ENV").ok().filter(|file| !file.is_empty());
            let directory = directory_of("shrc", |fd| posix(&mark, own.as_deref(), fd))?;
            command.env("ENV", format!("{directory}/shrc"));
        }
        Kind::Fish => {
            command.arg("--init-command").arg(fish(&mark));
        }
        Kind::Other => {}
    }
    Ok(())
}

/// Makes a directory that has no place in the file system, with one file in it, and gives the
/// path by which it is reached. `text` is given the descriptor, if the shell can close it.
fn directory_of(name: &str, text: impl FnOnce(Option<i32>) -> String) -> io::Result<String> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let options = Some("size=64k,mode=0700");
    mount(Some("vswitch"), PLACE, Some("tmpfs"), flags, options)?;
    let filled = (|| {
        let directory = fs::File::open(PLACE)?;
        // Without FD_CLOEXEC: the shell inherits it.
        let fd = fcntl(&directory, FcntlArg::F_DUPFD(3))?;
        let closable = Some(fd).filter(|fd| *fd <= CLOSABLE);
        fs::write(Path::new(PLACE).join(name), text(closable))?;
        Ok(format!("/proc/self/fd/{fd}"))
    })();
    umount2(PLACE, MntFlags::MNT_DETACH)?;
    filled
}

/// The line that closes the descriptor.
fn close(fd: Option<i32>) -> String {
    fd.map_or(String::new(), |fd| format!("exec {fd}<&-\n"))
}

fn bash(mark: &str, fd: Option<i32>) -> String {
    format!(
        r#"if [ -r ~/.bashrc ]; then . ~/.bashrc; fi
_vswitch_prompt() {{ case $PS1 in '{mark}'*) ;; *) PS1='{mark}'$PS1 ;; esac; }}
_vswitch_prompt
PROMPT_COMMAND="${{PROMPT_COMMAND:+$PROMPT_COMMAND
}}_vswitch_prompt"
{}"#,
        close(fd)
    )
}

/// Read first of all files, whoever starts the shell: it puts everything back, so that zsh reads
/// the user's files where it would have done without it.
fn zsh(mark: &str, own: Option<&str>, fd: Option<i32>) -> String {
    let restore = match own {
        Some(directory) => format!("export ZDOTDIR={}", quoted(directory)),
        None => "unset ZDOTDIR".to_owned(),
    };
    format!(
        r"{restore}
{}if [[ -r ${{ZDOTDIR:-$HOME}}/.zshenv ]]; then source ${{ZDOTDIR:-$HOME}}/.zshenv; fi
_vswitch_prompt() {{ case $PROMPT in '{mark}'*) ;; *) PROMPT='{mark}'$PROMPT ;; esac; }}
typeset -ga precmd_functions
precmd_functions+=(_vswitch_prompt)
",
        close(fd)
    )
}

fn posix(mark: &str, own: Option<&str>, fd: Option<i32>) -> String {
    let restore = match own {
        // The shell would have expanded the parameters in it.
        Some(file) => format!(
            "ENV={}\nexport ENV\nif [ -r {1} ]; then . {1}; fi",
            quoted(file),
            expanded(file)
        ),
        None => "unset ENV".to_owned(),
    };
    format!("{restore}\nPS1='{mark}'${{PS1:-'$ '}}\n{}", close(fd))
}

fn fish(mark: &str) -> String {
    format!(
        "functions --copy fish_prompt _vswitch_own_prompt; \
         function fish_prompt; echo -n '{mark}'; _vswitch_own_prompt; end"
    )
}

/// The text as one word of a shell, as it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The text as one word of a shell, in which parameters are expanded and nothing is run.
fn expanded(text: &str) -> String {
    let escaped = text
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('`', "\\`")
        .replace("$(", "\\$(");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_are_known_by_their_names() {
        for (path, kind) in [
            ("/bin/bash", Kind::Bash),
            ("/usr/local/bin/zsh", Kind::Zsh),
            ("fish", Kind::Fish),
            ("/bin/sh", Kind::Posix),
            ("/usr/bin/python3", Kind::Other),
        ] {
            assert_eq!(Kind::of(Path::new(path)), kind, "{path}");
        }
    }

    #[test]
    fn what_the_user_has_set_is_no_program() {
        assert_eq!(quoted("a'b"), r"'a'\''b'");
        assert_eq!(expanded("$HOME/.x"), "\"$HOME/.x\"");
        assert_eq!(expanded("`id`$(id)\""), "\"\\`id\\`\\$(id)\\\"\"");
    }

    #[test]
    fn the_directory_is_closed_where_that_can_be_said() {
        assert!(bash("[m] ", Some(3)).ends_with("exec 3<&-\n"));
        assert!(!posix("[m] ", None, None).contains("exec"));
    }
}
