//! `vswitch addr`: the words of `ip addr`.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use ipnet::IpNet;
use vswitch_netns::name::{InterfaceName, shown};

use super::words::{Family, Inside, Words};
use vswitch_control::values;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  vswitch addr add 10.0.0.1/24 dev toad -n mario\n  vswitch addr -n mario"
)]
pub(crate) struct AddrArgs {
    #[command(subcommand)]
    pub(crate) action: Option<AddrAction>,

    #[command(flatten)]
    pub(crate) family: Family,

    #[command(flatten)]
    pub(crate) inside: Inside,

    /// Print JSON for machines.
    #[arg(long, short)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AddrAction {
    /// Give an interface an address.
    #[command(visible_alias = "a")]
    Add(AddrChangeArgs),
    /// Take an address from an interface.
    #[command(visible_alias = "delete", alias = "d")]
    Del(AddrDelArgs),
    /// Take all addresses from an interface.
    #[command(alias = "f")]
    Flush(AddrFlushArgs),
    /// Show the addresses of interfaces.
    #[command(visible_aliases = ["list", "ls"], aliases = ["lst", "l", "sh", "s"])]
    Show(AddrShowArgs),
}

#[derive(Debug, Args)]
#[command(
    override_usage = "vswitch addr add ADDRESS/LENGTH dev NAME [--netns NS]",
    after_help = "Example:\n  vswitch addr add 10.0.0.1/24 dev toad\n  vswitch addr add fd00::1/64 dev toad -n mario"
)]
pub(crate) struct AddrChangeArgs {
    /// The address and the interface, in the words of `ip addr add`.
    #[arg(value_name = "WORDS", required = true)]
    words: Vec<String>,

    #[command(flatten)]
    pub(crate) inside: Inside,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "vswitch addr del ADDRESS[/LENGTH] dev NAME [--netns NS]",
    after_help = "Example:\n  vswitch addr del 10.0.0.1/24 dev toad"
)]
pub(crate) struct AddrDelArgs {
    /// The address and the interface, in the words of `ip addr del`.
    #[arg(value_name = "WORDS", required = true)]
    words: Vec<String>,

    #[command(flatten)]
    pub(crate) inside: Inside,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "vswitch addr flush [dev] NAME [-4|-6] [--netns NS]",
    after_help = "Example:\n  vswitch addr flush dev toad"
)]
pub(crate) struct AddrFlushArgs {
    /// The interface.
    #[arg(value_name = "WORDS", required = true)]
    words: Vec<String>,

    #[command(flatten)]
    pub(crate) family: Family,

    #[command(flatten)]
    pub(crate) inside: Inside,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "vswitch addr show [[dev] NAME] [up] [-4|-6] [--netns NS] [--json]",
    after_help = "Example:\n  vswitch addr show dev toad\n  vswitch addr show -6 --json"
)]
pub(crate) struct AddrShowArgs {
    /// Which interface; all if left out.
    #[arg(value_name = "WORDS")]
    words: Vec<String>,

    #[command(flatten)]
    pub(crate) family: Family,

    #[command(flatten)]
    pub(crate) inside: Inside,

    /// Print JSON for machines.
    #[arg(long, short)]
    pub(crate) json: bool,
}

/// An address as it was written: with its prefix length or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    WithLength(IpNet),
    Bare(IpAddr),
}

/// Which interfaces are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddrFilter {
    pub(crate) name: Option<InterfaceName>,
    pub(crate) up: bool,
}

/// The address and the interface among `words`.
fn address_and_device(words: &mut Words) -> Result<(Written, InterfaceName), String> {
    let (mut address, mut device) = (None, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "dev" => device = Some(words.parsed("dev")?),
            "local" => address = Some(written(&words.value("local")?, words)?),
            // The kernel is told the broadcast address of the network in any case, and no address
            // is asked for on the network before it is used.
            "broadcast" | "brd" => match words.value(&word)?.as_str() {
                "+" => {}
                other => {
                    let takes = "'broadcast +', which is the default";
                    return Err(words.unknown(other, takes));
                }
            },
            "nodad" => {}
            text if address.is_none() => address = Some(written(text, words)?),
            other => return Err(words.unknown(other, "an address and 'dev NAME'")),
        }
    }
    Ok((
        words.missing(address, "the address")?,
        words.missing(device, "the interface, 'dev NAME',")?,
    ))
}

