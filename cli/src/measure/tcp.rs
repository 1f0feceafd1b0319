//! TCP throughput: some streams, one way, for a given time.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vswitch_netns::Namespace;

use super::connections::{self, PATIENCE, Pair};
use super::figures::{self, Better, Figure, Unit};
use super::sys;
use vswitch_control::stop::Stop;

/// Bytes given to the kernel in one call.
const CHUNK_BYTES: usize = 128 * 1024;

/// What a measurement of throughput found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throughput {
    /// How many connections there were.
    pub(crate) streams: usize,
    /// Payload bytes that the receiving application read.
    pub(crate) bytes: u64,
    /// From the beginning of the first stream to the end of the last.
    pub(crate) elapsed: Duration,
    /// Segments that the senders sent again.
    pub(crate) retransmits: u64,
}

impl Throughput {
    /// Bits of payload per second.
    pub(crate) fn bits_per_second(&self) -> f64 {
        if self.elapsed.is_zero() {
            return 0.0;
        }
        figures::value(self.bytes) * 8.0 / self.elapsed.as_secs_f64()
    }

    /// As figures.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        vec![
            Figure {
                key: "bits_per_second",
                name: "throughput",
                value: self.bits_per_second(),
                unit: Unit::BitsPerSecond,
                better: Better::More,
            },
            Figure {
                key: "retransmits",
                name: "sent again",
                value: figures::value(self.retransmits),
                unit: Unit::Count,
                better: Better::Less,
            },
        ]
    }
}

/// Sends over `streams` connections for `time`, from `sender` to `address` in `receiver`.
pub(crate) fn throughput(
    sender: &Namespace,
    receiver: &Namespace,
    address: IpAddr,
    streams: usize,
    time: Duration,
    stop: &Stop,
) -> anyhow::Result<Throughput> {
    let pairs = connections::open(sender, receiver, address, streams, stop)?;
    transfer(&pairs, time, stop)
}

fn transfer(pairs: &[Pair], time: Duration, stop: &Stop) -> anyhow::Result<Throughput> {
    let broken = Broken::default();
    let broken = &broken;
    let start = Instant::now();
    let received: Vec<Received> = std::thread::scope(|scope| {
        let receivers: Vec<_> = pairs
            .iter()
            .map(|(_, far)| scope.spawn(move || broken.note(receive(far))))
            .collect();
        for (near, _) in pairs {
            scope.spawn(move || broken.note(send(near, start + time, &broken.at_all)));
        }
        let streams = pairs.iter().flat_map(|(near, far)| [near, far]);
        connections::supervise(&receivers, streams, stop);
        receivers
            .into_iter()
            .filter_map(|receiver| receiver.join().ok().flatten())
            .collect()
    });
    stop.check()?;
    broken.outcome()?;
    let last = received.iter().map(|one| one.end).max().unwrap_or(start);
    let retransmits = pairs
        .iter()
        .filter_map(|(near, _)| sys::total_retransmits(near))
        .map(u64::from)
        .sum();
    Ok(Throughput {
        streams: pairs.len(),
        bytes: received.iter().map(|one| one.bytes).sum(),
        elapsed: last.saturating_duration_since(start),
        retransmits,
    })
}

/// Whether a stream broke, and why the first did.
#[derive(Default)]
struct Broken {
    at_all: AtomicBool,
    why: Mutex<Option<io::Error>>,
}

impl Broken {
    fn note<T>(&self, outcome: io::Result<T>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                self.at_all.store(true, Ordering::Relaxed);
                if let Ok(mut why) = self.why.lock() {
                    why.get_or_insert(connections::plain(error));
                }
                None
            }
        }
    }

    fn outcome(&self) -> io::Result<()> {
        match self.why.lock().map(|mut why| why.take()) {
            Ok(Some(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

/// What a receiver has read, until when.
struct Received {
    bytes: u64,
    end: Instant,
}

fn receive(mut stream: &TcpStream) -> io::Result<Received> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut bytes = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => {
                let end = Instant::now();
                return Ok(Received { bytes, end });
            }
            Ok(read) => bytes += read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn send(mut stream: &TcpStream, end: Instant, broken: &AtomicBool) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let chunk = vec![0x5a; CHUNK_BYTES];
    while Instant::now() < end && !broken.load(Ordering::Relaxed) {
        stream.write_all(&chunk)?;
    }
    stream.shutdown(Shutdown::Write)
}
