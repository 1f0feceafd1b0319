//! `vswitch addr`: addresses of interfaces.

use anyhow::bail;
use ipnet::IpNet;
use serde::Serialize;
use vswitch_netns::{Address, DuplicateDetection, InterfaceName, Link};

use super::WrongUsage;
use super::link::flags;
use crate::args::{AddrAction, AddrArgs, AddrFilter, Family, Inside, Written};
use crate::place::Place;
use crate::render;

/// An interface as `--json` has it: the field names of `ip -j addr`.
#[derive(Serialize)]
struct Entry<'a> {
    ifindex: u32,
    ifname: &'a str,
    flags: Vec<&'static str>,
    mtu: u32,
    operstate: &'static str,
    addr_info: Vec<Info>,
}

#[derive(Serialize)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "the flags that `ip -j addr` has"
)]
struct Info {
    family: &'static str,
    local: String,
    prefixlen: u8,
    scope: String,
    dynamic: bool,
    tentative: bool,
    dadfailed: bool,
}

impl<'a> From<&'a (Link, Vec<Address>)> for Entry<'a> {
    fn from((link, addresses): &'a (Link, Vec<Address>)) -> Self {
        Self {
            ifindex: link.index,
            ifname: &link.name,
            flags: flags(link),
            mtu: link.mtu_bytes,
            operstate: render::state_of(link),
            addr_info: addresses.iter().map(Info::from).collect(),
        }
    }
}

impl From<&Address> for Info {
    fn from(address: &Address) -> Self {
        Self {
            family: match address.net {
                IpNet::V4(_) => "inet",
                IpNet::V6(_) => "inet6",
            },
            local: address.net.addr().to_string(),
            prefixlen: address.net.prefix_len(),
            scope: address.scope.to_string(),
            dynamic: !address.permanent,
            tentative: address.tentative,
            dadfailed: address.duplicate,
        }
    }
}

pub(crate) fn run(args: AddrArgs) -> anyhow::Result<()> {
    match args.action {
        None => show(
            &args.inside,
            &args.family,
            &AddrFilter::default(),
            args.json,
        ),
        Some(AddrAction::Show(args)) => {
            let (inside, family, json) = (args.inside.clone(), args.family.clone(), args.json);
            let filter = args.resolve().map_err(WrongUsage)?;
            show(&inside, &family, &filter, json)
        }
        Some(AddrAction::Add(args)) => {
            let inside = args.inside.clone();
            let (address, device) = args.resolve().map_err(WrongUsage)?;
            let (mut place, link) = find(&inside, &device)?;
            // Where one hand gives out the addresses, none need be asked for on the network.
            let detection = DuplicateDetection::Skip;
            place.netlink.add_address(&link, address, detection)?;
            place.announce(&link, |ip| ip == address.addr());
            Ok(())
        }
        Some(AddrAction::Del(args)) => {
            let inside = args.inside.clone();
            let (address, device) = args.resolve().map_err(WrongUsage)?;
            delete(&inside, address, &device)
        }
        Some(AddrAction::Flush(args)) => {
            let (inside, family) = (args.inside.clone(), args.family.clone());
            let device = args.resolve().map_err(WrongUsage)?;
            let (mut place, link) = find(&inside, &device)?;
            for address in place.netlink.addresses(Some(&link))? {
                // The kernel takes those along that are of the same network as a first one.
                if family.takes(&address.net) && has(&mut place, &link, address.net)? {
                    place.netlink.delete_address(&link, address.net)?;
                }
            }
            Ok(())
        }
    }
}

fn find(inside: &Inside, device: &InterfaceName) -> anyhow::Result<(Place, Link)> {
    let mut place = Place::open_to("change an address", inside.namespace.as_ref())?;
    let link = place.link(device)?;
    Ok((place, link))
}

fn has(place: &mut Place, link: &Link, net: IpNet) -> anyhow::Result<bool> {
    let addresses = place.netlink.addresses(Some(link))?;
    Ok(addresses.iter().any(|address| address.net == net))
}

fn delete(inside: &Inside, address: Written, device: &InterfaceName) -> anyhow::Result<()> {
    let (mut place, link) = find(inside, device)?;
    let net = match address {
        Written::WithLength(net) => net,
        Written::Bare(address) => {
            let mut all = place.netlink.addresses(Some(&link))?;
            all.retain(|held| held.net.addr() == address);
            match all.as_slice() {
                [one] => one.net,
                [] => bail!("the interface {device} does not have the address {address}"),
                _ => bail!(
                    "the interface {device} has {address} with several prefix lengths: say which, as in {}",
                    all[0].net
                ),
            }
        }
    };
    Ok(place.netlink.delete_address(&link, net)?)
}

fn show(inside: &Inside, family: &Family, filter: &AddrFilter, json: bool) -> anyhow::Result<()> {
    let mut place = Place::open(inside.namespace.as_ref())?;
    let wanted = match &filter.name {
        Some(name) => Some(place.link(name)?.index),
        None => None,
    };
    let links = place.netlink.links()?;
    let mut addresses = place.netlink.addresses(None)?;
    addresses.retain(|address| family.takes(&address.net));
    let interfaces: Vec<(Link, Vec<Address>)> = links
        .into_iter()
        .filter(|link| wanted.is_none_or(|index| link.index == index))
        .filter(|link| !filter.up || link.up)
        .map(|link| {
            let own = addresses
                .iter()
                .filter(|address| address.link_index == link.index);
            let own = own.cloned().collect();
            (link, own)
        })
        .collect();
    if json {
        let entries: Vec<Entry<'_>> = interfaces.iter().map(Entry::from).collect();
        render::print_json(&entries)?;
    } else {
        render::print(&render::addresses(&interfaces))?;
    }
    Ok(())
}
