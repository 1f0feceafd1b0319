//! The socket that sends, and its frames, made beforehand.

use std::io;

use socket2::{Domain, Protocol, Socket, Type};
use vswitch_netns::{MacBytes, Namespace};

use crate::measure::sys;

/// "Local Experimental Ethertype 1" (IEEE 802-2014 9.2.4): no stack handles it, so that a
/// receiver's is not what is measured.
pub(super) const ETHER_TYPE: u16 = 0x88b5;
/// The most frames that are sent in one call.
pub(in crate::measure) const MOST: usize = sys::BATCH;
/// The frame check sequence, which a virtual device does not carry.
pub(in crate::measure) const FCS_BYTES: usize = 4;
/// Two addresses and the EtherType.
pub(in crate::measure) const HEADER_BYTES: usize = 14;
const SOURCE_AT: usize = 6;

/// Sends frames of one size to one station.
#[derive(Debug)]
pub(in crate::measure) struct Sender {
    socket: Socket,
    frames: Vec<u8>,
    frame_bytes: usize,
    stations: Stations,
}

impl Sender {
    /// Sends out of the interface `index` of `namespace` frames of `size` bytes, check sequence
    /// included, in the name of `source` or, where there is to be more than one source, of so
    /// many invented stations in turn.
    pub(super) fn open(
        namespace: &Namespace,
        index: u32,
        size: usize,
        destination: MacBytes,
        source: MacBytes,
        sources: usize,
    ) -> anyhow::Result<Self> {
        let socket = packet_socket(namespace, index, 0)?;
        // Elsewhere than on virtual devices it may be refused, and frames then pass a queue.
        let _ = sys::bypass_queueing(&socket);
        let frame = frame(size, destination, source);
        Ok(Self {
            socket,
            frame_bytes: frame.len(),
            frames: frame.repeat(MOST),
            stations: Stations::new(sources),
        })
    }

    /// Sends `count` frames, at most [`MOST`]; returns how many the kernel took. It takes none
    /// while the queue of the CPU is full (ENOBUFS) or the socket's is (EAGAIN).
    pub(in crate::measure) fn send(&mut self, count: usize) -> io::Result<u64> {
        if self.stations.several() {
            for frame in self.frames.chunks_exact_mut(self.frame_bytes).take(count) {
                frame[SOURCE_AT..SOURCE_AT + 6].copy_from_slice(&self.stations.next());
            }
        }
        let frames = self.frames.chunks_exact(self.frame_bytes).take(count);
        match sys::send_frames(&self.socket, frames) {
            Ok(taken) => Ok(taken as u64),
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOBUFS | libc::EAGAIN | libc::EINTR) => Ok(0),
                _ => Err(error),
            },
        }
    }
}

/// A packet socket on the interface `index` of `namespace`, which takes frames of one EtherType,
/// or none if that is 0.
pub(super) fn packet_socket(
    namespace: &Namespace,
    index: u32,
    ether_type: u16,
) -> anyhow::Result<Socket> {
    let _inside = namespace.enter()?;
    // With protocol 0 nothing arrives before the bind.
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
    socket.bind(&sys::packet_address(index, ether_type))?;
    Ok(socket)
}

/// A frame of `size` bytes with its check sequence, which is not there.
pub(super) fn frame(size: usize, destination: MacBytes, source: MacBytes) -> Vec<u8> {
    let mut frame = Vec::with_capacity(size);
    frame.extend(destination);
    frame.extend(source);
    frame.extend(ETHER_TYPE.to_be_bytes());
    frame.resize(size.saturating_sub(FCS_BYTES).max(HEADER_BYTES), 0);
    frame
}

/// Invented stations, one after the other.
#[derive(Debug)]
struct Stations {
    count: u32,
    last: u32,
}

impl Stations {
    fn new(count: usize) -> Self {
        Self {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            last: 0,
        }
    }

    const fn several(&self) -> bool {
        self.count > 1
    }

    /// A locally administered address (IEEE 802-2014 8.4).
    fn next(&mut self) -> MacBytes {
        self.last = (self.last + 1) % self.count.max(1);
        let [a, b, c, d] = self.last.to_be_bytes();
        [0x02, 0x5e, a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_frame_is_four_bytes_shorter_than_its_size_on_the_wire() {
        let made = frame(64, [1; 6], [2; 6]);
        assert_eq!(made.len(), 60);
        assert_eq!(made[..14], [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x88, 0xb5]);
        assert_eq!(frame(1518, [1; 6], [2; 6]).len(), 1514);
        assert_eq!(frame(0, [1; 6], [2; 6]).len(), 14);
    }

    #[test]
    fn stations_are_as_many_as_asked_for_and_none_is_a_group() {
        let mut stations = Stations::new(1000);
        assert!(stations.several() && !Stations::new(1).several());
        let seen: BTreeSet<_> = (0..5_000).map(|_| stations.next()).collect();
        assert_eq!(seen.len(), 1000);
        assert!(seen.iter().all(|mac| mac[0] & 1 == 0));
        Stations::new(0).next();
    }
}
