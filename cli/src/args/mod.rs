//! The command line as plain data: nothing is done here, nothing is looked up.
//!
//! Values that are wrong by themselves (a name with a slash, an MTU of 5) are wrong usage, and
//! never reach a command.

mod addr;
mod bench;
mod capture;
mod completions;
mod demo;
mod doctor;
mod error;
mod events;
mod exec;
mod explain;
mod fdb;
mod keeper;
mod lab;
mod link;
mod man;
mod netns;
mod order;
mod ping;
mod port;
mod route;
mod run;
mod settings;
mod shell;
mod show;
mod top;
mod up;
mod words;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use addr::{AddrAction, AddrArgs, AddrFilter, Written};
pub(crate) use bench::{Bench, BenchArgs, BenchTest, CompareArgs, PairArgs, Rival};
pub(crate) use capture::CaptureArgs;
pub(crate) use completions::{CompletionsArgs, ShellArg};
pub(crate) use demo::DemoArgs;
pub(crate) use doctor::{DoctorArgs, TrialRights};
pub(crate) use error::usage_sentence;
pub(crate) use events::EventsArgs;
pub(crate) use exec::{ExecArgs, Execution};
pub(crate) use explain::ExplainArgs;
pub(crate) use fdb::{FdbAction, FdbArgs, FdbShowArgs};
pub(crate) use keeper::KeeperArgs;
pub(crate) use lab::{AttachArgs, DetachArgs};
pub(crate) use link::{LinkAction, LinkArgs, LinkFilter, Master, NewEnd, NewLink, Settings};
pub(crate) use man::ManArgs;
pub(crate) use netns::NetnsAction;
pub(crate) use order::as_ip_has_it;
pub(crate) use ping::{PingArgs, Target};
pub(crate) use port::PortAction;
pub(crate) use route::{RouteAction, RouteArgs, RouteFilter, WantedRoute};
pub(crate) use run::RunArgs;
pub(crate) use shell::ShellArgs;
pub(crate) use show::{ListArgs, RestartArgs, ShowArgs, StopArgs};
pub(crate) use top::TopArgs;
pub(crate) use up::{DiffArgs, DownArgs, SchemaArgs, StatusArgs, SuperviseArgs, UpArgs};
pub(crate) use words::{Family, Inside};

const EXAMPLE: &str = "\
Example: two namespaces on one switch
  vswitch run my_switch --detach
  vswitch attach mario --ip 10.0.0.1/24
  vswitch attach luigi --ip 10.0.0.2/24
  vswitch ping mario luigi
  vswitch show
  vswitch stop my_switch

As with ip, '-n NS' may stand before link, addr and route: 'vswitch -n mario link'.";

const RUNTIME_DIR_HELP: &str = "\
    Directory of the switches' control sockets [default: $VSWITCH_RUNTIME_DIR, else \
    /run/vswitch as root, else $XDG_RUNTIME_DIR/vswitch, else /tmp/vswitch-UID]";

