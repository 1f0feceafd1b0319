//! The ring that the kernel fills with received frames: version 2 of `packet_mmap`
//! (`Documentation/networking/packet_mmap.rst`), with small slots.
//!
//! # Theory of operation
//!
//! The ring is memory of the kernel's, mapped here: slots of equal size, each with a header whose
//! status word says whose it is. The kernel fills the slots in turn and hands each over by
//! setting its status; who has read it gives it back by clearing the status. No system call is
//! needed for either.
//!
//! A frame that does not fit into a slot is queued whole on the socket as well
//! (`PACKET_COPY_THRESH`): its slot then says so, and holds its place in the order. The kernel
//! takes slot and place in the queue under one lock (`tpacket_rcv`), so the queued frames come in
//! the order of their slots.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use super::messages::Message;
use super::{count, options};
use crate::port::BATCH;
use crate::wire::{EtherType, Offload, VlanTag};

/// Bytes of one slot: any frame of an interface with the usual MTU, and what the kernel puts
/// before it.
const SLOT_LEN: usize = 2048;
/// Slots that the kernel allocates together, as adjoining pages.
const SLOTS_IN_BLOCK: usize = 16;
/// A batch never holds all of them.
const LEAST_SLOTS: usize = 2 * BATCH;
/// Bytes of a slot that the slot's header and a socket address take (`TPACKET2_HDRLEN`).
const HEADER_LEN: usize = size_of::<libc::tpacket2_hdr>() + size_of::<libc::sockaddr_ll>();

/// A mapped receive ring of a packet socket.
#[derive(Debug)]
pub(in super::super) struct Ring {
    memory: NonNull<u8>,
    /// How many slots: a power of two.
    slots: usize,
    /// The slot that the kernel fills next, or has filled.
    next: usize,
    /// How many slots before that are still held here.
    held: usize,
}

// SAFETY: the mapping belongs to the ring alone and to no thread; it can be used and unmapped
// from any.
unsafe impl Send for Ring {}

/// Where the bytes of a frame are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Whereabouts {
    /// In the slot, whole.
    Slot,
    /// In the socket's queue, whole.
    Queue,
    /// Lost: too large for the slot, and the queue was full.
    Nowhere,
}

/// A frame that has arrived in the ring.
pub(in super::super) struct Filled<'a> {
    /// How long it is and its tag.
    pub(in super::super) message: Message,
    /// Six bytes of room, then as long as the message says offload header and frame.
    pub(in super::super) buffer: &'a mut [u8],
}

/// The slots of a ring, from the first that was not yet looked at; each is lent once.
pub(in super::super) struct Slots<'a> {
    ring: &'a mut Ring,
}

impl Ring {
    /// Asks the kernel for a ring of `slots` slots, rounded up to a power of two, and maps it. The
    /// socket must not be bound yet, and have its offload headers switched on.
    pub(in super::super) fn map(socket: BorrowedFd<'_>, slots: usize) -> io::Result<Self> {
        let slots = slots
            .max(LEAST_SLOTS)
            .checked_next_power_of_two()
            .ok_or(io::ErrorKind::InvalidInput)?;
        // The enumeration has another type in the bindings.
        let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        options::set_option(socket, libc::PACKET_VERSION, &version)?;
        // Any value but zero: what does not fit into a slot is queued.
        options::set_option(socket, libc::PACKET_COPY_THRESH, &count(SLOT_LEN))?;
        let request = libc::tpacket_req {
            tp_block_size: count(SLOT_LEN * SLOTS_IN_BLOCK),
            tp_block_nr: count(slots / SLOTS_IN_BLOCK),
            tp_frame_size: count(SLOT_LEN),
            tp_frame_nr: count(slots),
        };
        options::set_option(socket, libc::PACKET_RX_RING, &request)?;
        // SAFETY: a new mapping at an address of the kernel's choice, of the size just agreed
        // upon; nothing else refers to it.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                slots * SLOT_LEN,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_fd().as_raw_fd(),
                0,
            )
        };
        let memory = NonNull::new(memory.cast::<u8>())
            .filter(|_| memory != libc::MAP_FAILED)
            .ok_or_else(io::Error::last_os_error)?;
        Ok(Self {
            memory,
            slots,
            next: 0,
            held: 0,
        })
    }

    /// Has the kernel take the ring away from the socket, which then receives through its queue.
    /// Waits for the kernel as [`Ring::map`] does.
    pub(in super::super) fn remove(self, socket: BorrowedFd<'_>) -> io::Result<()> {
        drop(self); // a ring that is mapped is busy
        let none = libc::tpacket_req {
            tp_block_size: 0,
            tp_block_nr: 0,
            tp_frame_size: 0,
            tp_frame_nr: 0,
        };
        options::set_option(socket, libc::PACKET_RX_RING, &none)
    }

    /// Lends the slots that were filled since the last call; those lent before are given back.
    pub(in super::super) fn slots(&mut self) -> Slots<'_> {
        self.release();
        Slots { ring: self }
    }

    /// Gives back to the kernel all slots that were lent.
    pub(in super::super) fn release(&mut self) {
        let first = self.next + self.slots - self.held;
        for slot in first..first + self.held {
            self.status(self.wrapped(slot))
                .store(libc::TP_STATUS_KERNEL, Ordering::Release);
        }
        self.held = 0;
    }

    const fn wrapped(&self, slot: usize) -> usize {
        slot & (self.slots - 1)
    }

    fn slot(&self, slot: usize) -> NonNull<u8> {
        debug_assert!(slot < self.slots);
        // SAFETY: the slot is one of the ring's, all of which lie in the mapping.
        unsafe { self.memory.add(slot * SLOT_LEN) }
    }

    /// The word that says whose the slot is.
    fn status(&self, slot: usize) -> &AtomicU32 {
        // SAFETY: a slot begins with its status, which is aligned as the slot is, and which this
        // side and the kernel touch by whole words alone.
        unsafe { self.slot(slot).cast::<AtomicU32>().as_ref() }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is this ring's own, and what was lent of it has been given up.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.slots * SLOT_LEN) };
    }
}

