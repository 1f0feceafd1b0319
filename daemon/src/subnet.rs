//! The next free address of the switch's subnet.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

/// The first address of `subnet` that a host can have and that is not in `used`, with the
/// subnet's prefix length; `None` where all are in use.
///
/// In IPv4 the network's and the broadcast address are left out, in IPv6 that of the subnet's
/// routers (RFC 4291, 2.6.1); not so on links of two (RFC 3021, RFC 6164).
pub(crate) fn next_free(subnet: IpNet, used: &BTreeSet<IpAddr>) -> Option<IpNet> {
    // `hosts` knows of IPv4's two; skipping what is used takes at most one step per address
    // in use, whatever the subnet's size.
    let is_whole = subnet.prefix_len() + 1 >= subnet.max_prefix_len();
    let is_router = |host: &IpAddr| host.is_ipv6() && !is_whole && *host == subnet.network();
    let free = subnet
        .hosts()
        .find(|host| !is_router(host) && !used.contains(host))?;
    IpNet::new(free, subnet.prefix_len()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(subnet: &str) -> Vec<String> {
        let subnet = subnet.parse().unwrap();
        let mut used = BTreeSet::new();
        let mut given = Vec::new();
        while let Some(next) = next_free(subnet, &used) {
            used.insert(next.addr());
            given.push(next.to_string());
        }
        given
    }

    #[test]
    fn every_host_address_is_given_once_and_no_other() {
        assert_eq!(
            all("10.0.0.0/29"),
            (1..=6)
                .map(|n| format!("10.0.0.{n}/29"))
                .collect::<Vec<_>>()
        );
        assert_eq!(all("10.0.0.0/31"), ["10.0.0.0/31", "10.0.0.1/31"]);
        assert_eq!(
            all("fd00::/126"),
            ["fd00::1/126", "fd00::2/126", "fd00::3/126"]
        );
        assert_eq!(all("fd00::/127"), ["fd00::/127", "fd00::1/127"]);
        assert_eq!(all("10.0.0.0/24").len(), 254);
    }

    #[test]
    fn an_address_that_is_free_again_is_given_again() {
        let used: BTreeSet<IpAddr> = ["10.0.0.1", "10.0.0.3"].map(|a| a.parse().unwrap()).into();
        let next = next_free("10.0.0.0/24".parse().unwrap(), &used);
        assert_eq!(next.unwrap().to_string(), "10.0.0.2/24");
    }

    #[test]
    fn a_large_subnet_takes_no_longer() {
        let next = next_free("fd00::/8".parse().unwrap(), &BTreeSet::new());
        assert_eq!(next.unwrap().to_string(), "fd00::1/8");
    }
}
