//! Cables between switches.

use std::hash::{BuildHasher, RandomState};

use anyhow::Context;
use vswitch_netns::{InterfaceName, LinkChange, LinkError, Netlink, VethEnd};
use vswitch_switch::frame::MacAddr;

use super::Worker;
use crate::record::Proof;
use crate::survey::is_station;
use crate::thing::{Key, Spec};

impl Worker<'_> {
    /// Makes a veth pair, both of whose ends stay here. Their addresses, which nobody else has,
    /// are written down before: by them the pair is known again.
    pub(super) fn make_pair(&self, key: &Key, ends: [&String; 2], mtu: u32) -> anyhow::Result<()> {
        let stations = ends.map(|_| station());
        let proof = Proof::Stations(stations.map(|mac| mac.to_string()));
        self.doer.making(key, &Spec::Pair { mtu }, proof)?;
        let mut netlink = Netlink::open()?;
        let end = |index: usize| -> anyhow::Result<VethEnd> {
            let name = InterfaceName::new(ends[index])?;
            Ok(VethEnd::new(name).mac(stations[index].0).mtu_bytes(mtu))
        };
        netlink.create_veth(&end(0)?, &end(1)?, None)?;
        for name in ends {
            let link = netlink.link(name)?;
            let alias = LinkChange::new().alias(format!("vswitch lab {}", self.doer.lab));
            netlink.change_link(&link, &alias)?;
        }
        Ok(())
    }

    /// Removes a pair, if it is the one that was made.
    pub(super) fn remove_pair(&self, key: &Key, ends: [&String; 2]) -> anyhow::Result<()> {
        let Some(Proof::Stations(stations)) = self.doer.noted(key).map(|noted| noted.proof) else {
            return Ok(());
        };
        let mut netlink = Netlink::open()?;
        for (name, station) in ends.into_iter().zip(&stations) {
            if let Some(link) = netlink.find_link(name)?
                && is_station(&link, station)
            {
                match netlink.delete_link(&link) {
                    Ok(()) | Err(LinkError::NotFound { .. }) => {}
                    Err(error) => return Err(error).context("cannot remove a link"),
                }
            }
        }
        Ok(())
    }
}

/// A random address of one's own making (IEEE 802-2014 8.4.2).
fn station() -> MacAddr {
    let [_, _, _, b, c, d, e, f] = RandomState::new().hash_one(0_u8).to_be_bytes();
    MacAddr([2, b, c, d, e, f])
}
