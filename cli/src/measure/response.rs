//! Response time: one byte there and one byte back over TCP, again and again.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::affinity::OneCpu;
use super::connections::{self, PATIENCE};
use super::figures::{Better, Figure, Unit};
use super::path::Path;
use vswitch_control::stop::Stop;

/// Exchanges before those that count: addresses are resolved, caches filled.
const WARM_UP: usize = 100;

/// The times of all exchanges, the shortest first.
#[derive(Clone, Debug)]
pub(crate) struct Responses(Vec<Duration>);

impl Responses {
    /// How many exchanges there were.
    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that `percent` of the exchanges did not exceed (nearest rank).
    pub(crate) fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied()
    }

    /// As figures.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let names = [
            (50, "p50", "median"),
            (90, "p90", "90 %"),
            (99, "p99", "99 %"),
        ];
        names
            .iter()
            .filter_map(|(percent, key, name)| {
                Some(Figure {
                    key,
                    name,
                    value: self.percentile(*percent)?.as_secs_f64(),
                    unit: Unit::Seconds,
                    better: Better::Less,
                })
            })
            .collect()
    }
}

/// Exchanges bytes for `time`, asked from one end and answered from the other; with `one_cpu`,
/// ends and forwarders share one CPU meanwhile.
pub(super) fn run(
    path: &Path,
    one_cpu: bool,
    time: Duration,
    stop: &Stop,
) -> anyhow::Result<Responses> {
    let (from, to) = (&path.from.namespace, &path.to.namespace);
    let address = path.to.need_address()?;
    let mut pairs = connections::open(from, to, address, 1, stop)?;
    let (near, far) = pairs.swap_remove(0);
    for stream in [&near, &far] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
    }
    let cpu = one_cpu
        .then(|| OneCpu::bind(&path.forwarders))
        .transpose()?;
    let join = || cpu.as_ref().map_or(Ok(()), OneCpu::join);
    let (join, near, far) = (&join, &near, &far);
    let mut times = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A thread that could not be bound answers nothing.
            if join().is_ok() {
                echo(far);
            }
            let _ = far.shutdown(std::net::Shutdown::Both);
        });
        let asking = scope.spawn(move || {
            let times = join().and_then(|()| Ok(ask(near, time).map_err(connections::plain)?));
            let _ = near.shutdown(std::net::Shutdown::Both);
            times
        });
        let asking = [asking];
        connections::supervise(&asking, [near, far].into_iter(), stop);
        let [asking] = asking;
        asking
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
    // What was broken off has no other failure.
    .or_else(|error| stop.check().map_err(anyhow::Error::from).and(Err(error)))?;
    times.sort_unstable();
    Ok(Responses(times))
}

/// Sends every byte back until the other side closes.
fn echo(mut stream: &TcpStream) {
    let mut byte = [0];
    while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
}

fn ask(stream: &TcpStream, time: Duration) -> io::Result<Vec<Duration>> {
    for _ in 0..WARM_UP {
        exchange(stream)?;
    }
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < time {
        times.push(exchange(stream)?);
    }
    Ok(times)
}

fn exchange(mut stream: &TcpStream) -> io::Result<Duration> {
    let mut byte = [0x5a];
    let sent = Instant::now();
    stream.write_all(&byte)?;
    stream.read_exact(&mut byte)?;
    Ok(sent.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let responses = Responses((1..=200).map(Duration::from_micros).collect());
        for (percent, micros) in [(50, 100), (99, 198), (100, 200), (0, 1)] {
            let expected = Duration::from_micros(micros);
            assert_eq!(responses.percentile(percent), Some(expected), "{percent}");
        }
        assert_eq!(Responses(Vec::new()).percentile(50), None);
        assert!(Responses(Vec::new()).figures().is_empty());
        let keys: Vec<_> = responses.figures().iter().map(|f| f.key).collect();
        assert_eq!(keys, ["p50", "p90", "p99"]);
    }
}
