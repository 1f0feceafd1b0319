//! Pings, without a `ping` program: ICMP echo of both address families on raw sockets.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::sys;

/// Told apart from the other pings that run in this namespace.
static NEXT_IDENTIFIER: AtomicU16 = AtomicU16::new(1);

/// Pings `to` once from the calling thread's namespace, with `payload_bytes` of data, and waits
/// for the answer, which has to be the same, byte for byte.
///
/// A link-local IPv6 address needs `interface`.
pub(crate) fn ping(
    to: IpAddr,
    interface: Option<&str>,
    payload_bytes: usize,
    patience: Duration,
) -> io::Result<()> {
    let identifier = NEXT_IDENTIFIER.fetch_add(1, Ordering::Relaxed);
    let (mut socket, request_type, reply_type) = open(to)?;
    let scope = interface
        .map(sys::interface_index)
        .transpose()?
        .unwrap_or(0);
    let address: SocketAddr = match to {
        IpAddr::V4(_) => (to, 0).into(),
        IpAddr::V6(v6) => SocketAddrV6::new(v6, 0, 0, scope).into(),
    };
    let request = echo(request_type, identifier, payload_bytes);
    socket.send_to(&request, &address.into())?;

    let end = Instant::now() + patience;
    let mut buffer = vec![0; 1 << 17];
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let length = match socket.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        let message = strip_header(to, &buffer[..length]);
        if is_reply(message, reply_type, &request) {
            return Ok(());
        }
    }
    let text = format!("no echo reply from {to} to {payload_bytes} bytes");
    Err(io::Error::new(io::ErrorKind::TimedOut, text))
}

/// Pings until an answer comes or `patience` is over: for a neighbour who may not be ready yet.
pub(crate) fn ping_until(
    to: IpAddr,
    interface: Option<&str>,
    payload_bytes: usize,
    patience: Duration,
) -> io::Result<()> {
    let end = Instant::now() + patience;
    loop {
        let outcome = ping(to, interface, payload_bytes, Duration::from_millis(500));
        if outcome.is_ok() || Instant::now() >= end {
            return outcome;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn open(to: IpAddr) -> io::Result<(Socket, u8, u8)> {
    let (domain, protocol, request, reply) = match to {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, 8, 0),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, 128, 129),
    };
    let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
    socket.set_recv_buffer_size(1 << 20)?;
    Ok((socket, request, reply))
}

/// An echo request (RFC 792, RFC 4443 4.1). The kernel fills in the checksum of `ICMPv6` alone.
fn echo(kind: u8, identifier: u16, payload_bytes: usize) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend(identifier.to_be_bytes());
    message.extend(1_u16.to_be_bytes());
    message.extend((0..payload_bytes).map(|n| (n % 251) as u8));
    if kind == 8 {
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    message
}

fn is_reply(message: &[u8], reply_type: u8, request: &[u8]) -> bool {
    message.len() == request.len() && message[0] == reply_type && message[4..] == request[4..]
}

/// A raw IPv4 socket gives the IP header too, an IPv6 one does not (raw(7), RFC 3542).
fn strip_header(to: IpAddr, packet: &[u8]) -> &[u8] {
    match (to, packet.first()) {
        (IpAddr::V4(_), Some(first)) => {
            let header = usize::from(first & 0x0f) * 4;
            packet.get(header..).unwrap_or_default()
        }
        _ => packet,
    }
}

/// The Internet checksum (RFC 1071).
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
