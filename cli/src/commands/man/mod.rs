//! `vswitch man`: manual pages, from the same source as the help.

mod page;

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use clap::{Command, CommandFactory};

use crate::args::{Cli, ManArgs};
use crate::render;

pub(crate) fn run(args: &ManArgs) -> anyhow::Result<()> {
    let root = definition();
    if let Some(dir) = &args.dir {
        return write_all(&root, dir);
    }
    let mut found = &root;
    for word in &args.command {
        found = match found.find_subcommand(word) {
            Some(child) if !child.is_hide_set() => child,
            _ => bail!(
                "there is no command '{}': 'vswitch --help' lists all commands",
                vswitch_control::plain::text(&args.command.join(" "))
            ),
        };
    }
    render::print(&page::render(&root, found)?)?;
    Ok(())
}

/// The command line, with all that clap itself adds but the `help` commands, which the pages
/// replace.
fn definition() -> Command {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    root
}

/// What the page of a command is called: `vswitch-port-add`.
fn page_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or("vswitch")
}

fn write_all(root: &Command, dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir)
        .with_context(|| format!("cannot make the directory {}", dir.display()))?;
    let mut pages = Vec::new();
    pages_of(root, &mut pages);
    for command in pages {
        let name = page_name(command);
        let path = dir.join(format!("{name}.1"));
        fs::write(&path, page::render(root, command)?)
            .with_context(|| format!("cannot write the manual page {}", path.display()))?;
    }
    Ok(())
}

/// The command and all below it that a person may use.
fn pages_of<'a>(command: &'a Command, found: &mut Vec<&'a Command>) {
    found.push(command);
    for child in command
        .get_subcommands()
        .filter(|child| !child.is_hide_set())
    {
        pages_of(child, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_options_and_examples() {
        let dir = crate::testing::directory().unwrap();
        let dir = dir.path().join("man1");
        let root = definition();
        write_all(&root, &dir).unwrap();
        let mut pages = Vec::new();
        pages_of(&root, &mut pages);
        assert!(pages.len() > 20, "{}", pages.len());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), pages.len());
        for command in pages {
            let name = page_name(command);
            let text = fs::read_to_string(dir.join(format!("{name}.1"))).unwrap();
            assert!(text.contains(".TH"), "{name}: {text}");
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SEE ALSO"] {
                assert!(
                    text.contains(&format!(".SH \"{section}\""))
                        || text.contains(&format!(".SH {section}")),
                    "{name}: {section}: {text}"
                );
            }
            let has_example = command.get_after_help().is_some();
            assert_eq!(text.contains(".SH EXAMPLES"), has_example, "{name}");
        }
    }
}