impl<'a> Slots<'a> {
    /// Where the next frame is, if there is one.
    #[inline]
    pub(in super::super) fn peek(&self) -> Option<Whereabouts> {
        self.whereabouts(self.ring.next)
    }

    /// How many frames in a row, the next one first, are in the socket's queue; at most `most`.
    pub(in super::super) fn queued(&self, most: usize) -> usize {
        let ring = &self.ring;
        (0..most)
            .take_while(|ahead| {
                self.whereabouts(ring.wrapped(ring.next + ahead)) == Some(Whereabouts::Queue)
            })
            .count()
    }

    #[inline]
    fn whereabouts(&self, slot: usize) -> Option<Whereabouts> {
        // Were all slots held, this one would be seen a second time.
        debug_assert!(self.ring.held < self.ring.slots);
        let status = self.ring.status(slot).load(Ordering::Acquire);
        if status & libc::TP_STATUS_USER == 0 {
            return None;
        }
        if status & libc::TP_STATUS_COPY != 0 {
            return Some(Whereabouts::Queue);
        }
        let header = self.header(slot);
        Some(if header.tp_snaplen < header.tp_len {
            Whereabouts::Nowhere
        } else {
            Whereabouts::Slot
        })
    }

    /// Passes over `count` frames whose slots are filled.
    pub(in super::super) fn skip(&mut self, count: usize) {
        self.ring.next = self.ring.wrapped(self.ring.next + count);
        self.ring.held += count;
    }

    /// The next frame, which must be in its slot; `None` if its header makes no sense.
    #[inline]
    pub(in super::super) fn take(&mut self) -> Option<Filled<'a>> {
        let slot = self.ring.next;
        let header = self.header(slot);
        let base = self.ring.slot(slot);
        self.skip(1);
        // Behind the slot's header, so that the status stays out of the buffer.
        let begin = usize::from(header.tp_mac).checked_sub(Offload::LEN + ROOM)?;
        let end = usize::from(header.tp_mac).checked_add(header.tp_snaplen as usize)?;
        if begin < HEADER_LEN || end > SLOT_LEN {
            return None;
        }
        // SAFETY: the bytes lie within the slot, behind its status. The kernel does not touch a
        // slot from handing it over until its status is cleared, which `Ring::release` does, for
        // which the ring must not be lent any more; and `skip` has made sure that no other
        // part of this loan gets the slot.
        let buffer =
            unsafe { std::slice::from_raw_parts_mut(base.as_ptr().add(begin), end - begin) };
        let message = Message {
            len: buffer.len() - ROOM,
            is_truncated: false,
            tag: tag(&header),
        };
        Some(Filled { message, buffer })
    }

    /// The header of a slot that is filled.
    #[inline]
    fn header(&self, slot: usize) -> libc::tpacket2_hdr {
        // SAFETY: a slot begins with its header, any bits of which are numbers; the kernel has
        // finished writing it before it handed the slot over, which the caller has seen.
        unsafe { self.ring.slot(slot).cast::<libc::tpacket2_hdr>().read() }
    }
}

/// Bytes before the offload header, into which the addresses move when a tag is put back.
const ROOM: usize = 6;

fn tag(header: &libc::tpacket2_hdr) -> Option<VlanTag> {
    if header.tp_status & libc::TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    let has_tpid = header.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
    Some(VlanTag {
        tpid: if has_tpid {
            header.tp_vlan_tpid
        } else {
            EtherType::C_TAG.0
        },
        tci: header.tp_vlan_tci,
    })
}

const _: () = assert!(mem::offset_of!(libc::tpacket2_hdr, tp_status) == 0);
const _: () = assert!(SLOT_LEN.is_multiple_of(mem::align_of::<libc::tpacket2_hdr>()));
