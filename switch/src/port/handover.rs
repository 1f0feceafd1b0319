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

use super::{PacketPort, Port, TapPort, VacantPort};

/// A kind of port that another process can go on with.
///
/// A kind is the folder with its [`Port`], which implements this, and its line in the list of kinds
/// below this trait. What one process says of a port, [`Port::parts`] and [`Port::data`], is a
/// [`PortData`] of the same line.
pub trait PortKind: Port + Sized + 'static {
    /// What there is to say of a port beside its descriptors.
    type Data;

    /// Puts a port together of what another process has taken apart. It is not used before
    /// [`PortKind::go_on`].
    fn assemble(data: &Self::Data, descriptors: Vec<OwnedFd>) -> io::Result<Self>;

    /// Goes on where the other process has ended, of which `data` tells.
    fn go_on(&mut self, data: &Self::Data) -> io::Result<()>;
}

/// Makes [`PortData`], [`AnyPort`] and what is done with them from a list of kinds.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $port:ty),+ $(,)?) => {
        /// What there is to say of a port beside its descriptors.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
        #[non_exhaustive]
        pub enum PortData {
            $($(#[$doc])* $kind(<$port as PortKind>::Data),)+
        }

        /// A port that was put together.
        #[derive(Debug)]
        enum AnyPort {
            $($kind(Box<$port>),)+
        }

        impl PortParts {
            /// Puts the port together again, but for where it goes on.
            pub fn assemble(self) -> io::Result<Assembled> {
                let Self { data, descriptors } = self;
                let port = match data {
                    $(PortData::$kind(data) => {
                        AnyPort::$kind(Box::new(<$port>::assemble(&data, descriptors)?))
                    })+
                };
                Ok(Assembled(port))
            }
        }

        impl Assembled {
            /// The port, from where the other process has ended. It fails where the data are another
            /// port's.
            pub fn go_on(self, from: &PortData) -> io::Result<Box<dyn Port>> {
                match (self.0, from) {
                    $((AnyPort::$kind(mut port), PortData::$kind(data)) => {
                        port.go_on(data)?;
                        Ok(port)
                    })+
                    _ => Err(mismatch()),
                }
            }
        }
    };
}

kinds! {
    /// A [`PacketPort`].
    Packet: PacketPort,
    /// A [`TapPort`].
    Tap: TapPort,
    /// A [`VacantPort`].
    Vacant: VacantPort,
}

/// A port, taken apart.
#[derive(Debug)]
pub struct PortParts {
    /// What there was to say of it then.
    pub data: PortData,
    /// Its descriptors, in an order of its own.
    pub descriptors: Vec<OwnedFd>,
}

/// A port that was put together, and does not yet know where to go on.
#[derive(Debug)]
pub struct Assembled(AnyPort);

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
