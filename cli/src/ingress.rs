//! Rules at the ingress of a port that have no effect on what the switch gets.

use vswitch_netns::Netlink;
use vswitch_netns::ingress::ingress_chains;

/// The rules that somebody else has put there, in words. What may not be asked is left out.
pub(crate) fn rules(interface: &str) -> Vec<String> {
    let filters = || -> anyhow::Result<Vec<String>> {
        let mut netlink = Netlink::open()?;
        let link = netlink.link(interface)?;
        Ok(netlink.ingress_filters(&link)?)
    };
    let mut rules = filters().unwrap_or_else(|error| {
        log::debug!("{error}");
        Vec::new()
    });
    rules.extend(ingress_chains(interface).unwrap_or_else(|error| {
        log::debug!("{error}");
        Vec::new()
    }));
    rules
}

/// What they mean, and what to do.
pub(crate) fn warning(interface: &str, rules: &[String]) -> String {
    format!(
        "rules at the ingress of {interface} have no effect on what the switch gets, which sees frames \
         before they do ({}): filter at the host that sends, or at the egress of other ports",
        rules.join(", ")
    )
}
