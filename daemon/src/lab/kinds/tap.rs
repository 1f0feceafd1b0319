//! TAP devices: an interface of the host whose other end is the switch. `port add --tap` makes them.
//!
//! # Theory of operation
//!
//! One that is made is persistent and carries the switch's name as its alias. So it survives when the
//! switch is killed, with all that the host has set on it, and the next switch of that name attaches to
//! it again; `port del` and `stop` remove it. A persistent device that was there before is attached to
//! while nothing else is, and left as it was. `/dev/net/tun` is opened by the broker: the switch has
//! neither the path nor the right.
//!
//! The port is the descriptor, not the interface: it goes on when the interface is moved to another
//! network namespace, of which the kernel's news say only that it is gone from this one.

use std::thread;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use vswitch_netns::{InterfaceName, Link, LinkChange, LinkError, MacBytes, Netlink};
use vswitch_switch::bridge::PortId;
use vswitch_switch::frame::MacAddr;
use vswitch_switch::port::{
    LinkState, Port, PortData, PortKind, PortParts, TapError, TapOptions, TapPort,
};

use super::device::{DeviceError, Opener, Reason};
use super::{Facts, Kind, Maker, Reopened, SavedKind, Tools};
use crate::lab::links::ELSEWHERE;
use crate::lab::sockets::{INTERVAL, PATIENCE};
use crate::lab::{Lab, LabError, Plug};
use vswitch_control::marks::{ALIAS_PREFIX, owner_of};
use vswitch_control::protocol::PortAddParams;

/// What the kernel calls the driver of TAP devices.
const DRIVER: &str = "tun";

/// `port add --tap NAME` makes one, or attaches to it.
pub(super) const MAKER: Option<Maker> = Some(Maker {
    name: Some("tap"),
    plug: |lab, params| lab.plug_tap(params),
});

/// Who has the right to `/dev/net/tun` opens one so.
pub(super) const OPENER: Option<Opener> = Some(Opener {
    kind: "tap",
    driver: DRIVER,
    open: |name| {
        let port = TapPort::create(Some(name), TapOptions::default())?;
        port.parts()
            .map_err(|error| DeviceError::system(format!("cannot hand over {name}: {error}")))?
            .ok_or_else(|| DeviceError::system(format!("cannot hand over {name}")))
    },
});

/// A TAP device behind a port.
#[derive(Clone)]
struct Tap {
    /// Whether it was made for the port.
    is_made: bool,
    /// Whether it was up before it became a port.
    was_up: bool,
    /// Its MAC address, which it gets again if it has to be made again.
    mac: Option<MacBytes>,
}

/// A TAP device as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// Whether it was made for the port.
    made: bool,
    /// Whether it was up before it became a port.
    up: bool,
    /// Its MAC address.
    mac: Option<String>,
}

pub(super) fn recalled(saved: Saved) -> impl Kind {
    let mac: Option<MacAddr> = saved.mac.and_then(|mac| mac.parse().ok());
    Tap {
        is_made: saved.made,
        was_up: saved.up,
        mac: mac.map(|mac| mac.0),
    }
}

impl Kind for Tap {
    fn saved(&self) -> SavedKind {
        SavedKind::Tap(Saved {
            made: self.is_made,
            up: self.was_up,
            mac: self.mac.map(|mac| MacAddr(mac).to_string()),
        })
    }

    fn is_made(&self) -> bool {
        self.is_made
    }

    fn is_of_host(&self) -> bool {
        true
    }

    fn remember(&mut self, link: &Link) {
        self.mac = link.mac;
    }

    fn reopen(
        &self,
        tools: &mut Tools<'_>,
        facts: &Facts,
        link: Option<&Link>,
    ) -> Result<Option<Reopened>, LabError> {
        // One that was deleted or moved elsewhere before is not made again.
        let was_here = facts.ifindex != ELSEWHERE;
        if link.is_none() && !(self.is_made && tools.may_make && was_here) {
            return Ok(None);
        }
        if let Some(link) = link {
            refuse_unfit(link, Some(tools.switch.as_str()))?;
        }
        let opened = loop {
            match open(tools, &facts.interface) {
                Err(LabError::Device(DeviceError {
                    reason: Reason::InUse,
                    ..
                })) if tools.sockets.await_end_of_others() => {}
                opened => break opened?,
            }
        };
        let Opened { port, link, is_new } = opened;
        let is_ours = owner_of(&link) == Some(tools.switch.as_str());
        if is_new {
            set_mac(tools.netlink, &link, self.mac)?;
        }
        if is_new || !is_ours {
            tools.netlink.set_up(&link)?;
        }
        let kind = Self {
            is_made: is_ours,
            // Another one that was made in the place of ours, or the same that was there before.
            was_up: if self.is_made && !is_ours {
                link.up
            } else {
                self.was_up
            },
            mac: link.mac,
        };
        let gone = || LinkError::NotFound {
            name: facts.interface.clone(),
        };
        Ok(Some(Reopened {
            port: Box::new(port.named(facts.name.clone())),
            link: tools.netlink.link_by_index(link.index)?.ok_or_else(gone)?,
            kind: Box::new(kind),
        }))
    }

