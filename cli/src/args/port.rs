//! `vswitch port`.

use clap::{
    Arg, ArgGroup, ArgMatches, Args, Command, Error, FromArgMatches, Subcommand, value_parser,
};
use vswitch_netns::name::InterfaceName;

use super::settings::{self, ChangeArgs, SettingArgs};
use vswitch_control::names::SwitchName;
use vswitch_control::protocol::PORT_KINDS;
use vswitch_control::settings::PortSettings;

#[derive(Debug, Subcommand)]
pub(crate) enum PortAction {
    /// Plug an interface into a switch: an existing one, which the host no longer uses for itself, or
    /// one that is made.
    Add(PortAddArgs),
    /// Unplug an interface, and restore it, or remove it if it was made for the port.
    Del(PortDelArgs),
    /// Set what a port may do to the others, or let it forward again that was blocked.
    Set(PortSetArgs),
    /// List the ports of a switch.
    List(PortListArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vswitch port add eth1 --switch my_switch
  vswitch port add --tap tap0
  vswitch addr add 10.0.0.254/24 dev tap0")]
pub(crate) struct PortAddArgs {
    #[command(flatten)]
    pub(crate) what: NewPort,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// Plug it in even if the machine's default route leads through it, and is lost.
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten, next_help_heading = settings::OF_PORT)]
    pub(crate) settings: SettingArgs<PortSettings>,
}

/// What becomes a port: an interface that is there, or one that is made.
#[derive(Clone, Debug)]
pub(crate) struct NewPort {
    /// The interface.
    pub(crate) interface: InterfaceName,
    /// The kind of port, if it is made.
    pub(crate) kind: Option<&'static str>,
}

/// The flag that is of use to existing interfaces alone.
const FORCE: &str = "force";
/// The argument that is an existing interface.
const INTERFACE: &str = "interface";

impl Args for NewPort {
    fn augment_args(command: Command) -> Command {
        let interface = Arg::new(INTERFACE)
            .value_name("IFACE")
            .help("The existing interface")
            .value_parser(value_parser!(InterfaceName));
        let kinds = PORT_KINDS.iter().map(|kind| {
            Arg::new(kind.name)
                .long(kind.name)
                .value_name("NAME")
                .help(kind.help)
                .conflicts_with(FORCE)
                .value_parser(value_parser!(InterfaceName))
        });
        let all = PORT_KINDS.iter().map(|kind| kind.name);
        let group = ArgGroup::new("what")
            .required(true)
            .arg(INTERFACE)
            .args(all);
        command.arg(interface).args(kinds).group(group)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for NewPort {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let existing = matches.get_one::<InterfaceName>(INTERFACE);
        let mut made = PORT_KINDS.iter().filter_map(|kind| {
            let name = matches.get_one::<InterfaceName>(kind.name)?;
            Some((name, Some(kind.name)))
        });
        let given = existing.map(|name| (name, None)).or_else(|| made.next());
        let missing = || Error::new(clap::error::ErrorKind::MissingRequiredArgument);
        let (interface, kind) = given.ok_or_else(missing)?;
        Ok(Self {
            interface: interface.clone(),
            kind,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch port del eth1 --switch my_switch")]
pub(crate) struct PortDelArgs {
    /// The interface, by the name it was plugged in with.
    #[arg(value_name = "IFACE")]
    pub(crate) interface: InterfaceName,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch port set eth1 --broadcast-limit 1000 --max-macs 8
  vswitch port set eth1 --unknown-limit off --broadcast-limit default")]
#[command(group = ArgGroup::new(settings::GROUP).required(true).multiple(true))]
pub(crate) struct PortSetArgs {
    /// The port, by its name or that of the namespace behind it.
    #[arg(value_name = "PORT")]
    pub(crate) port: String,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    #[command(flatten)]
    pub(crate) change: ChangeArgs<PortSettings>,

    /// Let it forward again at once if it is blocked because it was part of a loop.
    #[arg(long, group = settings::GROUP)]
    pub(crate) unblock: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch port list --switch my_switch --json")]
pub(crate) struct PortListArgs {
    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}
