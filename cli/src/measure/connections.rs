//! TCP connections between two namespaces, all with the same congestion control.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, Socket, Type};
use vswitch_netns::Namespace;

use vswitch_control::stop::Stop;

/// How long a connection may take, and how long nothing may move on it.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How often who waits for one looks whether to stop.
const TICK_MS: u16 = 50;
/// The kernel's usual one, and the one of most hosts: BBR paces its segments, which on one
/// machine measures its timers.
const CONGESTION_CONTROL: &[u8] = b"cubic";

/// The two ends of a connection: of the side that asked for it, and of the other.
pub(super) type Pair = (TcpStream, TcpStream);

/// Connections from one namespace to another. A socket stays in the namespace where it was made,
/// so any thread can use it afterwards.
pub(super) fn open(
    from: &Namespace,
    to: &Namespace,
    address: IpAddr,
    count: usize,
    stop: &Stop,
) -> anyhow::Result<Vec<Pair>> {
    let listener = to
        .run(|| listen(address))?
        .with_context(|| format!("can't wait for connections at {address}"))?;
    let target = listener.local_addr()?;
    let mut pairs = Vec::new();
    for _ in 0..count {
        let near = {
            let _inside = from.enter()?;
            connect(target, stop)?
        };
        let far = accept(&listener, near.local_addr()?)?;
        pairs.push((near, far));
    }
    Ok(pairs)
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A kernel without cubic measures with what it has.
    let _ = socket.set_tcp_congestion(CONGESTION_CONTROL);
    Ok(socket)
}

/// A listener on any free port of `address`. What it accepts inherits its congestion control.
fn listen(address: IpAddr) -> io::Result<TcpListener> {
    let address = SocketAddr::new(address, 0);
    let socket = socket(address)?;
    socket.bind(&address.into())?;
    socket.listen(128)?;
    Ok(socket.into())
}

fn connect(target: SocketAddr, stop: &Stop) -> anyhow::Result<TcpStream> {
    let failed = || format!("can't connect to {target}");
    let socket = socket(target).with_context(failed)?;
    socket.set_nonblocking(true).with_context(failed)?;
    let end = Instant::now() + PATIENCE;
    match socket.connect(&target.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => {
            return Err(error).with_context(failed);
        }
        _ => {}
    }
    loop {
        stop.check()?;
        let mut waiting = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
        match poll(&mut waiting, PollTimeout::from(TICK_MS)) {
            Ok(0) | Err(nix::errno::Errno::EINTR) if Instant::now() < end => {}
            Ok(0) => {
                return Err(plain(io::ErrorKind::TimedOut.into())).with_context(failed);
            }
            outcome => {
                outcome.with_context(failed)?;
                break;
            }
        }
    }
    if let Some(error) = socket.take_error().with_context(failed)? {
        return Err(error).with_context(failed);
    }
    socket.set_nonblocking(false).with_context(failed)?;
    Ok(socket.into())
}

/// The connection that came from `near`; others are not ours.
fn accept(listener: &TcpListener, near: SocketAddr) -> io::Result<TcpStream> {
    loop {
        let (stream, peer) = listener.accept()?;
        if (peer.ip(), peer.port()) == (near.ip(), near.port()) {
            return Ok(stream);
        }
    }
}

/// The error of a connection, where that is no more than a timer that ran out, in words.
pub(super) fn plain(error: io::Error) -> io::Error {
    if matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    ) {
        let seconds = PATIENCE.as_secs();
        let sentence = format!(
            "nothing has come through for {seconds} s: the path is cut, or what forwards hangs"
        );
        return io::Error::new(io::ErrorKind::TimedOut, sentence);
    }
    error
}

/// Waits for threads that use `streams`; breaks the streams off where it is time to end, so that
/// nobody waits for them longer.
pub(super) fn supervise<'a, T>(
    threads: &[ScopedJoinHandle<'_, T>],
    streams: impl Iterator<Item = &'a TcpStream>,
    stop: &Stop,
) {
    let far = Instant::now() + Duration::from_secs(u32::MAX.into());
    let at_work = || threads.iter().any(|thread| !thread.is_finished());
    if stop.pause_while(at_work, far).is_err() {
        for stream in streams {
            // One that is closed already needs no breaking off.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