    fn give_back(&self, tools: &mut Tools<'_>, facts: &Facts) -> Result<(), LabError> {
        if facts.link == LinkState::Absent || facts.ifindex == ELSEWHERE {
            return Ok(());
        }
        let Some(link) = tools.netlink.link_by_index(facts.ifindex)? else {
            // It went with its last descriptor.
            return Ok(());
        };
        if link.kind.as_deref() != Some(DRIVER) || link.name != facts.interface {
            return Ok(());
        }
        let undone = if !self.is_made {
            let state = LinkChange::new().up(self.was_up);
            tools.netlink.change_link(&link, &state)
        } else if owner_of(&link) == Some(tools.switch.as_str()) {
            tools.netlink.delete_link(&link)
        } else {
            Ok(())
        };
        match undone {
            Err(LinkError::NotFound { .. }) => Ok(()),
            other => Ok(other?),
        }
    }

    fn give_back_killed(&self, netlink: &mut Netlink, interface: &str) -> Result<(), LabError> {
        if self.is_made || self.was_up {
            return Ok(());
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = netlink.find_link(interface)?;
            let Some(link) = found.filter(|link| link.kind.as_deref() == Some(DRIVER)) else {
                return Ok(());
            };
            if !link.lower_up {
                return Ok(netlink.set_down(&link)?);
            }
            // With a carrier, a process is attached to it: the one that was killed, still, or another.
            if Instant::now() >= deadline {
                return Ok(());
            }
            thread::sleep(INTERVAL);
        }
    }
}

/// A device that this process is attached to.
struct Opened {
    port: TapPort,
    link: Link,
    /// Whether it was made for that.
    is_new: bool,
}

/// Attaches to a TAP device, or makes one, which is then persistent and carries the switch's name.
fn open(tools: &mut Tools<'_>, name: &str) -> Result<Opened, LabError> {
    let PortParts {
        data: PortData::Tap(data),
        descriptors,
    } = tools.namespaces.open_device("tap", name)?
    else {
        return Err(DeviceError::system(format!("{name} was not opened as a TAP device")).into());
    };
    let failed = |error: std::io::Error| {
        LabError::from(DeviceError::system(format!(
            "cannot use the TAP device {name}: {error}"
        )))
    };
    let mut port = TapPort::assemble(&data, descriptors).map_err(failed)?;
    let link = tools.netlink.link(name)?;
    let is_new = !port.is_persistent().map_err(failed)?;
    if is_new {
        // In this order: if the process is killed, no device is left that is not known as the switch's.
        let alias = format!("{ALIAS_PREFIX}{}", tools.switch);
        let alias = LinkChange::new().alias(alias);
        tools.netlink.change_link(&link, &alias)?;
    }
    if is_new || owner_of(&link) == Some(tools.switch.as_str()) {
        port.persist().map_err(failed)?;
    }
    let link = tools.netlink.link(name)?;
    Ok(Opened { port, link, is_new })
}

/// Gives a device that was made again the address that it had.
fn set_mac(netlink: &mut Netlink, link: &Link, mac: Option<MacBytes>) -> Result<(), LinkError> {
    match mac {
        Some(mac) => netlink.change_link(link, &LinkChange::new().mac(mac)),
        None => Ok(()),
    }
}

/// Refuses an interface that is not a TAP device, or is another switch's than `own`.
fn refuse_unfit(link: &Link, own: Option<&str>) -> Result<(), LabError> {
    if link.kind.as_deref() != Some(DRIVER) {
        let interface = link.name.clone();
        return Err(DeviceError::from(TapError::NotTap { interface }).into());
    }
    match owner_of(link) {
        Some(switch) if Some(switch) != own => Err(LabError::CableEnd {
            interface: link.name.clone(),
            switch: switch.to_owned(),
        }),
        _ => Ok(()),
    }
}

impl From<TapError> for DeviceError {
    fn from(error: TapError) -> Self {
        let reason = match &error {
            TapError::InUse { .. } => Reason::InUse,
            TapError::NotTap { .. } | TapError::InvalidName { .. } => Reason::Unfit,
            TapError::NoPermission { .. } => Reason::Permission,
            _ => Reason::System,
        };
        Self {
            reason,
            sentence: error.to_string(),
        }
    }
}

impl Lab {
    /// Makes a TAP device, or attaches to a persistent one that is free, and plugs it in.
    fn plug_tap(&mut self, params: &PortAddParams) -> Result<PortId, LabError> {
        let name = InterfaceName::new(&params.interface)?;
        if let Some(link) = self.netlink.find_link(name.as_str())? {
            refuse_unfit(&link, None)?;
        }
        let Opened { port, link, is_new } = open(&mut self.tools(), name.as_str())?;
        let kind = Tap {
            is_made: is_new,
            was_up: link.up,
            mac: link.mac,
        };
        let id = match self.start_tap(&link, port) {
            Ok(id) => id,
            Err(error) => {
                let facts = Facts {
                    name: link.name.clone(),
                    interface: link.name.clone(),
                    ifindex: link.index,
                    link: LinkState::Up,
                };
                if let Err(error) = kind.give_back(&mut self.tools(), &facts) {
                    log::warn!("cannot take back {name}: {error}");
                }
                return Err(error);
            }
        };
        let plug = Plug::new(name.to_string(), &link, Box::new(kind));
        self.plugs.insert(id, plug);
        if let Err(error) = self.look_again(id) {
            log::warn!("cannot tell the state of port {id}: {error}");
        }
        let how = if is_new { "made" } else { "attached to" };
        log::info!("{how} the TAP device {name} as port {id}");
        Ok(id)
    }

    fn start_tap(&mut self, link: &Link, port: TapPort) -> Result<PortId, LabError> {
        self.netlink.set_up(link)?;
        self.captions.set(&link.name, None);
        Ok(self.handle.add_port(port)?)
    }
}
