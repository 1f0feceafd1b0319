//! `vswitch link`: the words of `ip link`.

use clap::{Args, Subcommand};
use vswitch_netns::name::{InterfaceName, NamespaceName};
use vswitch_switch::frame::MacAddr;

use super::words::{Inside, Words};
use vswitch_control::values;

const SETTINGS: &str = "up, down, name, mtu, address, master, nomaster, netns, arp on|off or alias";
const OF_AN_END: &str = "up, mtu, address, netns or type";
/// What any device may have, in bytes; the device itself may allow less.
const MAX_MTU_BYTES: u32 = i32::MAX.cast_unsigned();

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example: a cable, one end of it in mario\n  vswitch link add toad type veth peer name toad-peer\n  vswitch link set toad netns mario\n  vswitch link set toad-peer up\n  vswitch link set toad up -n mario\n  vswitch link -n mario"
)]
pub(crate) struct LinkArgs {
    #[command(subcommand)]
    pub(crate) action: Option<LinkAction>,

    #[command(flatten)]
    pub(crate) inside: Inside,

    /// Print JSON for machines.
    #[arg(long, short)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LinkAction {
    /// Create a pair of connected interfaces, or a bridge of the kernel.
    #[command(visible_alias = "a")]
    Add(LinkAddArgs),
    /// Delete interfaces; of a veth pair, both ends.
    #[command(visible_alias = "delete", alias = "d")]
    Del(LinkDelArgs),
    /// Change an interface: everything that is said, at once.
    #[command(alias = "s")]
    Set(LinkSetArgs),
    /// Show interfaces, and where the other ends of veth pairs are.
    #[command(visible_aliases = ["list", "ls"], aliases = ["lst", "l", "sh"])]
    Show(LinkShowArgs),
}

#[derive(Debug, Args)]
#[command(
    override_usage = "vswitch link add NAME [up] [mtu N] [address MAC] [netns NS] type veth peer name NAME [up] [mtu N] [address MAC] [netns NS]\n       vswitch link add NAME [up] [mtu N] [address MAC] [netns NS] type bridge",
    after_help = "Example:\n  vswitch link add toad type veth peer name toad-peer\n  vswitch link add mario-vsw type veth peer name mario-netns netns mario\n  vswitch link add br0 up type bridge"
)]
pub(crate) struct LinkAddArgs {
    /// What to create, in the words of `ip link add`.
    #[arg(value_name = "WORDS", required = true)]
    words: Vec<String>,

    #[command(flatten)]
    pub(crate) inside: Inside,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch link del toad")]
pub(crate) struct LinkDelArgs {
    /// The interfaces; `dev` may stand before each.
    #[arg(value_name = "NAME", required = true)]
    words: Vec<String>,

    #[command(flatten)]
    pub(crate) inside: Inside,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "vswitch link set NAME [up|down] [name NEW] [mtu N] [address MAC] [netns NS|PID] [master BRIDGE|nomaster] [arp on|off] [alias TEXT]",
    after_help = "Example:\n  vswitch link set toad netns mario name eth0 up\n  vswitch link set dev toad-peer mtu 9000 address 02:00:00:00:00:01"
)]
pub(crate) struct LinkSetArgs {
    /// The interface and what to change, in the words of `ip link set`.
    #[arg(value_name = "WORDS", required = true)]
    words: Vec<String>,

    #[command(flatten)]
    pub(crate) inside: Inside,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "vswitch link show [[dev] NAME] [up] [type KIND] [master BRIDGE] [--netns NS] [--json]",
    after_help = "Example:\n  vswitch link show toad\n  vswitch link show up type veth --json"
)]
pub(crate) struct LinkShowArgs {
    /// Which, in the words of `ip link show`; all if left out.
    #[arg(value_name = "WORDS")]
    words: Vec<String>,

    #[command(flatten)]
    pub(crate) inside: Inside,

    /// Print JSON for machines.
    #[arg(long, short)]
    pub(crate) json: bool,
}

/// An interface to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewEnd {
    pub(crate) name: InterfaceName,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) mtu_bytes: Option<u32>,
    pub(crate) namespace: Option<NamespaceName>,
    pub(crate) up: bool,
}

/// What to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NewLink {
    /// A pair: the near end and the far one.
    Veth(NewEnd, NewEnd),
    /// A bridge of the kernel.
    Bridge(NewEnd),
}

