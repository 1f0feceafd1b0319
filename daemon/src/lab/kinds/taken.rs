//! Interfaces that were there before: plugged in as ports, and given back as they were.

use vswitch_netns::{Link, Netlink};
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::PacketPort;

use super::device::Opener;
use super::former::{Former, open_again, refuse_unfit};
use super::{Facts, Kind, Maker, Reopened, SavedKind, Tools};
use crate::lab::losses::Ledger;
use crate::lab::{Lab, LabError, Plug};
use crate::state::SavedFormer;
use vswitch_control::protocol::PortAddParams;

/// An interface that was there before, and will be as it was.
struct Taken(Former);

/// What is kept of it.
pub(super) type Saved = SavedFormer;

/// `port add IFACE` plugs one in.
pub(super) const MAKER: Option<Maker> = Some(Maker {
    name: None,
    plug: |lab, params| lab.take(params),
});

/// No device is behind it.
pub(super) const OPENER: Option<Opener> = None;

#[expect(clippy::needless_pass_by_value, reason = "all kinds are made so")]
pub(super) fn recalled(saved: Saved) -> impl Kind {
    Taken(Former::recalled(Link::default(), &saved))
}

impl Kind for Taken {
    fn saved(&self) -> SavedKind {
        SavedKind::Taken(self.0.saved())
    }

    fn is_made(&self) -> bool {
        false
    }

    fn remember(&mut self, link: &Link) {
        self.0.remember(link);
    }

    fn reopen(
        &self,
        tools: &mut Tools<'_>,
        facts: &Facts,
        link: Option<&Link>,
    ) -> Result<Option<Reopened>, LabError> {
        let Some(link) = link else { return Ok(None) };
        let again = open_again(tools, facts, Some(&self.0), link)?;
        Ok(Some(Reopened {
            port: Box::new(again.port),
            link: again.link,
            kind: Box::new(Self(again.former.unwrap_or_else(|| self.0.clone()))),
        }))
    }

    fn give_back(&self, tools: &mut Tools<'_>, facts: &Facts) -> Result<(), LabError> {
        self.0.restore(tools.netlink, facts)
    }

    fn give_back_killed(&self, netlink: &mut Netlink, interface: &str) -> Result<(), LabError> {
        Former::restore_killed(&self.0.saved(), netlink, interface)
    }
}

impl Lab {
    /// Plugs in an existing interface, which the host's own stack then leaves alone. Without `force`
    /// not where a default route leads through the interface.
    fn take(&mut self, params: &PortAddParams) -> Result<PortId, LabError> {
        let interface = params.interface.as_str();
        let link = self.netlink.link(interface)?;
        refuse_unfit(&link)?;
        if !params.force
            && let Some(through) = self.netlink.default_route_through(&link)?
        {
            return Err(LabError::Uplink {
                interface: interface.to_owned(),
                through: through.name,
            });
        }
        // Who holds this is alone with the interface: nothing was changed before.
        let port = self.prepared_port().open(interface)?;
        if !link.arp {
            self.restore_leftover(&link);
        }
        let link = self.netlink.link(interface)?;
        let former = Former {
            up: link.up,
            quiet: self.netlink.quiet(&link)?,
        };
        let id = match self.start(&link, port) {
            Ok(id) => id,
            Err(error) => {
                if let Err(error) = former.put_back(&mut self.netlink, &link) {
                    log::warn!("cannot restore {interface}: {error}");
                }
                return Err(error);
            }
        };
        let mut plug = Plug::new(interface.to_owned(), &link, Box::new(Taken(former)));
        plug.ledger = Ledger::begin(self.lost_by(link.index));
        self.plugs.insert(id, plug);
        self.note_peer(id, &link);
        if let Err(error) = self.look_again(id) {
            log::warn!("cannot tell the state of port {id}: {error}");
        }
        log::info!("plugged in the interface {interface} as port {id}");
        Ok(id)
    }

    fn start(&mut self, link: &Link, port: PacketPort) -> Result<PortId, LabError> {
        self.netlink.set_up(link)?;
        self.captions.set(&link.name, None);
        Ok(self.handle.add_port(port)?)
    }
}
