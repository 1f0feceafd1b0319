//! Echo requests and replies: ICMP (RFC 792) and `ICMPv6` (RFC 4443), over a raw socket.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use vswitch_control::stop::Stop;

/// How long one reply may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Type, code, checksum, identifier, sequence number.
const ICMP_HEADER_LEN: usize = 8;
const ECHO_V4: (u8, u8) = (8, 0); // request, reply
const ECHO_V6: (u8, u8) = (128, 129);

/// What became of some echo requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// Requests sent.
    pub(crate) sent: u32,
    /// The time each reply took, in the order of the requests.
    pub(crate) round_trips: Vec<Duration>,
}

impl Report {
    /// Whether every request was answered.
    pub(crate) fn complete(&self) -> bool {
        self.sent > 0 && self.round_trips.len() == self.sent as usize
    }

    /// The shortest, mean and longest round trip; `None` without a reply.
    pub(crate) fn summary(&self) -> Option<(Duration, Duration, Duration)> {
        let shortest = self.round_trips.iter().min()?;
        let longest = self.round_trips.iter().max()?;
        let count = u32::try_from(self.round_trips.len()).ok()?;
        let mean = self.round_trips.iter().sum::<Duration>() / count;
        Some((*shortest, mean, *longest))
    }
}

/// Sends `count` requests with `payload_bytes` of payload to `target`, one after the other,
/// `interval` apart.
pub(crate) fn ping(
    target: IpAddr,
    count: u16,
    payload_bytes: usize,
    interval: Duration,
) -> io::Result<Report> {
    let echo = Echo::open(target, payload_bytes)?;
    let mut report = Report::default();
    for sequence in 1..=count {
        if sequence > 1 {
            std::thread::sleep(interval);
        }
        report.sent += 1;
        if let Some(round_trip) = echo.exchange(sequence)? {
            report.round_trips.push(round_trip);
        }
    }
    Ok(report)
}

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was answered after this time.
    Reply(Duration),
    /// No answer came in time.
    Silence,
    /// It could not be sent: there is no way there.
    NotSent(Errno),
}

/// A socket on which requests to one target go out and replies come in. It stays in the namespace
/// in which it was opened.
pub(crate) struct Echo {
    socket: Socket,
    target: SockAddr,
    identifier: u16,
    payload: Vec<u8>,
}

impl Echo {
    /// Opens the socket in the calling thread's namespace.
    ///
    /// # Errors
    /// Where the system refuses: raw sockets need `CAP_NET_RAW`.
    pub(crate) fn open(target: IpAddr, payload_bytes: usize) -> io::Result<Self> {
        Ok(Self {
            socket: raw_socket(target.is_ipv4())?,
            target: SocketAddr::new(target, 0).into(),
            identifier: identifier(),
            payload: (0..payload_bytes).map(|n| n.to_le_bytes()[0]).collect(),
        })
    }

    /// One request; the time its reply took, or `None` if none came in time.
    fn exchange(&self, sequence: u16) -> io::Result<Option<Duration>> {
        match self.ask(sequence, PATIENCE, &Stop::never())? {
            Answer::Reply(round_trip) => Ok(Some(round_trip)),
            // The latter where no neighbour answered an earlier request: lost like that one.
            Answer::Silence | Answer::NotSent(Errno::EHOSTUNREACH) => Ok(None),
            Answer::NotSent(errno) => Err(errno.into()),
        }
    }

    /// One request, and what became of it within `patience`, or until it is time to end.
    ///
    /// # Errors
    /// Where the socket fails.
    pub(crate) fn ask(&self, sequence: u16, patience: Duration, stop: &Stop) -> io::Result<Answer> {
        let v4 = self.target.is_ipv4();
        let message = request(v4, self.identifier, sequence, &self.payload);
        let start = Instant::now();
        if let Err(error) = self.socket.send_to(&message, &self.target) {
            return error
                .raw_os_error()
                .map(|number| Answer::NotSent(Errno::from_raw(number)))
                .ok_or(error);
        }
        let mut buffer = vec![0; message.len() + 128]; // with the IPv4 header and its options
        loop {
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() || stop.is_set() {
                return Ok(Answer::Silence);
            }
            self.socket.set_read_timeout(Some(left))?;
            match (&self.socket).read(&mut buffer) {
                Ok(length) if reply(v4, &buffer[..length]) == Some(&message[4..]) => {
                    return Ok(Answer::Reply(start.elapsed()));
                }
                Ok(_) => {} // somebody else's
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Answer::Silence);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// A socket for echo requests of one address family, in the calling thread's namespace.
pub(super) fn raw_socket(v4: bool) -> io::Result<Socket> {
    let (domain, protocol) = if v4 {
        (Domain::IPV4, Protocol::ICMPV4)
    } else {
        (Domain::IPV6, Protocol::ICMPV6)
    };
    Socket::new(domain, Type::RAW, Some(protocol))
}

/// All raw sockets of a namespace see all replies: this number tells whose they are.
pub(super) fn identifier() -> u16 {
    let [low, high, ..] = std::process::id().to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// An echo request.
pub(super) fn request(v4: bool, identifier: u16, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let (request, _) = if v4 { ECHO_V4 } else { ECHO_V6 };
    let mut message = vec![request, 0, 0, 0];
    message.extend(identifier.to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend(payload);
    if v4 {
        let sum = internet_checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    } // the kernel fills in that of ICMPv6 (RFC 3542, 3.1)
    message
}

/// What a raw socket has received, if it is an echo reply: its identifier, its sequence number and
/// its payload, the same as in the request from the fourth byte on.
pub(super) fn reply(v4: bool, packet: &[u8]) -> Option<&[u8]> {
    let (_, reply) = if v4 { ECHO_V4 } else { ECHO_V6 };
    let icmp = if v4 {
        let header_len = packet
            .first()
            .map_or(0, |first| usize::from(first & 15) * 4);
        packet.get(header_len..)?
    } else {
        packet
    };
    (icmp.len() >= ICMP_HEADER_LEN && icmp[0] == reply).then(|| &icmp[4..])
}

/// The ones' complement of the ones' complement sum (RFC 1071).
fn internet_checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([
            pair[0],
            pair.get(1).copied().unwrap_or(0),
        ]));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standards_example() {
        // RFC 1071, section 3: the sum of these words is ddf2.
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(internet_checksum(&bytes), !0xddf2);
        assert_eq!(internet_checksum(&[0x01]), !0x0100, "padded with zero");
    }

    #[test]
    fn a_report_is_complete_only_with_every_reply() {
        let mut report = Report {
            sent: 2,
            round_trips: vec![Duration::from_millis(1)],
        };
        assert!(!report.complete());
        report.round_trips.push(Duration::from_millis(3));
        assert!(report.complete());
        let [one, two, three] = [1, 2, 3].map(Duration::from_millis);
        assert_eq!(report.summary(), Some((one, two, three)));
        assert_eq!(Report::default().summary(), None);
        assert!(!Report::default().complete(), "nothing sent is no success");
    }
}
