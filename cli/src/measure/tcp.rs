//! TCP throughput: some streams, one way, for a given time.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use socket2::Socket;
use vswitch_netns::Namespace;

use super::sys;

/// Bytes given to the kernel in one call.
const CHUNK_BYTES: usize = 128 * 1024;
/// How long a connection may take, and how long the end of a stream.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a measurement of throughput found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throughput {
    /// Payload bytes that the receiving application read.
    pub(crate) bytes: u64,
    /// From the first byte it read to the last.
    pub(crate) elapsed: Duration,
    /// Segments that the senders sent again.
    pub(crate) retransmits: u64,
}

impl Throughput {
    /// Bits of payload per second.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a figure for people, of three digits"
    )]
    pub(crate) fn bits_per_second(&self) -> f64 {
        if self.elapsed.is_zero() {
            return 0.0;
        }
        self.bytes as f64 * 8.0 / self.elapsed.as_secs_f64()
    }
}

/// Sends over `streams` connections for `time`, from `sender` to `address` in `receiver`.
pub(crate) fn throughput(
    sender: &Namespace,
    receiver: &Namespace,
    address: IpAddr,
    streams: usize,
    time: Duration,
) -> anyhow::Result<Throughput> {
    let pairs = connections(sender, receiver, address, streams)?;
    let (senders, receivers): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    Ok(transfer(&senders, &receivers, time)?)
}

/// Connections from one namespace to another: the near end and the far end of each. A socket
/// stays in the namespace where it was made, so any thread can use it afterwards.
pub(crate) fn connections(
    from: &Namespace,
    to: &Namespace,
    address: IpAddr,
    count: usize,
) -> anyhow::Result<Vec<(TcpStream, TcpStream)>> {
    let listener = to.run(|| listen(address))??;
    let target = listener.local_addr()?;
    let mut pairs = Vec::new();
    for _ in 0..count {
        let near = from
            .run(|| connect(target))?
            .with_context(|| format!("can't connect to {target}"))?;
        pairs.push((near, listener.accept()?.0));
    }
    Ok(pairs)
}

/// A listener on any free port of `address`.
fn listen(address: IpAddr) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::new(address, 0))
}

/// A connection with cubic congestion control where the kernel has it: BBR paces its segments,
/// which on one machine measures its timers.
fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(
        socket2::Domain::for_address(target),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    // A kernel without cubic measures with what it has.
    let _ = socket.set_tcp_congestion(b"cubic");
    socket.connect_timeout(&target.into(), PATIENCE)?;
    Ok(socket.into())
}

fn transfer(
    senders: &[TcpStream],
    receivers: &[TcpStream],
    time: Duration,
) -> io::Result<Throughput> {
    let stop = AtomicBool::new(false);
    let failure = Mutex::new(None);
    let note = |error: io::Error| {
        stop.store(true, Ordering::Relaxed);
        if let Ok(mut failure) = failure.lock() {
            failure.get_or_insert(error);
        }
    };
    let start = Instant::now();
    let bytes = std::thread::scope(|scope| {
        let counts: Vec<_> = receivers
            .iter()
            .map(|stream| {
                let note = &note;
                scope.spawn(move || {
                    receive(stream).unwrap_or_else(|error| {
                        note(error);
                        0
                    })
                })
            })
            .collect();
        for stream in senders {
            let (note, stop) = (&note, &stop);
            scope.spawn(move || {
                if let Err(error) = send(stream, start + time, stop) {
                    note(error);
                }
            });
        }
        counts
            .into_iter()
            .map(|count| count.join().unwrap_or(0))
            .sum()
    });
    let elapsed = start.elapsed();
    if let Ok(Some(error)) = failure.into_inner() {
        return Err(error);
    }
    Ok(Throughput {
        bytes,
        elapsed,
        retransmits: senders
            .iter()
            .filter_map(sys::total_retransmits)
            .map(u64::from)
            .sum(),
    })
}

fn receive(mut stream: &TcpStream) -> io::Result<u64> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut total = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(bytes) => total += bytes as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn send(mut stream: &TcpStream, end: Instant, stop: &AtomicBool) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let chunk = vec![0x5a; CHUNK_BYTES];
    while Instant::now() < end && !stop.load(Ordering::Relaxed) {
        stream.write_all(&chunk)?;
    }
    stream.shutdown(std::net::Shutdown::Write)
}
