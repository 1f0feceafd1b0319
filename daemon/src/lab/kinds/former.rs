//! Interfaces that exist without their port: how they were before, and how they are put back.

use vswitch_netns::{Link, LinkChange, LinkError, Netlink, Quiet, QuietError};
use vswitch_switch::port::{LinkState, PacketError, PacketOptions, PacketPort, ReceivePath};

use super::{Facts, Tools};
use crate::lab::LabError;
use crate::state::SavedFormer;
use vswitch_control::marks::{GROUP, owner_of};

/// How an interface was before it became a port.
#[derive(Clone)]
pub(super) struct Former {
    pub(super) up: bool,
    pub(super) quiet: Quiet,
}

impl Former {
    pub(super) fn saved(&self) -> SavedFormer {
        SavedFormer::new(self.up, self.quiet.before())
    }

    /// What was kept of `link`.
    pub(super) fn recalled(link: Link, saved: &SavedFormer) -> Self {
        Self {
            up: saved.up,
            quiet: Quiet::recalled(link, saved.before()),
        }
    }

    /// Notes the interface as it is now.
    pub(super) fn remember(&mut self, link: &Link) {
        self.quiet = Quiet::recalled(link.clone(), self.quiet.before().clone());
    }

    /// Restores the interface of a port, if it is still there.
    pub(super) fn restore(&self, netlink: &mut Netlink, facts: &Facts) -> Result<(), LabError> {
        if facts.link == LinkState::Absent {
            return Ok(());
        }
        let Some(link) = netlink.link_by_index(facts.ifindex)? else {
            return Ok(());
        };
        self.put_back(netlink, &link)
    }

    /// Gives an interface back as it was; one that has gone is none.
    pub(super) fn put_back(&self, netlink: &mut Netlink, link: &Link) -> Result<(), LabError> {
        let state = LinkChange::new().up(self.up);
        match netlink.unquiet(&self.quiet) {
            Ok(()) => {}
            // It has gone in this very moment.
            Err(QuietError::Link(LinkError::NotFound { .. })) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        match netlink.change_link(link, &state) {
            Err(LinkError::NotFound { .. }) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Restores the interface of a port of a killed switch, unless another switch has it.
    pub(super) fn restore_killed(
        saved: &SavedFormer,
        netlink: &mut Netlink,
        interface: &str,
    ) -> Result<(), LabError> {
        let Some(link) = netlink.find_link(interface)? else {
            return Ok(());
        };
        if netlink.is_quiet(&link)
            && let Ok(port) = open_to_claim(interface)
        {
            Self::recalled(link.clone(), saved).put_back(netlink, &link)?;
            drop(port);
        }
        Ok(())
    }
}

/// Opens a port just to be alone with the interface: without a ring.
pub(in crate::lab) fn open_to_claim(interface: &str) -> Result<PacketPort, PacketError> {
    let options = PacketOptions {
        receive: ReceivePath::Socket,
        ..PacketOptions::default()
    };
    PacketPort::open_with(interface, &options)
}

/// Refuses what cannot be a port, or is already used by something else.
pub(super) fn refuse_unfit(link: &Link) -> Result<(), LabError> {
    let interface = link.name.clone();
    if !link.is_ethernet() {
        return Err(LabError::NotEthernet(interface));
    }
    if let Some(switch) = owner_of(link) {
        let switch = switch.to_owned();
        return Err(LabError::CableEnd { interface, switch });
    }
    if link.master.is_some() {
        return Err(LabError::Enslaved(interface));
    }
    Ok(())
}

/// An interface that was opened again by a packet socket, and is quiet and up.
pub(super) struct Again {
    pub(super) port: PacketPort,
    /// How it was before; none if it carries this switch's name, which made it.
    pub(super) former: Option<Former>,
    /// The interface.
    pub(super) link: Link,
}

/// Opens `link`, the interface of an absent port, of which `known` tells how it was before.
pub(super) fn open_again(
    tools: &mut Tools<'_>,
    facts: &Facts,
    known: Option<&Former>,
    link: &Link,
) -> Result<Again, LabError> {
    let is_ours = owner_of(link) == Some(tools.switch.as_str());
    if link.group == GROUP && owner_of(link).is_none() {
        return Err(LabError::BeingMade(link.name.clone()));
    }
    if !is_ours {
        refuse_unfit(link)?;
    }
    // Who holds this is alone with the interface: nothing was changed before.
    let port = tools.sockets.open_again(&link.name, tools.ports)?;
    let former = quiet_again(tools.netlink, known, link)?;
    let gone = || LinkError::NotFound {
        name: link.name.clone(),
    };
    match tools.netlink.link_by_index(link.index) {
        Ok(Some(link)) => Ok(Again {
            port: port.named(facts.name.clone()),
            former: (!is_ours).then_some(former),
            link,
        }),
        outcome => {
            if !is_ours && let Err(error) = former.put_back(tools.netlink, link) {
                log::warn!("cannot restore {}: {error}", link.name);
            }
            outcome?;
            Err(gone().into())
        }
    }
}

/// Makes the interface quiet, unless it is so still, and switches it on then. Gives how it was
/// before it was a port.
fn quiet_again(
    netlink: &mut Netlink,
    known: Option<&Former>,
    link: &Link,
) -> Result<Former, LabError> {
    let known = known.map(|former| (former.up, former.quiet.before().clone()));
    if netlink.is_quiet(link)
        && let Some((up, before)) = &known
    {
        return Ok(Former {
            up: *up,
            quiet: Quiet::recalled(link.clone(), before.clone()),
        });
    }
    let quiet = netlink.quiet(link)?;
    if let Err(error) = netlink.set_up(link) {
        let _ = netlink.unquiet(&quiet);
        return Err(error.into());
    }
    let mut before = quiet.before().clone();
    // It may be the same one, and without ARP and addresses through us.
    if let Some((_, known)) = &known {
        before.arp |= known.arp;
        let lost = known.ipv6_addresses.iter();
        let lost: Vec<_> = lost
            .filter(|address| !before.ipv6_addresses.contains(address))
            .copied()
            .collect();
        before.ipv6_addresses.extend(lost);
    }
    let up = known.map_or(link.up, |(up, _)| up);
    let quiet = Quiet::recalled(link.clone(), before);
    Ok(Former { up, quiet })
}
