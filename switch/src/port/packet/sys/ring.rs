//! A receive ring that the kernel fills: version 2 of `packet_mmap`
//! (`Documentation/networking/packet_mmap.rst`), with small slots.
//!
//! # Theory of operation
//!
//! The ring is kernel memory that is mapped here: slots of equal size, each with a header whose
//! status word says whether the kernel or the reader owns it ([`super::geometry`]). The kernel
//! fills the slots in turn and hands each over by setting its status; the reader returns it by
//! clearing the status. Neither needs a system call.
//!
//! A frame that does not fit into a slot is also queued whole on the socket (`PACKET_COPY_THRESH`):
//! its slot then says so, and keeps its place in the order. The kernel allocates slot and queue
//! entry under one lock (`tpacket_rcv`), so the queued frames are in the order of their slots.
//!
//! The slot read last is not returned before the next one has been read. The kernel considers a
//! ring readable if the slot before the one that it fills next is not its own (`packet_poll`); it
//! does not check the next slot itself. If all slots were returned, a frame that is dropped
//! although there is room would wake no reader, so a stalled ring would never be noticed. With one
//! slot held, the reader is woken for each frame, whatever happens to it. For a poller that is not
//! edge-triggered the socket is always readable.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use super::geometry::Geometry;
use super::messages::Message;
use super::{count, options};
use crate::frame::{EtherType, Offload, VlanTag};
use crate::port::BATCH;

/// A batch never holds all slots.
const LEAST_SLOTS: usize = 2 * BATCH;
/// No ring is larger: two gigabytes.
const MOST_SLOTS: usize = 1 << 20;
/// Bytes of a slot that the slot's header and a socket address take (`TPACKET2_HDRLEN`).
const HEADER_LEN: usize = size_of::<libc::tpacket2_hdr>() + size_of::<libc::sockaddr_ll>();

/// A mapped receive ring of a packet socket.
#[derive(Debug)]
pub(in super::super) struct Ring {
    memory: NonNull<u8>,
    geometry: Geometry,
    /// The number of slots: a power of two.
    slots: usize,
    /// The slot that the kernel fills next, or has filled.
    next: usize,
    /// The number of slots before that which are still held here; at least one.
    held: usize,
    /// The number of frames taken in total, except those held.
    taken: usize,
}

// SAFETY: the ring owns the mapping, which is not tied to a thread; it can be used and unmapped
// from any thread.
unsafe impl Send for Ring {}

/// The read position of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Position {
    /// The next slot.
    pub(in super::super) next: usize,
    /// The number of frames taken in total.
    pub(in super::super) taken: usize,
}

/// Where a frame's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Whereabouts {
    /// In the slot, whole.
    Slot,
    /// In the socket's queue, whole.
    Queue,
    /// Nowhere: the frame was too large for the slot, and the queue was full.
    Nowhere,
}

/// A frame that has arrived in the ring.
pub(in super::super) struct Filled<'a> {
    /// Its length and its tag.
    pub(in super::super) message: Message,
    /// Six spare bytes, then offload header and frame of the message's length.
    pub(in super::super) buffer: &'a mut [u8],
}

/// The slots of a ring, from the first unread one; each is lent once.
pub(in super::super) struct Slots<'a> {
    ring: &'a mut Ring,
}

impl Ring {
    /// Requests a ring of `slots` slots, rounded up to a power of two, and maps it. The socket must
    /// not be bound yet and must have its offload headers enabled. On failure the socket has no
    /// ring.
    pub(in super::super) fn map(socket: BorrowedFd<'_>, slots: usize) -> io::Result<Self> {
        Self::map_by(map_memory, socket, slots)
    }