/// What to change of an interface; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) up: Option<bool>,
    pub(crate) arp: Option<bool>,
    pub(crate) name: Option<InterfaceName>,
    pub(crate) mtu_bytes: Option<u32>,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) alias: Option<String>,
    pub(crate) master: Option<Master>,
    /// A namespace's name, or else the number of a process in it.
    pub(crate) namespace: Option<NamespaceName>,
}

/// Where to plug an interface in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Master {
    Bridge(InterfaceName),
    Nothing,
}

/// Which interfaces are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkFilter {
    pub(crate) name: Option<InterfaceName>,
    pub(crate) up: bool,
    pub(crate) kind: Option<String>,
    pub(crate) master: Option<InterfaceName>,
}

/// An end as far as it is known.
#[derive(Default)]
struct Draft {
    name: Option<InterfaceName>,
    mac: Option<MacAddr>,
    mtu_bytes: Option<u32>,
    namespace: Option<NamespaceName>,
    up: bool,
}

impl Draft {
    fn finish(self, words: &Words, what: &str) -> Result<NewEnd, String> {
        Ok(NewEnd {
            name: words.missing(self.name, what)?,
            mac: self.mac,
            mtu_bytes: self.mtu_bytes,
            namespace: self.namespace,
            up: self.up,
        })
    }

    /// Takes words up to `type`, whose value is given back, or to the end.
    fn read(&mut self, words: &mut Words) -> Result<Option<String>, String> {
        while let Some(word) = words.next() {
            match word.as_str() {
                "type" => return words.value("type").map(Some),
                "up" => self.up = true,
                "mtu" => self.mtu_bytes = Some(words.number("mtu", 0, MAX_MTU_BYTES)?),
                "address" => self.mac = Some(words.judged("address", values::station)?),
                "netns" => self.namespace = Some(words.parsed("netns")?),
                "name" | "dev" => self.name = Some(words.parsed(&word)?),
                "link" => return Err(words.unknown(&word, OF_AN_END)),
                other => words.device(&mut self.name, other, OF_AN_END)?,
            }
        }
        Ok(None)
    }
}

impl LinkAddArgs {
    /// What to create.
    ///
    /// # Errors
    /// A sentence, where the words make no sense.
    pub(crate) fn resolve(self) -> Result<NewLink, String> {
        let mut words = Words::of("link add", self.words);
        let mut near = Draft::default();
        let kind = near.read(&mut words)?;
        let kind = words.missing(kind, "the type, 'type veth' or 'type bridge',")?;
        let near = near.finish(&words, "the name of the interface")?;
        match kind.as_str() {
            "bridge" => match words.next() {
                None => Ok(NewLink::Bridge(near)),
                Some(word) => Err(words.unknown(&word, "nothing behind 'type bridge'")),
            },
            "veth" => {
                let mut far = Draft::default();
                match words.next().as_deref() {
                    Some("peer") | None => {}
                    Some(other) => return Err(words.unknown(other, "peer name NAME")),
                }
                if far.read(&mut words)?.is_some() {
                    return Err(words.wrong("both ends of a pair are of the type veth"));
                }
                let far = far.finish(&words, "the name of the other end, 'peer name NAME',")?;
                Ok(NewLink::Veth(near, far))
            }
            other => Err(words.unknown(other, "type veth or type bridge")),
        }
    }
}

impl LinkDelArgs {
    /// The interfaces.
    ///
    /// # Errors
    /// A sentence, where one has an impossible name.
    pub(crate) fn resolve(self) -> Result<Vec<InterfaceName>, String> {
        let mut words = Words::of("link del", self.words);
        let mut names = Vec::new();
        while let Some(word) = words.next() {
            names.push(match word.as_str() {
                "dev" => words.parsed("dev")?,
                name => words.parse(name)?,
            });
        }
        Ok(names)
    }
}

impl LinkSetArgs {
    /// The interface and what to change of it.
    ///
    /// # Errors
    /// A sentence, where the words make no sense.
    pub(crate) fn resolve(self) -> Result<(InterfaceName, Settings), String> {
        let mut words = Words::of("link set", self.words);
        let mut device = None;
        let mut settings = Settings::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "dev" => device = Some(words.parsed("dev")?),
                "up" => settings.up = Some(true),
                "down" => settings.up = Some(false),
                "name" => settings.name = Some(words.parsed("name")?),
                "mtu" => settings.mtu_bytes = Some(words.number("mtu", 0, MAX_MTU_BYTES)?),
                "address" => settings.mac = Some(words.judged("address", values::station)?),
                "alias" => settings.alias = Some(words.value("alias")?),
                "master" => settings.master = Some(Master::Bridge(words.parsed("master")?)),
                "nomaster" => settings.master = Some(Master::Nothing),
                "netns" => settings.namespace = Some(words.parsed("netns")?),
                "arp" => settings.arp = Some(words.judged("arp", on_off)?),
                other => words.device(&mut device, other, SETTINGS)?,
            }
        }
        let device = words.missing(device, "the name of the interface")?;
        if settings == Settings::default() {
            let sentence = format!("nothing to change of {device} was given: write {SETTINGS}");
            return Err(words.wrong(sentence));
        }
        Ok((device, settings))
    }
}

fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("'arp' takes 'on' or 'off'".to_owned()),
    }
}

impl LinkShowArgs {
    /// Which interfaces are wanted.
    ///
    /// # Errors
    /// A sentence, where the words make no sense.
    pub(crate) fn resolve(self) -> Result<LinkFilter, String> {
        let mut words = Words::of("link show", self.words);
        let mut filter = LinkFilter::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "dev" => filter.name = Some(words.parsed("dev")?),
                "up" => filter.up = true,
                "type" => filter.kind = Some(words.value("type")?),
                "master" => filter.master = Some(words.parsed("master")?),
                other => words.device(&mut filter.name, other, "dev, up, type or master")?,
            }
        }
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn action(line: &str) -> LinkAction {
        match Cli::try_parse_from(line.split(' ')).map(|cli| cli.command) {
            Ok(Command::Link(args)) => args.action.unwrap(),
            other => panic!("{line}: {other:?}"),
        }
    }

    fn add(line: &str) -> Result<NewLink, String> {
        match action(line) {
            LinkAction::Add(args) => args.resolve(),
            other => panic!("{other:?}"),
        }
    }

    fn set(line: &str) -> Result<(InterfaceName, Settings), String> {
        match action(line) {
            LinkAction::Set(args) => args.resolve(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pair_is_named_at_both_ends() {
        for line in [
            "vswitch link add toad type veth peer name toad-peer netns mario",
            "vswitch link add name toad type veth peer toad-peer netns mario",
            "vswitch link a dev toad type veth peer netns mario name toad-peer",
        ] {
            let Ok(NewLink::Veth(near, far)) = add(line) else {
                panic!("{line}");
            };
            assert_eq!((near.name.as_str(), near.namespace), ("toad", None));
            assert_eq!(far.name.as_str(), "toad-peer");
            assert_eq!(far.namespace.unwrap().as_str(), "mario");
        }
        let bridge = add("vswitch link add br0 mtu 9000 up type bridge").unwrap();
        assert!(matches!(bridge, NewLink::Bridge(end) if end.up && end.mtu_bytes == Some(9000)));
    }

    #[test]
    fn what_is_missing_or_too_much_is_said() {
        for (line, words) in [
            ("vswitch link add toad", "type"),
            ("vswitch link add toad type veth", "peer name NAME"),
            ("vswitch link add toad type veth peer", "peer name NAME"),
            ("vswitch link add toad type veth peer name", "needs a value"),
            ("vswitch link add type veth peer name x", "the name of"),
            ("vswitch link add toad type gre", "type veth or type bridge"),
            ("vswitch link add a/b type bridge", "contains '/'"),
            ("vswitch link add toad toad type veth", "behind toad"),
            (
                "vswitch link add sixteen-bytes-xx type bridge",
                "at most 15",
            ),
        ] {
            let told = add(line).unwrap_err();
            assert!(told.contains(words), "{line}: {told}");
            assert!(told.ends_with("see 'vswitch link add --help'"), "{told}");
        }
        for (line, words) in [
            ("vswitch link set toad", "nothing to change"),
            (
                "vswitch link set up",
                "the name of the interface is missing",
            ),
            ("vswitch link set toad mtu much", "a whole number"),
            ("vswitch link set toad arp maybe", "'on' or 'off'"),
            ("vswitch link set toad upp", "\"upp\" is not understood"),
            ("vswitch link set toad address ff:ff:ff:ff:ff:ff", "group"),
        ] {
            let told = set(line).unwrap_err();
            assert!(told.contains(words), "{line}: {told}");
        }
    }

    #[test]
    fn several_things_are_changed_at_once_in_any_order() {
        let (name, settings) =
            set("vswitch link set up netns mario dev toad name eth0 nomaster").unwrap();
        assert_eq!(name.as_str(), "toad");
        assert_eq!(settings.up, Some(true));
        assert_eq!(settings.master, Some(Master::Nothing));
        assert_eq!(settings.name.unwrap().as_str(), "eth0");
        assert_eq!(settings.namespace.unwrap().as_str(), "mario");
    }
}
