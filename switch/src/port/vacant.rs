//! A port without a device.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::{
    Arena, Batch, Counters, Port, PortData, PortKind, PortParts, RxStatus, Selection, TxReport,
    TxStatus,
};
use crate::frame::DropReason;

/// Keeps the place of a port whose device is gone: its number, name, counters and static stations.
/// It holds no descriptor and no memory of the kernel's, and takes no frame.
#[derive(Clone, Debug)]
pub struct VacantPort {
    name: String,
    mtu: usize,
}

impl VacantPort {
    /// In the place of a port of that name and MTU (bytes).
    #[must_use]
    pub const fn new(name: String, mtu: usize) -> Self {
        Self { name, mtu }
    }

    fn to_data(&self) -> PortData {
        PortData::Vacant(VacantData {
            name: self.name.clone(),
            mtu_bytes: self.mtu,
        })
    }
}

/// What there is to say of a port without a device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VacantData {
    /// The port's name.
    pub name: String,
    /// Its MTU.
    pub mtu_bytes: usize,
}

impl PortKind for VacantPort {
    type Data = VacantData;

    fn assemble(data: &VacantData, _descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        Ok(Self::new(data.name.clone(), data.mtu_bytes))
    }

    fn go_on(&mut self, _data: &VacantData) -> io::Result<()> {
        Ok(())
    }
}

impl Port for VacantPort {
    fn name(&self) -> &str {
        &self.name
    }

    fn driver(&self) -> &'static str {
        "none"
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn takes_offloads(&self) -> bool {
        true
    }

    fn takes_tag_actions(&self) -> bool {
        true
    }

    fn parts(&self) -> io::Result<Option<PortParts>> {
        Ok(Some(PortParts {
            data: self.to_data(),
            descriptors: Vec::new(),
        }))
    }

    fn data(&mut self) -> Option<PortData> {
        Some(self.to_data())
    }

    fn receive<'a>(
        &'a mut self,
        _arena: &'a mut Arena,
        _batch: &mut Batch<'a>,
        _counters: &mut Counters,
    ) -> RxStatus {
        RxStatus::LinkGone
    }

    fn transmit(&mut self, frames: Selection<'_, '_>, report: &mut TxReport<'_>) -> TxStatus {
        report.dropped(DropReason::EgressDown, frames.len());
        TxStatus::LinkGone
    }
}