    fn map_by(
        map_memory: impl FnOnce(BorrowedFd<'_>, usize) -> io::Result<NonNull<u8>>,
        socket: BorrowedFd<'_>,
        slots: usize,
    ) -> io::Result<Self> {
        let slots = slots
            .max(LEAST_SLOTS)
            .checked_next_power_of_two()
            .ok_or(io::ErrorKind::InvalidInput)?;
        // The enumeration has another type in the bindings.
        let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        options::set_option(socket, libc::PACKET_VERSION, &version)?;
        // Any value but zero queues frames that do not fit into a slot.
        options::set_option(socket, libc::PACKET_COPY_THRESH, &1_u32)?;
        let geometry = Geometry::for_pages_of(page_len(), slots);
        let request = libc::tpacket_req {
            tp_block_size: count(geometry.block_len()),
            tp_block_nr: count(geometry.blocks(slots)),
            tp_frame_size: count(geometry.slot_len()),
            tp_frame_nr: count(slots),
        };
        options::set_option(socket, libc::PACKET_RX_RING, &request)?;
        match map_memory(socket, geometry.memory_len(slots)) {
            Ok(memory) => Ok(Self::new(memory, geometry, slots)),
            Err(error) => {
                // Without a mapping the ring would be filled but never read.
                remove_ring(socket)?;
                Err(error)
            }
        }
    }

    /// Returns the number of slots.
    pub(in super::super) const fn len(&self) -> usize {
        self.slots
    }

    /// Returns the length of a slot.
    pub(in super::super) const fn slot_len(&self) -> usize {
        self.geometry.slot_len()
    }

    /// Returns where another process continues: the next slot, after all lent slots are returned.
    pub(in super::super) fn position(&mut self) -> Position {
        self.release();
        Position {
            next: self.next,
            taken: self.taken,
        }
    }

    /// Maps the ring of `slots` slots of `slot_len` bytes of a socket from another process, which
    /// may still have it mapped. It must not be read before [`Ring::go_on`]. The kernel refuses if
    /// the ring has another size.
    pub(in super::super) fn take_over(
        socket: BorrowedFd<'_>,
        slots: usize,
        slot_len: usize,
    ) -> io::Result<Self> {
        let is_sound = slots.is_power_of_two() && (LEAST_SLOTS..=MOST_SLOTS).contains(&slots);
        let geometry = Geometry::of_slots(slot_len, page_len(), slots).filter(|_| is_sound);
        let geometry = geometry.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self {
            memory: map_memory(socket, geometry.memory_len(slots))?,
            geometry,
            slots,
            next: 0,
            held: 1,
            taken: 0,
        })
    }

    /// Continues where another process has ended. Its last slot is still held.
    pub(in super::super) const fn go_on(&mut self, at: Position) {
        self.next = self.wrapped(at.next);
        self.held = 1;
        self.taken = at.taken;
    }

    /// Creates the ring on a mapping that the kernel has not written to yet.
    fn new(memory: NonNull<u8>, geometry: Geometry, slots: usize) -> Self {
        let ring = Self {
            memory,
            geometry,
            slots,
            next: 0,
            held: 1,
            taken: 0,
        };
        // As if a frame had been read from the slot before the first.
        ring.status(slots - 1)
            .store(libc::TP_STATUS_USER, Ordering::Release);
        ring
    }

    /// Lends the slots that were filled since the last call; slots lent before are returned to the
    /// kernel.
    pub(in super::super) fn slots(&mut self) -> Slots<'_> {
        self.release();
        Slots { ring: self }
    }

    /// Returns all lent slots to the kernel, except the last.
    pub(in super::super) fn release(&mut self) {
        let last = self.next + self.slots - 1;
        let count = self.held - 1;
        for slot in last - count..last {
            self.status(self.wrapped(slot))
                .store(libc::TP_STATUS_KERNEL, Ordering::Release);
        }
        self.taken = self.taken.wrapping_add(count);
        self.held = 1;
    }

    const fn wrapped(&self, slot: usize) -> usize {
        slot & (self.slots - 1)
    }

    fn slot(&self, slot: usize) -> NonNull<u8> {
        debug_assert!(slot < self.slots);
        // SAFETY: the slot is one of the ring's, all of which lie in the mapping.
        unsafe { self.memory.add(self.geometry.offset(slot)) }
    }

    /// Returns the status word of a slot, which says who owns it.
    fn status(&self, slot: usize) -> &AtomicU32 {
        // SAFETY: a slot begins with its status, which is aligned as the slot is, and which this
        // side and the kernel touch by whole words alone.
        unsafe { self.slot(slot).cast::<AtomicU32>().as_ref() }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let len = self.geometry.memory_len(self.slots);
        // SAFETY: the ring owns the mapping, and nothing borrows from it any more.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), len) };
    }
}

/// Removes the ring from the socket, which then receives through its queue. The ring must not be
/// mapped any more. The kernel waits for every CPU (`synchronize_net`).
pub(in super::super) fn remove_ring(socket: BorrowedFd<'_>) -> io::Result<()> {
    let none = libc::tpacket_req {
        tp_block_size: 0,
        tp_block_nr: 0,
        tp_frame_size: 0,
        tp_frame_nr: 0,
    };
    options::set_option(socket, libc::PACKET_RX_RING, &none)
}

/// Maps the `len` bytes of the socket's ring.
fn map_memory(socket: BorrowedFd<'_>, len: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at an address of the kernel's choice, of the size agreed upon, else it
    // fails; nothing else refers to it.
    let memory = unsafe {
        libc::mmap(
            ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            socket.as_fd().as_raw_fd(),
            0,
        )
    };
    let mapped = NonNull::new(memory.cast::<u8>())
        .filter(|_| memory != libc::MAP_FAILED)
        .ok_or_else(io::Error::last_os_error)?;
    // Otherwise a child's mapping would keep the ring and its socket. A failure is harmless.
    // SAFETY: the mapping just made; the advice concerns children alone, none of which uses it.
    unsafe { libc::madvise(memory, len, libc::MADV_DONTFORK) };
    Ok(mapped)
}

