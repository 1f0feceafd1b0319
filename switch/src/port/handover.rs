//! Ports that move to another process.
//!
//! # Theory of operation
//!
//! A socket lives as long as any process has a descriptor of it, and the kernel goes on filling
//! its queue, or its ring, whichever process reads. So a port is taken apart into descriptors, which are
//! doubled and sent, and plain data, above all how far its ring has been read. That is done in
//! two steps: the descriptors go first, and the other process maps the rings, while
//! this one still forwards. The data follow when it stands still, and the other goes on from
//! there with the next frame: none is lost, none is seen twice. As long as the other has not
//! begun, this one can go on as well.

use std::io;
use std::os::fd::OwnedFd;

use super::packet::{PacketData, PacketPort};
use super::tap::{TapData, TapPort};
use super::{Port, VacantPort};

/// What there is to say of a port beside its descriptors.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum PortData {
    /// A [`PacketPort`].
    Packet(PacketData),
    /// A [`TapPort`].
    Tap(TapData),
    /// A [`VacantPort`].
    Vacant {
        /// Its name.
        name: String,
        /// Its MTU.
        mtu_bytes: usize,
    },
}

/// A port, taken apart.
#[derive(Debug)]
pub struct PortParts {
    /// What there was to say of it then.
    pub data: PortData,
    /// Its descriptors, in an order of its own.
    pub descriptors: Vec<OwnedFd>,
}

impl PortParts {
    /// Puts the port together again, but for where it goes on.
    pub fn assemble(self) -> io::Result<Assembled> {
        let Self { data, descriptors } = self;
        let port = match data {
            PortData::Packet(data) => {
                AnyPort::Packet(Box::new(PacketPort::from_parts(&data, descriptors)?))
            }
            PortData::Tap(data) => AnyPort::Tap(Box::new(TapPort::from_parts(data, descriptors)?)),
            PortData::Vacant { name, mtu_bytes } => {
                AnyPort::Vacant(VacantPort::new(name, mtu_bytes))
            }
        };
        Ok(Assembled(port))
    }
}

/// A port that was put together, and does not yet know where to go on.
#[derive(Debug)]
pub struct Assembled(AnyPort);

#[derive(Debug)]
enum AnyPort {
    Packet(Box<PacketPort>),
    Tap(Box<TapPort>),
    Vacant(VacantPort),
}

impl Assembled {
    /// The port, from where the other process has ended. It fails where the data are another
    /// port's.
    pub fn go_on(self, from: &PortData) -> io::Result<Box<dyn Port>> {
        match (self.0, from) {
            (AnyPort::Packet(mut port), PortData::Packet(data)) => {
                port.go_on(data)?;
                Ok(port)
            }
            (AnyPort::Tap(mut port), PortData::Tap(data)) => {
                port.go_on(data);
                Ok(port)
            }
            (AnyPort::Vacant(port), PortData::Vacant { .. }) => Ok(Box::new(port)),
            _ => Err(mismatch()),
        }
    }
}

/// The data and what they are about do not go together.
pub(super) fn mismatch() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "what was said of a port does not fit it",
    )
}

/// Takes an array of exactly `N` descriptors.
pub(super) fn exactly<const N: usize>(descriptors: Vec<OwnedFd>) -> io::Result<[OwnedFd; N]> {
    descriptors.try_into().map_err(|_| mismatch())
}
