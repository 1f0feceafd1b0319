//! `vswitch route`: the words of `ip route`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clap::{Args, Subcommand};
use ipnet::IpNet;
use vswitch_netns::name::InterfaceName;

use super::words::{Destination, Family, Inside, Words, destination, network};
use vswitch_control::values;

const TAKES: &str = "via ADDRESS, dev NAME, metric N or src ADDRESS";

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  vswitch route add default via 10.0.0.254 -n mario\n  vswitch route -n mario"
)]
pub(crate) struct RouteArgs {
    #[command(subcommand)]
    pub(crate) action: Option<RouteAction>,

    #[command(flatten)]
    pub(crate) family: Family,

    #[command(flatten)]
    pub(crate) inside: Inside,

    /// Print JSON for machines.
    #[arg(long, short)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RouteAction {
    /// Add a route.
    #[command(visible_alias = "a")]
    Add(RouteAddArgs),
    /// Add a route, in place of the one there is.
    #[command(alias = "r")]
    Replace(RouteReplaceArgs),
    /// Delete a route.
    #[command(visible_alias = "delete", alias = "d")]
    Del(RouteDelArgs),
    /// Show the routes, of both address families.
    #[command(visible_aliases = ["list", "ls"], aliases = ["lst", "l", "sh", "s"])]
    Show(RouteShowArgs),
}

#[derive(Debug, Args)]
#[command(
    override_usage = "vswitch route add default|NETWORK [via ADDRESS] [dev NAME] [metric N] [src ADDRESS] [-6] [--netns NS]",
    after_help = "Example:\n  vswitch route add default via 10.0.0.254\n  vswitch route add 10.1.0.0/24 via 10.0.0.254 dev toad metric 50"
)]
pub(crate) struct RouteAddArgs {
    #[command(flatten)]
    pub(crate) what: RouteWords,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "vswitch route replace default|NETWORK [via ADDRESS] [dev NAME] [metric N] [src ADDRESS] [-6] [--netns NS]",
    after_help = "Example:\n  vswitch route replace default via 10.0.0.253"
)]
pub(crate) struct RouteReplaceArgs {
    #[command(flatten)]
    pub(crate) what: RouteWords,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "vswitch route del default|NETWORK [via ADDRESS] [dev NAME] [metric N] [-6] [--netns NS]",
    after_help = "Example:\n  vswitch route del default\n  vswitch route del 10.1.0.0/24 via 10.0.0.254"
)]
pub(crate) struct RouteDelArgs {
    #[command(flatten)]
    pub(crate) what: RouteWords,
}

#[derive(Debug, Args)]
pub(crate) struct RouteWords {
    /// The route, in the words of `ip route`.
    #[arg(value_name = "WORDS", required = true)]
    words: Vec<String>,

    #[command(flatten)]
    pub(crate) family: Family,

    #[command(flatten)]
    pub(crate) inside: Inside,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "vswitch route show [default|NETWORK] [via ADDRESS] [dev NAME] [-4|-6] [--netns NS] [--json]",
    after_help = "Example:\n  vswitch route show\n  vswitch route show default -4 --json"
)]
pub(crate) struct RouteShowArgs {
    /// Which, in the words of `ip route show`; all if left out.
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

/// A route as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WantedRoute {
    pub(crate) destination: IpNet,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) device: Option<InterfaceName>,
    pub(crate) metric: Option<u32>,
    pub(crate) source: Option<IpAddr>,
}

/// Which routes are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RouteFilter {
    pub(crate) destination: Option<Destination>,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) device: Option<InterfaceName>,
}

