//! Transfers over TCP and UDP, with a hash over all that was carried.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{PATIENCE, wait_until};

/// SHA-256 of a transfer, and its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Bytes carried.
    pub(crate) bytes: u64,
    /// Their hash.
    pub(crate) sha256: [u8; 32],
}

/// Sends `bytes` bytes, which no two blocks share, and closes. Gives what was sent.
pub(crate) fn tcp_send(to: SocketAddr, bytes: u64) -> io::Result<Summary> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 18];
    let mut state = bytes | 1;
    let mut left = bytes;
    while left > 0 {
        fill(&mut block, &mut state);
        let length = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        hash.update(&block[..length]);
        stream.write_all(&block[..length])?;
        left -= length as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    // The receiver closes once it has read all: only then has everything arrived.
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(Summary {
        bytes,
        sha256: hash.finalize().into(),
    })
}

/// Takes one connection from `listener` and reads it to its end. Gives what was received.
pub(crate) fn tcp_receive(listener: &TcpListener) -> io::Result<Summary> {
    let mut stream = accept(listener)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 18];
    let mut bytes = 0;
    loop {
        match stream.read(&mut block)? {
            0 => break,
            length => {
                hash.update(&block[..length]);
                bytes += length as u64;
            }
        }
    }
    Ok(Summary {
        bytes,
        sha256: hash.finalize().into(),
    })
}

/// The next connection; an error if none comes in time.
fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let mut outcome = Err(io::ErrorKind::TimedOut.into());
    wait_until(PATIENCE, || match listener.accept() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
        other => {
            outcome = other;
            true
        }
    });
    let (stream, _) = outcome?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Sends `payload` from `socket` and waits for the same to come back, again and again until
/// `patience` is over: UDP may lose.
pub(crate) fn udp_echo(
    socket: &UdpSocket,
    to: SocketAddr,
    payload: &[u8],
    patience: Duration,
) -> io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_millis(250)))?;
    let mut answer = vec![0; payload.len() + 1];
    let tries = patience.as_millis() / 250 + 1;
    for _ in 0..tries {
        socket.send_to(payload, to)?;
        if let Ok((length, from)) = socket.recv_from(&mut answer)
            && from == to
            && answer[..length] == *payload
        {
            return Ok(());
        }
    }
    Err(io::Error::new(
        io::ErrorKind::TimedOut,
        format!("no echo from {to}"),
    ))
}

/// Sends `count` datagrams back to where they came from.
pub(crate) fn udp_serve(socket: &UdpSocket, count: usize) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    for _ in 0..count {
        let (length, from) = socket.recv_from(&mut buffer)?;
        socket.send_to(&buffer[..length], from)?;
    }
    Ok(())
}

/// Fills a block with the next numbers of a xorshift generator.
fn fill(block: &mut [u8], state: &mut u64) {
    for word in block.chunks_mut(8) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
    }
}
