//! Response time: one byte there and one byte back over TCP, again and again.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use vswitch_netns::Namespace;

use super::tcp;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

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
}

/// Exchanges bytes for `time`, asked from `from`, answered from `address` in `to`.
pub(crate) fn responses(
    from: &Namespace,
    to: &Namespace,
    address: IpAddr,
    time: Duration,
) -> anyhow::Result<Responses> {
    let mut pairs = tcp::connections(from, to, address, 1)?;
    let (near, far) = pairs.swap_remove(0);
    for stream in [&near, &far] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
    }
    let mut times = std::thread::scope(|scope| {
        scope.spawn(|| echo(far));
        ask(near, time)
    })?;
    times.sort_unstable();
    Ok(Responses(times))
}

/// Sends every byte back until the other side closes.
fn echo(mut stream: TcpStream) {
    let mut byte = [0];
    while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
}

fn ask(mut stream: TcpStream, time: Duration) -> std::io::Result<Vec<Duration>> {
    let mut times = Vec::new();
    let mut byte = [0x5a];
    let start = Instant::now();
    while start.elapsed() < time {
        let sent = Instant::now();
        stream.write_all(&byte)?;
        stream.read_exact(&mut byte)?;
        times.push(sent.elapsed());
    }
    Ok(times)
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
    }
}
