//! Connecting to the socket of another process, which may be a stranger's.
//!
//! Where as many clients wait as a listener has room for, connect(2) waits until it accepts one: for ever, if
//! it does not want to. So every connection that this program makes to a Unix socket is made here, for so
//! long at most.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

/// How long it is waited where nothing depends on the listener. One that has room need not accept first.
pub const A_MOMENT: Duration = Duration::from_millis(20);

/// Connects to the socket at `path`. Waits for room at most as long as `patience`.
///
/// # Errors
/// What connect(2) says; [`ErrorKind::TimedOut`] where there was no room; [`ErrorKind::InvalidInput`] where the
/// path is too long for a socket.
pub fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let deadline = Instant::now() + patience;
    loop {
        // It bounds connect(2), too (socket(7)). None at all is for ever.
        let left = deadline.saturating_duration_since(Instant::now());
        socket.set_write_timeout(Some(left.max(Duration::from_millis(1))))?;
        match socket.connect(&address) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let why = "it has no room for another connection and does not accept any";
                return Err(io::Error::new(ErrorKind::TimedOut, why));
            }
            other => break other?,
        }
    }
    socket.set_write_timeout(None)?;
    Ok(OwnedFd::from(socket).into())
}

/// A listener at `path` that has no room, and what takes the room up.
#[cfg(test)]
pub(crate) fn full_listener(path: &Path) -> (Socket, Vec<Socket>) {
    let address = SockAddr::unix(path).unwrap();
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&address).unwrap();
    listener.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        match client.connect(&address) {
            Ok(()) => waiting.push(client),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return (listener, waiting);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_listener_without_room_is_not_waited_for() {
        let base = crate::testing::directory().unwrap();
        let path = base.path().join("s");
        let kind = |path: &Path| connect(path, A_MOMENT).unwrap_err().kind();
        assert_eq!(kind(&path), ErrorKind::NotFound);
        assert_eq!(
            kind(&base.path().join("x".repeat(200))),
            ErrorKind::InvalidInput
        );
        let (listener, waiting) = full_listener(&path);
        assert_eq!(kind(&path), ErrorKind::TimedOut);
        // Once there is room, it is as any other.
        drop(waiting);
        let (first, _) = listener.accept().unwrap();
        let mut stream = connect(&path, Duration::from_secs(600)).unwrap();
        assert_eq!(stream.write_timeout().unwrap(), None);
        drop(first);
        drop(listener.accept());
        stream.write_all(b"x").unwrap_or_default();
        drop(listener);
        let _ = stream.read(&mut [0]);
        assert_eq!(kind(&path), ErrorKind::ConnectionRefused);
    }
}
