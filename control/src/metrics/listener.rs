//! The socket on which metrics are asked for.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use super::{Address, Remove, SocketFile};
use crate::local_socket::{A_MOMENT, connect};

/// So many scrapers wait to be accepted, or as many as `net.core.somaxconn` lets.
const BACKLOG: i32 = 1024;
/// What the kernel holds of an answer that is not read (TCP; it counts twice as much).
const SEND_BUFFER_BYTES: usize = 128 * 1024;
/// For how long it does so after the connection was closed (TCP).
const UNREAD: Duration = Duration::from_secs(10);
/// How long a process that was killed may take to let go of its address.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is tried meanwhile.
const INTERVAL: Duration = Duration::from_millis(5);

/// A socket that listens. It stays in the network namespace where it was bound.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: Address,
    /// The file of a Unix socket, if it goes with this.
    file: Option<SocketFile>,
    /// What removes it, where this process may not.
    remover: Option<Box<dyn Remove>>,
}

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The socket could not be bound.
    #[error("cannot serve metrics at {address}: {source}; choose another --metrics")]
    Bind {
        /// Where.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
    /// Something else is in the place of the Unix socket.
    #[error(
        "cannot serve metrics at {0}: the file exists and is not a socket; choose another --metrics"
    )]
    Taken(Address),
    /// Somebody serves there already.
    #[error(
        "cannot serve metrics at {0}: another process uses this address; choose another --metrics"
    )]
    InUse(Address),
}

impl MetricsError {
    fn is_in_use(&self) -> bool {
        match self {
            Self::Bind { source, .. } => source.kind() == ErrorKind::AddrInUse,
            Self::InUse(_) => true,
            Self::Taken(_) => false,
        }
    }
}

impl Listener {
    /// Binds `address` in the calling thread's network namespace. A Unix socket that nobody
    /// listens on any more is replaced.
    ///
    /// # Errors
    /// See [`MetricsError`].
    pub fn bind(address: &Address) -> Result<Self, MetricsError> {
        if let Address::Unix(path) = address {
            make_way(path, address)?;
        }
        let bound = match address {
            Address::Tcp(tcp) => {
                listen(Domain::for_address(*tcp), &SockAddr::from(*tcp)).and_then(Self::new)
            }
            Address::Unix(path) => SockAddr::unix(path)
                .and_then(|unix| listen(Domain::UNIX, &unix))
                .and_then(Self::new),
        };
        bound.map_err(|source| MetricsError::Bind {
            address: address.clone(),
            source,
        })
    }

