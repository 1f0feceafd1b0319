//! Giving an attached namespace other addresses while traffic flows.

use std::time::Instant;

use ipnet::IpNet;
use vswitch_netns::{AddressError, DuplicateDetection, Link, NamespaceName, Netlink};
use vswitch_switch::bridge::PortId;

use super::attach::{PATIENCE, await_address};
use super::fit::{Setting, require_ipv6};
use super::plan;
use super::{Lab, LabError};
use crate::broker::Inside;
use vswitch_control::protocol::ReaddressParams;

impl Lab {
    /// Gives the inside end of a cable these addresses instead of those that it was given before.
    /// Addresses that others have put there stay.
    ///
    /// # Errors
    /// See [`LabError`]. What was changed before it stays so, and is known.
    pub(crate) fn readdress(&mut self, params: &ReaddressParams) -> Result<(), LabError> {
        let wanted = plan::addresses(&params.addresses)?;
        let missing = || LabError::NoPort {
            switch: self.switch.to_string(),
            port: vswitch_control::plain::text(&params.port).into_owned(),
        };
        let id = self.port_of_name(&params.port).ok_or_else(missing)?;
        let Some(cable) = self.plugs.get(&id).and_then(|plug| plug.kind.cable()) else {
            return Err(LabError::Value(format!(
                "the port '{}' is an interface of yours: give it addresses yourself",
                params.port
            )));
        };
        let (namespace, peer) = (cable.namespace.clone(), cable.peer.clone());
        let former = cable.addresses.clone();
        self.refuse_taken(&namespace, &wanted)?;
        let name = NamespaceName::new(&namespace)?;
        let Inside {
            netlink: mut inner,
            announcer,
            ..
        } = self.namespaces.open(&name, false)?;
        let inside = self.require_joined(id, inner.link(&peer)?)?;
        let there = Setting::Interface(&peer);
        require_ipv6(&mut inner, &inside, &wanted, &name, there)?;
        // Of what fails half-way, all that may be there is known.
        let all = wanted
            .iter()
            .chain(former.iter().filter(|address| !wanted.contains(address)));
        self.note_addresses(id, all.copied().collect());
        replace(&mut inner, &inside, &former, &wanted)?;
        self.note_addresses(id, wanted);
        self.announce(id, &mut inner, announcer);
        Ok(())
    }

    /// Refuses an interface that has the name of the other end of a port's cable, and is another one: the
    /// name of the namespace leads elsewhere by now.
    fn require_joined(&self, id: PortId, inside: Link) -> Result<Link, LabError> {
        match self.plugs.get(&id) {
            Some(plug) if !plug.is_joined_with(&inside) => Err(LabError::LeadsElsewhere {
                namespace: plug.kind.namespace().unwrap_or_default().to_owned(),
                port: plug.name.clone(),
            }),
            _ => Ok(inside),
        }
    }

    fn note_addresses(&mut self, id: PortId, wanted: Vec<IpNet>) {
        if let Some(plug) = self.plugs.get_mut(&id)
            && let Some(cable) = plug.kind.cable_mut()
        {
            cable.addresses = wanted;
        }
    }
}

/// Adds first, so that the host is never without an address; and again at last: with the first
/// address of a subnet the kernel removes the others of it (`promote_secondaries` in
/// ip-sysctl.rst), and somebody may have taken away one that is to stay.
fn replace(
    inner: &mut Netlink,
    inside: &Link,
    former: &[IpNet],
    wanted: &[IpNet],
) -> Result<(), LabError> {
    add(inner, inside, wanted)?;
    for address in former.iter().filter(|address| !wanted.contains(address)) {
        match inner.delete_address(inside, *address) {
            Ok(()) | Err(AddressError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    add(inner, inside, wanted)?;
    let deadline = Instant::now() + PATIENCE;
    for address in wanted {
        await_address(inner, address.addr(), deadline)?;
    }
    Ok(())
}

fn add(inner: &mut Netlink, inside: &Link, addresses: &[IpNet]) -> Result<(), LabError> {
    for address in addresses {
        match inner.add_address(inside, *address, DuplicateDetection::Skip) {
            Ok(()) | Err(AddressError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