/// A virtual Ethernet switch for network namespaces, in user space.
#[derive(Debug, Parser)]
#[command(name = "vswitch", version, arg_required_else_help = true, after_help = EXAMPLE)]
pub(crate) struct Cli {
    /// Directory of the switches' control sockets.
    #[arg(long, global = true, value_name = "DIR", help = RUNTIME_DIR_HELP)]
    pub(crate) runtime_dir: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a switch.
    Run(RunArgs),
    /// Stop a switch and remove the veth pairs that it made; namespaces stay.
    Stop(StopArgs),
    /// Replace the process of a running switch by the installed program, without losing frames.
    Restart(RestartArgs),
    /// List the running switches.
    List(ListArgs),
    /// Show one switch: its ports, their states, counters and drops by reason.
    Show(ShowArgs),
    /// Connect a namespace to a switch by a veth pair; create the namespace if it does not exist.
    Attach(AttachArgs),
    /// Disconnect a namespace and remove its veth pair; the namespace stays.
    Detach(DetachArgs),
    /// Plug existing interfaces into a switch, as `ovs-vsctl add-port` does.
    #[command(subcommand)]
    Port(PortAction),
    /// Show rates, drops, MAC addresses and events of a switch, live in the terminal.
    Top(TopArgs),
    /// Print the events of a switch as they happen: MAC addresses learnt, ports up and down.
    Events(EventsArgs),
    /// Show or change the MAC table.
    Fdb(FdbArgs),
    /// Create, delete and list network namespaces, compatible with `ip netns`.
    #[command(subcommand)]
    Netns(NetnsAction),
    /// Create, change, move, delete and show network interfaces, as `ip link` does.
    #[command(alias = "l")]
    Link(LinkArgs),
    /// Add, delete and show the addresses of interfaces, as `ip addr` does.
    #[command(visible_alias = "address", alias = "a")]
    Addr(AddrArgs),
    /// Add, delete and show routes, as `ip route` does.
    #[command(aliases = ["r", "ro"])]
    Route(RouteArgs),
    /// Run a command inside a network namespace, as `ip netns exec` does.
    Exec(ExecArgs),
    /// Show frames as they pass, or write them to a pcapng file.
    Capture(CaptureArgs),
    /// Show what a switch would do with a frame, and why; nothing is sent.
    Explain(ExplainArgs),
    /// Open an interactive shell inside a network namespace; its prompt names it.
    Shell(ShellArgs),
    /// Ping from one namespace to another, or between all of them.
    Ping(PingArgs),
    /// Build a lab from its file, or apply what has changed in the file.
    Up(UpArgs),
    /// Remove everything that `up` made for a lab, and nothing else.
    Down(DownArgs),
    /// Show the labs that are up: what is there, and what is missing.
    Status(StatusArgs),
    /// Show how a lab that is up differs from its file.
    Diff(DiffArgs),
    /// Print the JSON schema of lab files, for editors.
    Schema(SchemaArgs),
    /// Supervise a command of a lab; started by `up`.
    #[command(hide = true)]
    Supervise(SuperviseArgs),
    /// Build, test and remove a small lab in throw-away namespaces.
    Demo(DemoArgs),
    /// Measure throughput and latency between two attached namespaces, or compare switches.
    Bench(BenchArgs),
    /// Check what this machine supports, and suggest remedies for what it does not.
    Doctor(DoctorArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
    /// Print the manual page of a command, or write the pages of all commands.
    Man(ManArgs),
    /// Hold the namespaces of an ordinary user's lab; the commands that need one start it.
    #[command(hide = true)]
    Keeper(KeeperArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Every command that does something by itself, however deep.
    fn leaves(command: &clap::Command, found: &mut Vec<clap::Command>) {
        let mut children = command.get_subcommands().peekable();
        if children.peek().is_none() {
            found.push(command.clone());
        }
        for child in children {
            leaves(child, found);
        }
    }

    #[test]
    fn every_command_has_help_with_an_example() {
        let mut found = Vec::new();
        leaves(&Cli::command(), &mut found);
        assert!(found.len() > 15, "{}", found.len());
        for command in found {
            let name = command.get_name().to_owned();
            assert!(command.get_about().is_some(), "{name} has no description");
            let after = command
                .get_after_help()
                .unwrap_or_else(|| panic!("{name} has no example"))
                .to_string();
            assert!(after.starts_with("Example"), "{name}: {after}");
            for line in after.lines().filter(|line| line.starts_with("  vswitch ")) {
                let words = line.split('#').next().unwrap().split_whitespace();
                Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
        }
    }

    #[test]
    fn the_commands_of_the_tutorial_are_understood() {
        let tutorial = include_str!("../../../docs/tutorial.md");
        // Every other piece between two backquotes is code.
        let code = tutorial.split('`').skip(1).step_by(2);
        let mut checked = 0;
        for line in code.filter(|code| code.starts_with("vswitch ")) {
            let words = line.split_whitespace().map(std::ffi::OsString::from);
            Cli::try_parse_from(as_ip_has_it(words))
                .unwrap_or_else(|error| panic!("{line}: {error}"));
            checked += 1;
        }
        // Else it has looked in the wrong place.
        assert!(checked > 30, "{checked}");
    }

    #[test]
    fn the_runtime_directory_may_be_given_anywhere() {
        for words in [
            ["vswitch", "--runtime-dir", "/tmp/x", "list"],
            ["vswitch", "list", "--runtime-dir", "/tmp/x"],
        ] {
            let cli = Cli::try_parse_from(words).unwrap();
            assert_eq!(cli.runtime_dir, Some(PathBuf::from("/tmp/x")));
        }
    }
}