impl RouteWords {
    /// The route, for `vswitch COMMAND`.
    ///
    /// # Errors
    /// A sentence, where the words make no sense.
    pub(crate) fn resolve(self, command: &'static str) -> Result<WantedRoute, String> {
        let family = self.family;
        let mut words = Words::of(command, self.words);
        let mut to = None;
        let (mut gateway, mut device, mut metric, mut source) = (None, None, None, None);
        while let Some(word) = words.next() {
            match word.as_str() {
                "via" => gateway = Some(words.judged("via", address)?),
                "dev" => device = Some(words.parsed("dev")?),
                "metric" | "priority" | "preference" => {
                    metric = Some(words.number(&word, 0, u32::MAX)?);
                }
                "src" => source = Some(words.judged("src", address)?),
                "to" => to = Some(words.judged("to", destination)?),
                text if to.is_none() => {
                    to = Some(destination(text).map_err(|error| words.wrong(error))?);
                }
                other => return Err(words.unknown(other, TAKES)),
            }
        }
        let to = words.missing(to, "the destination, 'default' or a network,")?;
        let v6 = family.v6 || gateway.or(source).is_some_and(|address| address.is_ipv6());
        let route = WantedRoute {
            destination: match to {
                Destination::Everything => everything(v6),
                Destination::Net(net) => net,
            },
            gateway,
            device,
            metric,
            source,
        };
        // The kernel says ENODEV there, which tells nothing. What is deleted needs neither.
        if command != "route del" && route.gateway.is_none() && route.device.is_none() {
            return Err(words
                .wrong("the next hop, 'via ADDRESS', or the interface, 'dev NAME', is missing"));
        }
        if !family.takes(&route.destination) {
            return Err(words.wrong(format!(
                "{} is of the other address family than -4 or -6 says",
                route.destination
            )));
        }
        Ok(route)
    }
}

/// `0.0.0.0/0` or `::/0`.
fn everything(v6: bool) -> IpNet {
    let address: IpAddr = if v6 {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    IpNet::new_assert(address, 0)
}

fn address(text: &str) -> Result<IpAddr, String> {
    values::unambiguous(text)?;
    text.parse().map_err(|_| match network(text) {
        Ok(net) => format!("'{net}' is a network: write an address, without a prefix length"),
        Err(error) => error,
    })
}

impl RouteShowArgs {
    /// Which routes are wanted.
    ///
    /// # Errors
    /// A sentence, where the words make no sense.
    pub(crate) fn resolve(self) -> Result<RouteFilter, String> {
        let mut words = Words::of("route show", self.words);
        let mut filter = RouteFilter::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "via" => filter.gateway = Some(words.judged("via", address)?),
                "dev" => filter.device = Some(words.parsed("dev")?),
                "to" | "exact" => filter.destination = Some(words.judged(&word, destination)?),
                text if filter.destination.is_none() => {
                    let to = destination(text).map_err(|error| words.wrong(error))?;
                    filter.destination = Some(to);
                }
                other => return Err(words.unknown(other, "via ADDRESS or dev NAME")),
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

    fn add(line: &str) -> Result<WantedRoute, String> {
        let cli = Cli::try_parse_from(line.split(' ')).map(|cli| cli.command);
        let Ok(Command::Route(RouteArgs {
            action: Some(RouteAction::Add(args)),
            ..
        })) = cli
        else {
            panic!("{line}: {cli:?}");
        };
        args.what.resolve("route add")
    }

    #[test]
    fn the_words_of_ip_are_understood() {
        let route = add("vswitch route add default via 10.0.0.254 dev toad metric 5").unwrap();
        assert_eq!(route.destination.to_string(), "0.0.0.0/0");
        assert_eq!(route.gateway, Some("10.0.0.254".parse().unwrap()));
        assert_eq!(route.device.unwrap().as_str(), "toad");
        assert_eq!(route.metric, Some(5));
        let v6 = |line| add(line).unwrap().destination.to_string();
        assert_eq!(v6("vswitch route add default via fd00::1"), "::/0");
        assert_eq!(v6("vswitch r a -6 default dev toad"), "::/0");
        assert_eq!(
            v6("vswitch route add to 10.1.0.7 via 10.0.0.1"),
            "10.1.0.7/32"
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, words) in [
            ("vswitch route add via 10.0.0.1", "the destination"),
            (
                "vswitch route add 10.1.0.5/24 via 10.0.0.1",
                "write 10.1.0.0/24",
            ),
            (
                "vswitch route add default via 10.0.0.0/24",
                "without a prefix length",
            ),
            ("vswitch route add default via", "needs a value"),
            (
                "vswitch route add default",
                "'via ADDRESS', or the interface",
            ),
            (
                "vswitch route add somewhere",
                "\"somewhere\" is not an IPv4",
            ),
            (
                "vswitch route add -6 10.1.0.0/24 dev toad",
                "other address family",
            ),
            (
                "vswitch route add default dev toad onlink",
                "\"onlink\" is not",
            ),
        ] {
            let told = add(line).unwrap_err();
            assert!(told.contains(words), "{line}: {told}");
        }
    }
}
