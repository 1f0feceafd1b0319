//! `vswitch ping`.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use vswitch_netns::name::NamespaceName;

use super::words::Family;
use vswitch_control::names::SwitchName;
use vswitch_control::values;

/// The most payload of an echo request over IPv4, in bytes: 65,535 less both headers.
const MAX_SIZE: i64 = 65_507;

#[derive(Debug, Args)]
#[command(
    override_usage = "vswitch ping [OPTIONS] <FROM> <NS|ADDRESS>\n       vswitch ping [OPTIONS] --all [--switch <NAME>]",
    after_help = "Example:
  vswitch ping mario luigi
  vswitch ping mario 10.0.0.2 --count 1 --size 1400
  vswitch ping --all
  vswitch ping --all --switch my_switch -4 --json
Exit status: 0 if every address answered at least once, else 1."
)]
pub(crate) struct PingArgs {
    /// The namespace to ping from.
    #[arg(required_unless_present = "all")]
    pub(crate) from: Option<NamespaceName>,

    /// The namespace to ping, at all its addresses; or one address.
    #[arg(value_name = "NS|ADDRESS", required_unless_present = "all", value_parser = target)]
    pub(crate) to: Option<Target>,

    /// Ping every attached namespace from every other one.
    #[arg(long, short, conflicts_with_all = ["from", "to", "count", "interval"])]
    pub(crate) all: bool,

    /// With --all, only the namespaces attached to this switch [default: to any].
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    pub(crate) switch: Option<SwitchName>,

    /// Number of requests to each address; 0 to go on until interrupted.
    #[arg(long, short, value_name = "N", default_value_t = 3)]
    pub(crate) count: u16,

    /// Seconds between requests.
    #[arg(long, short, value_name = "SECS", default_value = "1", value_parser = seconds)]
    pub(crate) interval: Duration,

    /// Seconds to wait for an answer.
    #[arg(long, short = 'W', value_name = "SECS", default_value = "1", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// Bytes of payload.
    #[arg(long, short, value_name = "BYTES", default_value_t = 56)]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=MAX_SIZE))]
    pub(crate) size: u16,

    #[command(flatten)]
    pub(crate) family: Family,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// All addresses of a namespace.
    Namespace(NamespaceName),
    /// One address.
    Address(IpAddr),
}

/// # Errors
/// A sentence, where this is neither an address nor a name.
fn target(text: &str) -> Result<Target, String> {
    values::unambiguous(text)?;
    if let Ok(address) = text.parse() {
        return Ok(Target::Address(address));
    }
    let name = text.parse::<NamespaceName>();
    name.map(Target::Namespace)
        .map_err(|error| error.to_string())
}

/// # Errors
/// A sentence, where this is no span of time that makes sense here.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|s| (0.001..=3600.0).contains(s));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "write seconds from 0.001 to 3600".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn parse(line: &str) -> Result<PingArgs, String> {
        match Cli::try_parse_from(line.split(' ')).map(|cli| cli.command) {
            Ok(Command::Ping(args)) => Ok(args),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn an_address_is_no_name() {
        let to = |line: &str| parse(line).unwrap().to.unwrap();
        let address = Target::Address("10.0.0.2".parse().unwrap());
        assert_eq!(to("vswitch ping mario 10.0.0.2"), address);
        assert_eq!(
            to("vswitch ping mario luigi"),
            Target::Namespace("luigi".parse().unwrap())
        );
    }

    #[test]
    fn all_and_a_pair_are_two_things() {
        for line in [
            "vswitch ping",
            "vswitch ping mario",
            "vswitch ping --all mario luigi",
            "vswitch ping mario luigi --switch s",
            "vswitch ping --all --count 3",
            "vswitch ping mario luigi --interval 0",
            "vswitch ping mario luigi --size 65508",
            "vswitch ping mario luigi -4 -6",
            "vswitch ping mario a/b",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("vswitch ping --all -6").is_ok());
    }
}
