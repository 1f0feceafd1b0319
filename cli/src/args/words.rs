//! Words in the manner of iproute2: `dev toad mtu 1400 up`, keywords with or without a value.

use std::fmt::Display;
use std::str::FromStr;
use std::vec;

use clap::Args;
use clap::builder::RangedI64ValueParser;
use ipnet::IpNet;
use vswitch_netns::name::{InterfaceName, NamespaceName, shown};

/// The number of a VLAN, or 0 for none.
pub(crate) fn vlan() -> RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(0..=4095)
}

/// Where a command looks or acts.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Inside {
    /// In this namespace instead of the one that the command runs in.
    #[arg(short = 'n', long = "netns", value_name = "NS")]
    pub(crate) namespace: Option<NamespaceName>,
}

/// What a list holds.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Family {
    /// IPv4 only.
    #[arg(short = '4', conflicts_with = "v6")]
    pub(crate) v4: bool,

    /// IPv6 only.
    #[arg(short = '6')]
    pub(crate) v6: bool,
}

impl Family {
    /// Whether addresses like this one are wanted.
    pub(crate) fn takes(&self, net: &IpNet) -> bool {
        match net {
            IpNet::V4(_) => !self.v6,
            IpNet::V6(_) => !self.v4,
        }
    }
}

/// The words of one command, taken one after the other.
pub(super) struct Words {
    words: vec::IntoIter<String>,
    command: &'static str,
}

impl Words {
    /// The words behind `vswitch COMMAND`.
    pub(super) fn of(command: &'static str, words: Vec<String>) -> Self {
        let words = words.into_iter();
        Self { words, command }
    }

    /// The next one, if there is any.
    pub(super) fn next(&mut self) -> Option<String> {
        self.words.next()
    }

    /// The value behind `keyword`.
    pub(super) fn value(&mut self, keyword: &str) -> Result<String, String> {
        self.next()
            .ok_or_else(|| self.wrong(format!("'{keyword}' needs a value behind it")))
    }

    /// The value behind `keyword`, as what it stands for.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, keyword: &str) -> Result<T, String> {
        let text = self.value(keyword)?;
        self.parse(&text)
    }

    /// The value behind `keyword`, judged by `parse`.
    pub(super) fn judged<T>(
        &mut self,
        keyword: &str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        let text = self.value(keyword)?;
        parse(&text).map_err(|error| self.wrong(error))
    }

    /// A word as what it stands for.
    pub(super) fn parse<T: FromStr<Err: Display>>(&self, text: &str) -> Result<T, String> {
        text.parse().map_err(|error: T::Err| self.wrong(error))
    }

    /// A number behind `keyword`, within bounds.
    pub(super) fn number(&mut self, keyword: &str, low: u32, high: u32) -> Result<u32, String> {
        let text = self.value(keyword)?;
        let number = text.parse().ok().filter(|n| (low..=high).contains(n));
        number.ok_or_else(|| {
            let given = shown(&text);
            self.wrong(format!(
                "'{keyword}' takes a whole number from {low} to {high}, not {given}"
            ))
        })
    }

    /// Takes `word` for the name of an interface, of which there may be one.
    pub(super) fn device(
        &self,
        device: &mut Option<InterfaceName>,
        word: &str,
        takes: &str,
    ) -> Result<(), String> {
        if let Some(device) = device {
            let sentence = format!(
                "{} is not understood behind {device}: write {takes}",
                shown(word)
            );
            return Err(self.wrong(sentence));
        }
        *device = Some(self.parse(word)?);
        Ok(())
    }

    /// What `word` is none of.
    pub(super) fn unknown(&self, word: &str, takes: &str) -> String {
        self.wrong(format!("{} is not understood: write {takes}", shown(word)))
    }

    /// What is missing.
    pub(super) fn missing<T>(&self, found: Option<T>, what: &str) -> Result<T, String> {
        found.ok_or_else(|| self.wrong(format!("{what} is missing")))
    }

    /// A sentence with a hint where to read more.
    pub(super) fn wrong(&self, sentence: impl Display) -> String {
        format!("{sentence}; see 'vswitch {} --help'", self.command)
    }
}

/// What a route leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// `default`: all that has no other route, of one address family or the other.
    Everything,
    /// A network, or one address.
    Net(IpNet),
}

impl Destination {
    /// Whether `net` is what is meant.
    pub(crate) fn is(self, net: &IpNet) -> bool {
        match self {
            Self::Everything => net.prefix_len() == 0,
            Self::Net(wanted) => wanted == *net,
        }
    }
}

/// `default`, a network, or one address.
///
/// # Errors
/// A sentence, where this is none.
pub(super) fn destination(text: &str) -> Result<Destination, String> {
    if matches!(text, "default" | "any" | "all") {
        return Ok(Destination::Everything);
    }
    let net = network(text)?;
    let whole = net.trunc();
    if net != whole {
        return Err(format!(
            "'{net}' is an address within a network: write {whole} for the network, or {} for the \
             one host",
            net.addr()
        ));
    }
    Ok(Destination::Net(net))
}

/// A network, or one address as the network of itself.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    vswitch_control::values::unambiguous(text)?;
    let address = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(address).ok_or_else(|| {
        format!(
            "{} is not an IPv4 or IPv6 address, with or without a prefix length",
            shown(text)
        )
    })
}