/// Bytes of a ring of `slots` slots, rounded up to a power of two.
pub(in super::super) fn ring_len(slots: usize) -> usize {
    let slots = slots.clamp(LEAST_SLOTS, MOST_SLOTS).next_power_of_two();
    Geometry::for_pages_of(page_len(), slots).memory_len(slots)
}

/// Bytes of a page of memory.
fn page_len() -> usize {
    // SAFETY: the call touches no memory.
    let len = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(len).unwrap_or(4096)
}

impl<'a> Slots<'a> {
    /// Returns where the next frame is, if there is one.
    #[inline]
    pub(in super::super) fn peek(&self) -> Option<Whereabouts> {
        self.whereabouts(self.ring.next)
    }

    /// Returns the number of frames taken before these slots were lent; it wraps.
    pub(in super::super) const fn taken(&self) -> usize {
        self.ring.taken
    }

    /// Reports whether a ring that is empty now may have been full at some time since which `taken`
    /// frames were taken.
    pub(in super::super) const fn may_have_been_full(&self, taken: usize) -> bool {
        // The slots of at most a batch are held, and one before them.
        taken >= self.ring.slots - (BATCH + 1)
    }

    /// Reports whether the kernel has filled none of the slots that it owns.
    pub(in super::super) fn are_empty(&self) -> bool {
        let ring = &self.ring;
        (ring.next..ring.next + ring.slots - ring.held)
            .all(|slot| self.whereabouts(ring.wrapped(slot)).is_none())
    }

    /// Returns how many consecutive frames, from the next one on, are in the socket's queue; at
    /// most `most`.
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
        // If all slots were held, this one would be seen a second time.
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

    /// Skips `count` frames whose slots are filled.
    pub(in super::super) fn skip(&mut self, count: usize) {
        self.ring.next = self.ring.wrapped(self.ring.next + count);
        self.ring.held += count;
    }

    /// Returns the next frame, which must be in its slot; `None` if its header is not valid.
    #[inline]
    pub(in super::super) fn take(&mut self) -> Option<Filled<'a>> {
        let slot = self.ring.next;
        let header = self.header(slot);
        let base = self.ring.slot(slot);
        self.skip(1);
        // After the slot's header, so that the buffer does not contain the status.
        let begin = usize::from(header.tp_mac).checked_sub(Offload::LEN + ROOM)?;
        let end = usize::from(header.tp_mac).checked_add(header.tp_snaplen as usize)?;
        if begin < HEADER_LEN || end > self.ring.geometry.slot_len() {
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

/// Spare bytes before the offload header, into which the addresses move when a tag is put back.
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

#[cfg(test)]
impl Ring {
    /// A ring of `slots` slots that no kernel fills.
    pub(in super::super) fn of_nobody(slots: usize) -> Self {
        let geometry = Geometry::for_pages_of(page_len(), slots);
        // SAFETY: a new mapping at an address of the kernel's choice; nothing else refers to it.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                geometry.memory_len(slots),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(memory, libc::MAP_FAILED);
        Self::new(NonNull::new(memory.cast()).unwrap(), geometry, slots)
    }

    /// Hands over a slot, as the kernel does after it has filled it.
    pub(in super::super) fn fill(&self, slot: usize) {
        self.status(slot)
            .store(libc::TP_STATUS_USER, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slots that are not the kernel's.
    fn kept(ring: &Ring) -> Vec<usize> {
        (0..ring.slots)
            .filter(|&slot| ring.status(slot).load(Ordering::Acquire) != libc::TP_STATUS_KERNEL)
            .collect()
    }

    #[test]
    fn a_ring_that_cannot_be_mapped_is_taken_away_again() {
        use socket2::{Domain, Socket, Type};
        let Ok(socket) = Socket::new_raw(Domain::PACKET, Type::RAW, None) else {
            eprintln!("not tested: packet sockets take a right");
            return;
        };
        let error = Ring::map_by(
            |_, _| Err(io::ErrorKind::OutOfMemory.into()),
            socket.as_fd(),
            1024,
        );
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        // A socket that has one is busy.
        let ring = Ring::map(socket.as_fd(), 1024).unwrap();
        assert!(remove_ring(socket.as_fd()).is_err());
        drop(ring);
        remove_ring(socket.as_fd()).unwrap();
    }

    #[test]
    fn the_slot_before_the_next_is_never_given_back() {
        let mut ring = Ring::of_nobody(128);
        assert_eq!(kept(&ring), [127]);
        for round in 0..300 {
            let first = ring.next;
            let count = round % 7;
            for ahead in 0..count {
                ring.fill(ring.wrapped(first + ahead));
            }
            let mut slots = ring.slots();
            while slots.peek().is_some() {
                slots.skip(1);
            }
            ring.release();
            assert_eq!(ring.next, (first + count) % 128);
            assert_eq!(kept(&ring), [(ring.next + 127) % 128]);
        }
    }
}
