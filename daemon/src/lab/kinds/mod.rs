//! Kinds of interfaces behind ports: how each is made, saved, restored and given back.
//!
//! # Theory of operation
//!
//! A kind is a module with a type that implements [`Kind`], a `Saved` form of it, which is written to
//! disk and handed to a successor under the kind's tag, and a function `recalled` that makes the one of
//! the other. Its line in the list of kinds below makes it known. All else in the lab, and all of the
//! daemon, knows ports, and not their kinds.
//!
//! The sockets of a port are the library's: what passes them to another process is
//! `vswitch_switch::port::PortKind`.

mod cable;
mod device;
mod former;
mod taken;
mod tap;

use serde::{Deserialize, Serialize};
use vswitch_netns::{Link, Netlink};
use vswitch_switch::Port;
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::LinkState;

use super::sockets::Sockets;
use super::{Lab, LabError, Plug};
use crate::namespaces::Namespaces;
use vswitch_control::names::SwitchName;
use vswitch_control::protocol::PortAddParams;
use vswitch_control::rights;

#[cfg(test)]
pub(crate) use cable::Saved as SavedCable;
pub(super) use cable::{Cable, remove as remove_cable};
pub(crate) use device::{DeviceError, open_device};
pub(super) use device::{Reason, kind_of};
pub(super) use former::open_to_claim;

/// What a port is plugged into.
pub(super) trait Kind: Send + Sync {
    /// As it is kept on disk, and handed to a successor.
    fn saved(&self) -> SavedKind;

    /// The cable to a namespace that it is, if it is one.
    fn cable(&self) -> Option<&Cable> {
        None
    }

    /// The same, to be changed.
    fn cable_mut(&mut self) -> Option<&mut Cable> {
        None
    }

    /// The namespace behind it, where that is known.
    fn namespace(&self) -> Option<&str> {
        self.cable().map(|cable| cable.namespace.as_str())
    }

    /// Whether the switch has made the interface, so that it is removed with the port.
    fn is_made(&self) -> bool;

    /// Whether the host itself uses the interface, which is the other end of a device that the port
    /// holds: the host's stack is let in, and the port goes on wherever the interface is moved.
    fn is_of_host(&self) -> bool {
        false
    }

    /// Notes the interface as it is now, so that it can be given back.
    fn remember(&mut self, link: &Link);

    /// Opens the interface of an absent port again, if it can be: `link` is the one of its name.
    /// Nothing is changed where this fails.
    fn reopen(
        &self,
        tools: &mut Tools<'_>,
        facts: &Facts,
        link: Option<&Link>,
    ) -> Result<Option<Reopened>, LabError>;