    /// The same, where a process that `is_leaving` may still have the address for a moment.
    ///
    /// # Errors
    /// See [`MetricsError`].
    pub fn bind_patiently(
        address: &Address,
        is_leaving: impl Fn() -> bool,
    ) -> Result<Self, MetricsError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Self::bind(address) {
                Err(error) if error.is_in_use() && is_leaving() && Instant::now() < deadline => {
                    thread::sleep(INTERVAL);
                }
                other => return other,
            }
        }
    }

    /// The socket that the parent has bound and passed on.
    ///
    /// # Errors
    /// Where it has no address.
    pub fn inherited(socket: OwnedFd) -> io::Result<Self> {
        Self::new(Socket::from(socket))
    }

    /// The socket that another process has, whose file stays that one's until [`Listener::settle`].
    ///
    /// # Errors
    /// Where it has no address.
    pub fn handed_over(socket: OwnedFd) -> io::Result<Self> {
        let mut listener = Self::new(Socket::from(socket))?;
        listener.file = None;
        Ok(listener)
    }

    /// Takes the file for its own: from here it goes with this.
    pub fn settle(&mut self) {
        self.file = self.file();
    }

    /// The file of a Unix socket, as it is now, whoever it goes with.
    pub fn file(&self) -> Option<SocketFile> {
        match &self.address {
            Address::Tcp(_) => None,
            Address::Unix(path) => SocketFile::at(path),
        }
    }

    /// Leaves it to this to remove the file.
    pub fn remove_by(&mut self, remover: Box<dyn Remove>) {
        self.remover = Some(remover);
    }

    fn new(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        let path = local.as_pathname().map(Path::to_owned);
        let address = match (local.as_socket(), path) {
            (Some(tcp), _) => Address::Tcp(tcp),
            (None, Some(path)) => Address::Unix(path),
            (None, None) => return Err(io::Error::other("it has no address")),
        };
        let mut listener = Self {
            socket,
            address,
            file: None,
            remover: None,
        };
        listener.settle();
        Ok(listener)
    }

    /// Where it listens, the port included that was free.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Whether it is a TCP socket, which a browser can reach.
    pub const fn is_tcp(&self) -> bool {
        matches!(self.address, Address::Tcp(_))
    }

    /// The socket, for the thread that serves. It does not block, whichever process has it.
    ///
    /// # Errors
    /// Where there is no descriptor left.
    pub fn to_socket(&self) -> io::Result<Socket> {
        self.socket.try_clone()
    }

    /// Leaves the file to another process.
    pub fn let_go(&mut self) {
        self.file = None;
    }

    /// Lets go of a socket that a child has by now.
    pub fn pass_on(mut self) {
        self.let_go();
    }

    /// The socket, to be passed on to a child.
    ///
    /// # Errors
    /// Where there is no descriptor left.
    pub fn to_descriptor(&self) -> io::Result<OwnedFd> {
        Ok(self.socket.try_clone()?.into())
    }

    /// Removes the file of a Unix socket, unless somebody else's is in its place by now.
    pub fn remove_file(&self) {
        let Some(file) = self.file.as_ref().filter(|file| file.is_there()) else {
            return;
        };
        let removed = match &self.remover {
            Some(remover) => remover.remove(),
            None => file.remove(),
        };
        if let Err(error) = removed {
            log::warn!("cannot remove {}: {error}", self.address);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.remove_file();
    }
}

fn listen(domain: Domain, address: &SockAddr) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, None)?;
    if domain != Domain::UNIX {
        // Connections of the switch before, which the kernel still remembers, are no hindrance.
        socket.set_reuse_address(true)?;
        // What is accepted has the same.
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.set_tcp_user_timeout(Some(UNREAD))?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Removes the socket of a process that is gone.
fn make_way(path: &Path, address: &Address) -> Result<(), MetricsError> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !metadata.file_type().is_socket() {
        return Err(MetricsError::Taken(address.clone()));
    }
    match connect(path, A_MOMENT) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|source| MetricsError::Bind {
                address: address.clone(),
                source,
            }),
        _ => Err(MetricsError::InUse(address.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_found_and_told() {
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let Address::Tcp(address) = listener.address() else {
            panic!("{listener:?}");
        };
        assert_ne!(address.port(), 0);
        let error = Listener::bind(listener.address()).unwrap_err().to_string();
        assert!(error.contains("--metrics"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_ours_stays() {
        let dir = crate::testing::directory().unwrap();
        let path = dir.path().join("m.sock");
        let address: Address = format!("unix:{}", path.display()).parse().unwrap();
        fs::write(&path, "precious").unwrap();
        let error = Listener::bind(&address).unwrap_err();
        assert!(matches!(error, MetricsError::Taken(_)), "{error}");
        fs::remove_file(&path).unwrap();

        let listener = Listener::bind(&address).unwrap();
        let error = Listener::bind(&address).unwrap_err();
        assert!(matches!(error, MetricsError::InUse(_)), "{error}");
        listener.pass_on(); // to a process that was killed: the file stays
        assert!(path.exists());
        let again = Listener::bind(&address).unwrap();
        fs::rename(&path, dir.path().join("moved")).unwrap();
        fs::write(&path, "another").unwrap();
        again.remove_file();
        assert!(path.exists());
        fs::rename(dir.path().join("moved"), &path).unwrap();
        drop(again);
        assert!(!path.exists());
    }
}
