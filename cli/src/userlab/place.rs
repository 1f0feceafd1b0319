//! Where each command has to be to do its work.

use crate::args::{AddrAction, BenchArgs, Command, LinkAction, NetnsAction, RouteAction};
use vswitch_control::rights::{ATTACH, Capability, NAMESPACE, SWITCH};

/// What entering namespaces and sending into them takes.
const TRAFFIC: &[Capability] = &[Capability::NetRaw, Capability::SysAdmin];

/// What changing interfaces takes, also those inside namespaces.
const INTERFACES: &[Capability] = &[Capability::NetAdmin, Capability::SysAdmin];

/// What making and looking at the things of a lab file takes.
const LAB: &[Capability] = ATTACH;

/// Where a command works, if the process lacks the capabilities that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Where it is: it asks a switch through its socket, or makes namespaces of its own.
    Here,
    /// In the lab if there is one.
    Lab(&'static [Capability]),
    /// The same; made anew if all of it was killed, and what `up` has made is still on record: only
    /// inside is that the record of what is gone, and not of what the host has.
    LabOnRecord(&'static [Capability]),
    /// In the lab, which it makes if there is none.
    NewLab(&'static [Capability]),
}

/// Where this command works.
pub(super) fn of(command: &Command) -> Place {
    match command {
        // It is where the switch is that it succeeds.
        Command::Run(args) if args.successor => Place::Here,
        Command::Run(_) => Place::NewLab(SWITCH),
        Command::Up(args) if args.dry_run => Place::Lab(LAB),
        Command::Up(_) => Place::NewLab(LAB),
        Command::Down(_) => Place::LabOnRecord(LAB),
        Command::Status(_) | Command::Diff(_) => Place::Lab(LAB),
        Command::Netns(NetnsAction::Add(_)) => Place::NewLab(NAMESPACE),
        Command::Netns(NetnsAction::Del(_) | NetnsAction::List(_)) | Command::Exec(_) => {
            Place::Lab(NAMESPACE)
        }
        Command::Link(args) => match &args.action {
            Some(LinkAction::Add(_)) => Place::NewLab(INTERFACES),
            Some(LinkAction::Del(_) | LinkAction::Set(_)) => Place::Lab(INTERFACES),
            Some(LinkAction::Show(_)) | None => Place::Lab(NAMESPACE),
        },
        Command::Addr(args) => match &args.action {
            Some(AddrAction::Show(_)) | None => Place::Lab(NAMESPACE),
            Some(_) => Place::Lab(INTERFACES),
        },
        Command::Route(args) => match &args.action {
            Some(RouteAction::Show(_)) | None => Place::Lab(NAMESPACE),
            Some(_) => Place::Lab(INTERFACES),
        },
        Command::Shell(_) => Place::Lab(NAMESPACE),
        Command::Ping(_) => Place::Lab(TRAFFIC),
        Command::Bench(args) => of_bench(args),
        Command::Stop(_)
        | Command::Restart(_)
        | Command::List(_)
        | Command::Show(_)
        | Command::Attach(_)
        | Command::Detach(_)
        | Command::Port(_)
        | Command::Fdb(_)
        | Command::Events(_)
        | Command::Top(_)
        | Command::Capture(_)
        | Command::Explain(_)
        | Command::Demo(_)
        | Command::Doctor(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Schema(_)
        | Command::Supervise(_)
        | Command::Keeper(_) => Place::Here,
    }
}

fn of_bench(args: &BenchArgs) -> Place {
    if args.is_comparison() {
        Place::Here
    } else {
        Place::Lab(TRAFFIC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::Parser;

    fn place(line: &str) -> Place {
        of(&Cli::try_parse_from(line.split(' ')).unwrap().command)
    }

    #[test]
    fn what_only_looks_makes_no_lab() {
        for line in ["vswitch list", "vswitch fdb", "vswitch demo"] {
            assert_eq!(place(line), Place::Here, "{line}");
        }
        for line in ["vswitch netns list", "vswitch exec mario ls"] {
            assert_eq!(place(line), Place::Lab(NAMESPACE), "{line}");
        }
        for line in [
            "vswitch bench a b",
            "vswitch ping a b",
            "vswitch ping --all",
        ] {
            assert_eq!(place(line), Place::Lab(TRAFFIC), "{line}");
        }
        for line in ["vswitch link", "vswitch addr show", "vswitch shell mario"] {
            assert_eq!(place(line), Place::Lab(NAMESPACE), "{line}");
        }
        assert_eq!(place("vswitch link set a up"), Place::Lab(INTERFACES));
        assert_eq!(place("vswitch bench --compare"), Place::Here);
    }

    #[test]
    fn what_makes_something_makes_a_lab() {
        assert_eq!(place("vswitch run s"), Place::NewLab(SWITCH));
        assert_eq!(place("vswitch netns add mario"), Place::NewLab(NAMESPACE));
        assert_eq!(place("vswitch up lab.toml"), Place::NewLab(LAB));
        assert_eq!(place("vswitch up lab.toml --dry-run"), Place::Lab(LAB));
        assert_eq!(place("vswitch down"), Place::LabOnRecord(LAB));
        let pair = "vswitch link add a type veth peer name b";
        assert_eq!(place(pair), Place::NewLab(INTERFACES));
    }
}
