//! Addresses for hosts that are given none: the free ones of their switch's subnet, in the order
//! of the file; and the same as before for a host that had one, so that whoever adds a host does
//! not change the others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::draft::{Draft, Placed};
use super::parse::Problem;
use super::thing::{Key, Spec, Things};

/// Gives every attachment that has none an address, where its switch has a subnet.
pub(super) fn give(draft: &mut Draft, before: &Things, problems: &mut Vec<Problem>) {
    let mut used = spoken_for(draft);
    let subnet_of = |draft: &Draft, switch: &str| draft.switches.get(switch)?.subnet();
    for index in 0..draft.attachments.len() {
        let attachment = &draft.attachments[index];
        let subnet = subnet_of(draft, &attachment.switch.value);
        if let (None, Some(subnet)) = (&attachment.addresses, subnet) {
            let former = former(before, &attachment.host, &attachment.interface);
            if let Some(former) = former.filter(|former| {
                former.prefix_len() == subnet.prefix_len() && subnet.contains(&former.addr())
            }) && used.insert(former.addr())
            {
                give_to(draft, index, former);
            }
        }
    }
    let mut free: BTreeMap<IpNet, Free> = BTreeMap::new();
    for index in 0..draft.attachments.len() {
        let attachment = &draft.attachments[index];
        if attachment.addresses.is_some() {
            continue;
        }
        let Some(subnet) = subnet_of(draft, &attachment.switch.value) else {
            continue;
        };
        let next = free.entry(subnet).or_insert_with(|| Free::of(subnet));
        if let Some(address) = next.next(&used) {
            used.insert(address.addr());
            give_to(draft, index, address);
        } else {
            let wrong = format!(
                "no address is free in {subnet} for the host '{}': give the switch '{}' a larger \
                 subnet",
                attachment.host, attachment.switch.value
            );
            problems.push(Problem::new(attachment.span.clone(), wrong));
        }
    }
}

/// The addresses that the file names: those of hosts, and of routers that may be elsewhere.
fn spoken_for(draft: &Draft) -> BTreeSet<IpAddr> {
    let given = draft.attachments.iter().flat_map(|a| &a.addresses);
    let given = given.flatten().map(|address| address.value.addr());
    let gateways = draft.hosts.iter().flat_map(|host| {
        let vias = host.routes.iter().map(|(_, via)| via.value);
        host.gateways.iter().map(|via| via.value).chain(vias)
    });
    given.chain(gateways).collect()
}

fn give_to(draft: &mut Draft, index: usize, address: IpNet) {
    let attachment = &mut draft.attachments[index];
    attachment.addresses = Some(vec![Placed {
        value: address,
        span: attachment.span.clone(),
    }]);
}

/// The address that an interface has from the last time.
fn former(before: &Things, host: &str, interface: &str) -> Option<IpNet> {
    let key = Key::Cable {
        host: host.to_owned(),
        interface: interface.to_owned(),
    };
    match before.get(&key) {
        Some(Spec::Cable(cable)) => match cable.addresses.as_slice() {
            [one] => Some(*one),
            _ => None,
        },
        _ => None,
    }
}

/// The addresses of a subnet, one after the other.
struct Free {
    subnet: IpNet,
    hosts: ipnet::IpAddrRange,
}

impl Free {
    fn of(subnet: IpNet) -> Self {
        let hosts = subnet.hosts();
        Self { subnet, hosts }
    }

    /// The next that nobody has. In IPv6 the first of all is that of the subnet's routers
    /// (RFC 4291, 2.6.1).
    fn next(&mut self, used: &BTreeSet<IpAddr>) -> Option<IpNet> {
        let subnet = self.subnet;
        let is_whole = subnet.prefix_len() + 1 >= subnet.max_prefix_len();
        let is_router = |host: &IpAddr| host.is_ipv6() && !is_whole && *host == subnet.network();
        let free = self
            .hosts
            .find(|host| !is_router(host) && !used.contains(host))?;
        IpNet::new(free, subnet.prefix_len()).ok()
    }
}
