//! TAP devices that move to another process.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

use super::TapPort;
use super::losses::Losses;
use crate::port::handover::mismatch;
use crate::port::offload::Scratch;
use crate::port::{PortData, PortKind, PortParts};

/// What there is to say of a TAP port beside its descriptors.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TapData {
    /// The port's name.
    pub name: String,
    /// Whether frames may have partial checksums and be super-frames.
    pub offloads: bool,
    /// Its MTU when it was last asked for.
    pub mtu_bytes: usize,
    /// What it had lost when that was last counted.
    pub losses_counted: u64,
    /// Whether the device was made persistent, to be removed with the port.
    #[cfg_attr(feature = "serde", serde(default))]
    pub is_kept: bool,
}

impl TapPort {
    /// Its descriptors, doubled, and what there is to say of it.
    pub(super) fn to_parts(&self) -> io::Result<PortParts> {
        let mut ours = vec![self.tun.as_fd(), self.query.as_fd()];
        ours.extend(self.losses.as_ref().map(|losses| losses.parts().0.as_fd()));
        let doubled = ours.into_iter().map(|ours| ours.try_clone_to_owned());
        Ok(PortParts {
            data: PortData::Tap(self.to_data()),
            descriptors: doubled.collect::<io::Result<_>>()?,
        })
    }

    /// What there is to say of it between two batches.
    pub(super) fn to_data(&self) -> TapData {
        TapData {
            name: self.name.clone(),
            offloads: self.offloads,
            mtu_bytes: self.mtu,
            losses_counted: self.losses.as_ref().map_or(0, |losses| losses.parts().1),
            is_kept: self.is_kept,
        }
    }
}

impl PortKind for TapPort {
    type Data = TapData;

    fn assemble(data: &TapData, descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        let mut descriptors = descriptors.into_iter();
        let (Some(tun), Some(query)) = (descriptors.next(), descriptors.next()) else {
            return Err(mismatch());
        };
        let statistics = descriptors.next().map(File::from);
        Ok(Self {
            name: data.name.clone(),
            tun: File::from(tun),
            offloads: data.offloads,
            mtu: data.mtu_bytes,
            query: UnixDatagram::from(query),
            losses: statistics.map(|file| Losses::taken_over(file, data.losses_counted)),
            is_kept: data.is_kept,
            scratch: Scratch::default(),
        })
    }

    fn go_on(&mut self, data: &TapData) -> io::Result<()> {
        self.mtu = data.mtu_bytes;
        let losses = self.losses.take();
        self.losses = losses.map(|losses| losses.counted_to(data.losses_counted));
        Ok(())
    }
}
