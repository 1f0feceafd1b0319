//! Which argument names what.

use std::ffi::OsStr;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use clap_complete::{PathCompleter, engine::ValueCompleter};

use super::ip_words::IpWords;
use super::live::Live;

/// What an argument names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A switch that runs.
    Switch,
    /// A named namespace.
    Namespace,
    /// A port of a switch.
    Port,
    /// A namespace or a port.
    Station,
    /// A station of the MAC table.
    Mac,
    /// An interface of this namespace.
    Interface,
    /// A namespace, then a command with its arguments.
    Execution,
    /// Words in the manner of iproute2.
    IpWords,
}

/// What the argument `id` of the command `path` ("port add") names, if it is something living.
fn kind_of(path: &str, id: &str, value: &str) -> Option<Kind> {
    Some(match (path, id) {
        ("exec", "words") => Kind::Execution,
        // Names of what is to be made.
        ("netns add" | "run", "names" | "name") => return None,
        ("stop" | "show" | "explain" | "top", "name") | (_, "switch") => Kind::Switch,
        ("fdb del", "mac") => Kind::Mac,
        ("ping" | "bench", "hosts" | "from" | "to" | "target" | "source" | "destination") => {
            Kind::Namespace
        }
        ("capture", "ports") | ("explain", "port" | "ports") => Kind::Station,
        (path, "words") if is_of_ip(path) => Kind::IpWords,
        ("port del", "interface") | (_, "port" | "ports") => Kind::Port,
        (_, "namespace" | "netns") => Kind::Namespace,
        (_, "interface" | "dev") => Kind::Interface,
        _ if value == "NS" => Kind::Namespace,
        _ if value == "PORT" => Kind::Port,
        _ if value == "IFACE" || value == "DEV" => Kind::Interface,
        _ => return None,
    })
}

/// Whether the command is one of those that have iproute2's words.
fn is_of_ip(path: &str) -> bool {
    let family = path.split(' ').next();
    family.is_some_and(|family| ["link", "addr", "route"].contains(&family))
}

/// Gives every argument that names something living its look-up.
pub(super) fn attach(command: Command, live: &Live) -> Command {
    attach_below(command, "", live)
}

fn attach_below(command: Command, path: &str, live: &Live) -> Command {
    let command = command.mut_args(|arg| {
        let value = arg.get_value_names().and_then(|names| names.first());
        let value = value.map(ToString::to_string).unwrap_or_default();
        match kind_of(path, arg.get_id().as_str(), &value) {
            Some(kind) => with_look_up(arg, kind, path, live.clone()),
            None => arg,
        }
    });
    let names: Vec<String> = command
        .get_subcommands()
        .map(|child| child.get_name().to_owned())
        .collect();
    names.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}").trim_start().to_owned();
        command.mut_subcommand(name, |child| attach_below(child, &path, live))
    })
}

fn with_look_up(arg: Arg, kind: Kind, path: &str, live: Live) -> Arg {
    match kind {
        Kind::Switch => arg.add(ArgValueCandidates::new(move || live.switches())),
        Kind::Namespace => arg.add(ArgValueCandidates::new(move || live.namespaces())),
        Kind::Port => arg.add(ArgValueCandidates::new(move || live.ports())),
        Kind::Station => arg.add(ArgValueCandidates::new(move || {
            let mut found = live.ports();
            found.extend(live.namespaces());
            found
        })),
        Kind::Mac => arg.add(ArgValueCandidates::new(move || live.macs())),
        Kind::Interface => arg.add(ArgValueCandidates::new(move || live.interfaces())),
        Kind::Execution => arg.add(ArgValueCompleter::new(Execution(live))),
        Kind::IpWords => {
            let path = path.to_owned();
            arg.add(ArgValueCompleter::new(IpWords { path, live }))
        }
    }
}

/// Completes what is behind `vswitch exec`.
struct Execution(Live);

impl ValueCompleter for Execution {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        match self.0.words_before("exec", &["--all", "-a"]) {
            0 => starting_with(current, self.0.namespaces()),
            1 if !current.as_encoded_bytes().contains(&b'/') => {
                starting_with(current, self.0.commands())
            }
            _ => PathCompleter::any().complete(current),
        }
    }
}

/// Those of `candidates` that `current` is the beginning of.
pub(super) fn starting_with(
    current: &OsStr,
    mut candidates: Vec<CompletionCandidate>,
) -> Vec<CompletionCandidate> {
    let start = current.as_encoded_bytes();
    candidates.retain(|c| c.get_value().as_encoded_bytes().starts_with(start));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    use crate::args::Cli;

    /// The arguments whose value is one of these have a look-up, wherever a new command has them.
    fn forgotten(command: &Command, path: &str, found: &mut Vec<String>) {
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let value = arg.get_value_names().and_then(|names| names.first());
            let value = value.map(ToString::to_string).unwrap_or_default();
            let names_something = ["NS", "IFACE", "PORT"].contains(&value.as_str());
            let has_look_up = arg.get::<ArgValueCandidates>().is_some();
            if names_something && !has_look_up && path != "netns add" {
                found.push(format!("{path}: {value}"));
            }
        }
        for child in command.get_subcommands() {
            let path = format!("{path} {}", child.get_name());
            forgotten(child, path.trim_start(), found);
        }
    }

    #[test]
    fn whatever_names_a_thing_has_a_look_up() {
        let command = attach(Cli::command(), &Live::of(&[]));
        let mut found = Vec::new();
        forgotten(&command, "", &mut found);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn arguments_are_told_apart_by_their_commands() {
        assert_eq!(
            kind_of("port add", "interface", "IFACE"),
            Some(Kind::Interface)
        );
        assert_eq!(kind_of("port del", "interface", "IFACE"), Some(Kind::Port));
        assert_eq!(kind_of("netns add", "names", "NS"), None);
        assert_eq!(kind_of("netns del", "names", "NS"), Some(Kind::Namespace));
        assert_eq!(kind_of("run", "name", "NAME"), None);
        assert_eq!(kind_of("show", "name", "NAME"), Some(Kind::Switch));
        assert_eq!(kind_of("attach", "mac", "MAC"), None);
    }
}