    /// Removes the interface of a port that was unplugged, or restores it as it was before.
    fn give_back(&self, tools: &mut Tools<'_>, facts: &Facts) -> Result<(), LabError>;

    /// The same for a switch that was killed; `interface` was the name of its port's. What carries
    /// the switch's name is removed besides.
    fn give_back_killed(&self, netlink: &mut Netlink, interface: &str) -> Result<(), LabError>;
}

/// Makes what is known of all kinds from the list of them.
macro_rules! kinds {
    ($($(#[$doc:meta])* $tag:ident: $module:ident),+ $(,)?) => {
        /// A [`Kind`] on disk: its tag, and what it keeps.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum SavedKind {
            $($(#[$doc])* $tag($module::Saved),)+
        }

        impl SavedKind {
            /// As it was kept. The interface is yet to be found.
            pub(super) fn recalled(self) -> Box<dyn Kind> {
                match self {
                    $(Self::$tag(saved) => Box::new($module::recalled(saved)),)+
                }
            }
        }

        /// What `port add` makes of a name.
        const MAKERS: &[Option<Maker>] = &[$($module::MAKER),+];

        /// How devices are opened that the switch may not open itself.
        const OPENERS: &[Option<device::Opener>] = &[$($module::OPENER),+];
    };
}

kinds! {
    /// A veth pair to a namespace.
    Cable: cable,
    /// An interface that was there before.
    Taken: taken,
    /// A TAP device.
    Tap: tap,
}

/// How `port add` makes a port of a kind.
#[derive(Clone, Copy)]
struct Maker {
    /// What the request calls the kind: [`PortAddParams::kind`].
    name: Option<&'static str>,
    /// Plugs in the interface of this name.
    plug: fn(&mut Lab, &PortAddParams) -> Result<PortId, LabError>,
}

/// What the lab has to open and change interfaces.
pub(super) struct Tools<'a> {
    /// Whose ports they are.
    pub(super) switch: &'a SwitchName,
    /// The namespace of the daemon.
    pub(super) netlink: &'a mut Netlink,
    pub(super) sockets: &'a mut Sockets,
    /// What opens devices.
    pub(super) namespaces: &'a Namespaces,
    /// Whether a device that is missing is made again.
    pub(super) may_make: bool,
    /// How many ports there are.
    pub(super) ports: usize,
}

/// The interface of a port, as it is known.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The port's name.
    pub(super) name: String,
    /// The present name of the interface.
    pub(super) interface: String,
    /// Its index, which may be taken over once it is gone.
    pub(super) ifindex: u32,
    /// Its link.
    pub(super) link: LinkState,
}

/// The interface of a port that was opened again.
pub(super) struct Reopened {
    /// The port on it.
    pub(super) port: Box<dyn Port>,
    /// The interface.
    pub(super) link: Link,
    /// What the port is plugged into now.
    pub(super) kind: Box<dyn Kind>,
}

impl Plug {
    /// What is known of its interface.
    pub(super) fn facts(&self) -> Facts {
        Facts {
            name: self.name.clone(),
            interface: self.interface.clone(),
            ifindex: self.ifindex,
            link: self.link,
        }
    }
}

impl Lab {
    /// Plugs in an interface, which it makes where the kind of port asks for that.
    ///
    /// # Errors
    /// See [`LabError`]; nothing is changed then.
    pub(crate) fn plug(&mut self, params: &PortAddParams) -> Result<PortId, LabError> {
        let kind = params.kind.as_deref();
        let mut makers = MAKERS.iter().flatten();
        let Some(maker) = makers.find(|maker| maker.name == kind) else {
            let kind = vswitch_control::plain::text(kind.unwrap_or_default()).into_owned();
            return Err(LabError::NoSuchKind(kind));
        };
        rights::require("plug in an interface", rights::SWITCH)?;
        self.read_news();
        if let Some(id) = self.port_of_name(&params.interface) {
            if !self.look_again(id)? {
                return Err(LabError::PortHere(params.interface.clone()));
            }
            self.unplug(id)?;
        }
        (maker.plug)(self, params)
    }

    /// The port of this name, if it is one of an interface that can be unplugged by itself.
    ///
    /// # Errors
    /// [`LabError::NoPort`], [`LabError::IsCable`].
    pub(crate) fn pluggable(&self, name: &str) -> Result<PortId, LabError> {
        let Some(id) = self.port_of_name(name) else {
            return Err(LabError::NoPort {
                switch: self.switch.to_string(),
                port: vswitch_control::plain::text(name).into_owned(),
            });
        };
        if let Some(namespace) = self.plugs.get(&id).and_then(|plug| plug.kind.namespace()) {
            return Err(LabError::IsCable {
                port: name.to_owned(),
                namespace: namespace.to_owned(),
            });
        }
        Ok(id)
    }

    /// Unplugs an interface, and restores or removes it.
    ///
    /// # Errors
    /// [`LabError::NoPort`], [`LabError::IsCable`], or what the kernel refuses.
    pub(crate) fn give_back(&mut self, name: &str) -> Result<(), LabError> {
        let id = self.pluggable(name)?;
        self.unplug(id)?;
        log::info!("unplugged the interface {name}");
        Ok(())
    }
}
