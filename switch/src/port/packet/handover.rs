//! Packet ports that move to another process.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::claim::Claim;
use super::close::Closing;
use super::source::Source;
use super::standstill::{Leaving, Standstill};
use super::sys::{Position, Ring};
use super::transmit::WayOut;
use super::{PacketPort, sys};
use crate::port::handover::{exactly, mismatch};
use crate::port::{PortData, PortKind, PortParts};

/// What there is to say of a packet port beside its sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PacketData {
    /// The port's name.
    pub name: String,
    /// The index of its interface.
    pub ifindex: u32,
    /// Its MTU when it was last asked for.
    pub mtu_bytes: usize,
    /// Its receive ring, if it has one.
    pub ring: Option<RingData>,
    /// Whether a ring that has jammed is being taken away from it.
    pub is_leaving_ring: bool,
    /// Whether its link was down.
    pub is_down: bool,
    /// Whether the queue behind the interface was full.
    pub is_stuck: bool,
    /// The MTU of the other end of its cable, where that is known.
    #[cfg_attr(feature = "serde", serde(default))]
    pub peer_mtu_bytes: Option<usize>,
    /// The mark of frames whose outer tag travels beside them, where the interface does that.
    #[cfg_attr(feature = "serde", serde(default))]
    pub aside_mark: Option<u32>,
}

/// How far a receive ring has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RingData {
    /// How many slots it has.
    pub slots: usize,
    /// How long each of them is, in bytes.
    #[cfg_attr(feature = "serde", serde(default = "slot_len_before_it_was_told"))]
    pub slot_len_bytes: usize,
    /// The slot that comes next.
    pub next: usize,
    /// How many frames have been taken since losses were last asked for.
    pub taken: usize,
}

/// What programs have that do not tell [`RingData::slot_len_bytes`].
#[cfg(feature = "serde")]
const fn slot_len_before_it_was_told() -> usize {
    2048
}

impl PacketPort {
    /// Its sockets, doubled, and what there is to say of it.
    pub(super) fn to_parts(&self) -> io::Result<PortParts> {
        let ours = [
            self.source.socket().as_fd(),
            self.sender.as_fd(),
            self.claim.as_fd(),
        ];
        let doubled = ours.map(|ours| ours.try_clone_to_owned());
        let ring = self.ring.as_ref().map(|ring| RingData {
            slots: ring.len(),
            slot_len_bytes: ring.slot_len(),
            next: 0,
            taken: 0,
        });
        Ok(PortParts {
            data: PortData::Packet(self.data_with(ring)),
            descriptors: doubled.into_iter().collect::<io::Result<_>>()?,
        })
    }

    /// What there is to say of it between two batches.
    pub(super) fn tell_data(&mut self) -> PacketData {
        let asked_at = self.standstill.taken();
        let ring = self.ring.as_mut().map(|ring| {
            let Position { next, taken } = ring.position();
            RingData {
                slots: ring.len(),
                slot_len_bytes: ring.slot_len(),
                next,
                taken: taken.wrapping_sub(asked_at),
            }
        });
        self.data_with(ring)
    }

    fn data_with(&self, ring: Option<RingData>) -> PacketData {
        PacketData {
            name: self.name.clone(),
            ifindex: self.ifindex(),
            mtu_bytes: self.mtu,
            // One that has jammed is left as soon as it would be read.
            ring: ring.filter(|_| !self.standstill.has_jammed()),
            is_leaving_ring: self.leaving.is_some() || self.standstill.has_jammed(),
            is_down: self.source.is_down(),
            is_stuck: self.way_out.is_stuck,
            peer_mtu_bytes: self.way_out.peer_mtu,
            aside_mark: self.way_out.aside_mark,
        }
    }
}

impl PortKind for PacketPort {
    type Data = PacketData;

    fn assemble(data: &PacketData, descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        let [socket, sender, claim] = exactly(descriptors)?;
        let (socket, sender) = (socket.into(), sender.into());
        // Whatever has become of the interface: these are what was said to be sent.
        for socket in [&socket, &sender] {
            if sys::bound_to(socket)?.is_some_and(|index| index != data.ifindex) {
                return Err(mismatch());
            }
        }
        let ring = match data.ring {
            Some(ring) => Some(Ring::take_over(
                socket.as_fd(),
                ring.slots,
                ring.slot_len_bytes,
            )?),
            None => None,
        };
        Ok(Self {
            name: data.name.clone(),
            mtu: data.mtu_bytes,
            source: Source::taken_over(socket, data.ifindex, data.is_down),
            sender,
            ring,
            standstill: Standstill::default(),
            leaving: None,
            way_out: WayOut {
                is_stuck: data.is_stuck,
                peer_mtu: data.peer_mtu_bytes,
                aside_mark: data.aside_mark,
                ..WayOut::default()
            },
            claim: Claim::from(claim),
            closing: Closing::default(),
        })
    }

    fn go_on(&mut self, data: &PacketData) -> io::Result<()> {
        match (&mut self.ring, data.ring) {
            (Some(ring), Some(told))
                if (ring.len(), ring.slot_len()) == (told.slots, told.slot_len_bytes) =>
            {
                let RingData { next, taken, .. } = told;
                ring.go_on(Position { next, taken });
                self.standstill = Standstill::taken_over(0);
            }
            // It has jammed meanwhile, or before.
            (ring, None) => *ring = None,
            _ => return Err(mismatch()),
        }
        if data.is_leaving_ring {
            self.standstill = Standstill::jammed();
            self.leaving = Some(Leaving::begin(&self.source));
        }
        self.source.note_down(data.is_down);
        self.mtu = data.mtu_bytes;
        self.way_out.is_stuck = data.is_stuck;
        self.way_out.peer_mtu = data.peer_mtu_bytes;
        self.way_out.aside_mark = data.aside_mark;
        Ok(())
    }
}