fn written(text: &str, words: &Words) -> Result<Written, String> {
    values::unambiguous(text).map_err(|error| words.wrong(error))?;
    let net = text.parse().map(Written::WithLength).ok();
    let address = || text.parse().map(Written::Bare).ok();
    net.or_else(address).ok_or_else(|| {
        words.wrong(format!(
            "{} is not an IPv4 or IPv6 address with a prefix length, as in 10.0.0.1/24",
            shown(text)
        ))
    })
}

impl AddrChangeArgs {
    /// The address and the interface.
    ///
    /// # Errors
    /// A sentence, where the words make no sense.
    pub(crate) fn resolve(self) -> Result<(IpNet, InterfaceName), String> {
        let mut words = Words::of("addr add", self.words);
        let (address, device) = address_and_device(&mut words)?;
        match address {
            Written::WithLength(net) => Ok((net, device)),
            Written::Bare(address) => Err(words.wrong(format!(
                "the address {address} has no prefix length: write {address}/{} for a network, or \
                 {} for this one address alone",
                if address.is_ipv4() { 24 } else { 64 },
                IpNet::from(address)
            ))),
        }
    }
}

impl AddrDelArgs {
    /// The address and the interface.
    ///
    /// # Errors
    /// A sentence, where the words make no sense.
    pub(crate) fn resolve(self) -> Result<(Written, InterfaceName), String> {
        address_and_device(&mut Words::of("addr del", self.words))
    }
}

impl AddrFlushArgs {
    /// The interface.
    ///
    /// # Errors
    /// A sentence, where the words make no sense.
    pub(crate) fn resolve(self) -> Result<InterfaceName, String> {
        let mut words = Words::of("addr flush", self.words);
        let mut device = None;
        while let Some(word) = words.next() {
            match word.as_str() {
                "dev" => device = Some(words.parsed("dev")?),
                other => words.device(&mut device, other, "one interface")?,
            }
        }
        words.missing(device, "the interface, 'dev NAME',")
    }
}

impl AddrShowArgs {
    /// Which interfaces are wanted.
    ///
    /// # Errors
    /// A sentence, where the words make no sense.
    pub(crate) fn resolve(self) -> Result<AddrFilter, String> {
        let mut words = Words::of("addr show", self.words);
        let mut filter = AddrFilter::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "dev" => filter.name = Some(words.parsed("dev")?),
                "up" => filter.up = true,
                other => words.device(&mut filter.name, other, "dev or up")?,
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

    fn action(line: &str) -> AddrAction {
        match Cli::try_parse_from(line.split(' ')).map(|cli| cli.command) {
            Ok(Command::Addr(args)) => args.action.unwrap(),
            other => panic!("{line}: {other:?}"),
        }
    }

    fn add(line: &str) -> Result<(IpNet, InterfaceName), String> {
        match action(line) {
            AddrAction::Add(args) => args.resolve(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_words_of_ip_are_understood() {
        for line in [
            "vswitch addr add 10.0.0.1/24 dev toad",
            "vswitch address add dev toad 10.0.0.1/24",
            "vswitch a a local 10.0.0.1/24 brd + dev toad nodad",
        ] {
            let (net, device) = add(line).unwrap();
            assert_eq!(
                (net.to_string(), device.as_str()),
                ("10.0.0.1/24".into(), "toad")
            );
        }
        let AddrAction::Del(args) = action("vswitch addr delete 10.0.0.1 dev toad") else {
            panic!();
        };
        let bare = Written::Bare("10.0.0.1".parse().unwrap());
        assert_eq!(args.resolve().unwrap().0, bare);
    }

    #[test]
    fn what_is_missing_is_said() {
        for (line, words) in [
            ("vswitch addr add 10.0.0.1/24", "'dev NAME', is missing"),
            ("vswitch addr add dev toad", "the address is missing"),
            ("vswitch addr add 10.0.0.1 dev toad", "write 10.0.0.1/24"),
            ("vswitch addr add fd00::1 dev toad", "or fd00::1/128 for"),
            ("vswitch addr add ten dev toad", "\"ten\" is not an IPv4"),
            ("vswitch addr add 10.0.0.1/33 dev toad", "10.0.0.1/33"),
            (
                "vswitch addr add 10.0.0.1/24 dev toad x",
                "\"x\" is not understood",
            ),
        ] {
            let told = add(line).unwrap_err();
            assert!(told.contains(words), "{line}: {told}");
        }
    }
}
