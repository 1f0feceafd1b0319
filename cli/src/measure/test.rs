//! The tests, and running one.

use std::time::Duration;

use super::cpu::BASELINE;
use super::figures::Figure;
use super::frames::{self, Flood};
use super::no_loss::{self, NoLoss};
use super::path::Path;
use super::response::{self, Responses};
use super::tcp::{self, Throughput};
use vswitch_control::stop::Stop;

/// Setting a test up and waiting for its last frames.
const AROUND: Duration = Duration::from_millis(100);

/// What is measured on a path. [`DEFINITIONS`] says what is counted, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    /// Raw frames as fast as one sender can send, of `size` bytes, check sequence included, from
    /// `sources` stations in turn.
    Frames {
        /// From 64 to the MTU and 18 bytes more.
        size: usize,
        /// With one, it is the sending interface.
        sources: usize,
    },
    /// TCP one way over `streams` connections.
    Tcp {
        /// How many at once.
        streams: usize,
    },
    /// One byte there and back over TCP.
    Response {
        /// Whether ends and forwarders are bound to one CPU.
        one_cpu: bool,
    },
    /// The highest rate without loss, by search.
    NoLoss {
        /// As of frames.
        size: usize,
    },
}

/// What is counted, and where: for the help.
pub(crate) const DEFINITIONS: &str = "\
What is measured, from A to B:
  TCP           Payload bits that B's application has read in a second, from the first byte sent to
                the last one read. All connections use the congestion control cubic. Segments sent
                again are those of A (TCP_INFO).
  frames        Frames that B's interface has counted in a second, while one thread at A sends raw
                frames (EtherType 88b5, which no stack answers) as fast as A's kernel takes them.
                Sizes include the 4 bytes of the check sequence, as in RFC 2544, which a virtual
                cable does not carry: a frame of 64 bytes is 60 bytes there. What A's kernel
                refuses is not sent; what it took and B never counted is lost. Other traffic to B
                is counted too.
  CPU a frame   Time that all CPUs of the machine worked meanwhile (user, nice, system, irq and
                softirq of /proc/stat), less what they worked just before, divided by the frames
                that arrived: sender, switch and kernel together, and so what A's thread spends
                on sending again what its kernel refuses. Left out where other work kept a tenth
                of a CPU busy just before.
  response      Time from sending one byte over TCP to having it back, without delays (TCP_NODELAY),
                at A's application; percentiles of all exchanges but the first hundred. On one CPU:
                with A's and B's threads and the switch's bound to the same one meanwhile. Should
                the measurement be killed (SIGKILL) just then, the switch stays bound to it until
                it is started again, or given all CPUs: taskset -a -p -c 0-1023 PID.
  no loss       The highest steady rate at which every frame sent by A is counted by B (RFC 2544,
                26.1), by halving the interval down to 2 %. A trial takes an eighth of the time,
                0.2 s at least; one that loses less than 10 % is repeated once. Other traffic to B
                is counted too and can hide a loss, so the rate found is confirmed by a trial of
                twice the time; where that loses, a rate 2 % lower is, and where the sender was
                held up, the same one: three trials at most. A rate that none of them confirms is
                said to be such, and is left out of a comparison.";

/// What a test found.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// Of [`Test::Frames`].
    Frames(Flood),
    /// Of [`Test::Tcp`].
    Tcp(Throughput),
    /// Of [`Test::Response`].
    Response(Responses),
    /// Of [`Test::NoLoss`].
    NoLoss(NoLoss),
}

impl Outcome {
    /// As figures.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        match self {
            Self::Frames(flood) => flood.figures(),
            Self::Tcp(throughput) => throughput.figures(),
            Self::Response(responses) => responses.figures(),
            Self::NoLoss(no_loss) => no_loss.figures(),
        }
    }
}

impl Test {
    /// For people.
    pub(crate) fn name(&self) -> String {
        match *self {
            Self::Frames { size, sources: 1 } => format!("{size}-byte frames"),
            Self::Frames { size, sources } => {
                format!("{size}-byte frames from {sources} stations")
            }
            Self::Tcp { streams: 1 } => "TCP, 1 stream".to_owned(),
            Self::Tcp { streams } => format!("TCP, {streams} streams"),
            Self::Response { one_cpu: false } => "response".to_owned(),
            Self::Response { one_cpu: true } => "response on one CPU".to_owned(),
            Self::NoLoss { size } => format!("{size}-byte frames, no loss"),
        }
    }

    /// For JSON.
    pub(crate) fn key(&self) -> String {
        match *self {
            Self::Frames { size, sources: 1 } => format!("frames_{size}"),
            Self::Frames { size, sources } => format!("frames_{size}_from_{sources}"),
            Self::Tcp { streams } => format!("tcp_{streams}"),
            Self::Response { one_cpu: false } => "response".to_owned(),
            Self::Response { one_cpu: true } => "response_one_cpu".to_owned(),
            Self::NoLoss { size } => format!("no_loss_{size}"),
        }
    }

    /// How long it takes, about, where it is given `time`.
    pub(crate) fn duration(&self, time: Duration) -> Duration {
        AROUND
            + match self {
                Self::Frames { .. } => BASELINE + frames::WARM_UP + time,
                Self::Tcp { .. } | Self::Response { .. } => time,
                Self::NoLoss { .. } => no_loss::duration(time),
            }
    }
}

/// Runs `test` for about `time`.
///
/// # Errors
/// A sentence; [`super::Interrupted`] where `stop` was set.
pub(crate) fn measure(
    test: Test,
    path: &Path,
    time: Duration,
    stop: &Stop,
) -> anyhow::Result<Outcome> {
    stop.check()?;
    Ok(match test {
        Test::Frames { size, sources } => {
            Outcome::Frames(frames::run(path, size, sources, time, stop)?)
        }
        Test::Tcp { streams } => {
            let (from, to) = (&path.from.namespace, &path.to.namespace);
            let address = path.to.need_address()?;
            Outcome::Tcp(tcp::throughput(from, to, address, streams, time, stop)?)
        }
        Test::Response { one_cpu } => Outcome::Response(response::run(path, one_cpu, time, stop)?),
        Test::NoLoss { size } => Outcome::NoLoss(no_loss::run(path, size, time, stop)?),
    })
}

/// Runs `test` for about `time`, and gives its figures alone.
///
/// # Errors
/// As [`measure`].
pub(crate) fn run(
    test: Test,
    path: &Path,
    time: Duration,
    stop: &Stop,
) -> anyhow::Result<Vec<Figure>> {
    measure(test, path, time, stop).map(|outcome| outcome.figures())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn tests_have_names_and_keys_of_their_own() {
        let tests = [
            Test::Frames {
                size: 64,
                sources: 1,
            },
            Test::Frames {
                size: 64,
                sources: 1000,
            },
            Test::Tcp { streams: 1 },
            Test::Tcp { streams: 4 },
            Test::Response { one_cpu: false },
            Test::Response { one_cpu: true },
            Test::NoLoss { size: 64 },
        ];
        let names: BTreeSet<_> = tests.iter().map(Test::name).collect();
        let keys: BTreeSet<_> = tests.iter().map(Test::key).collect();
        assert_eq!((names.len(), keys.len()), (7, 7));
        assert!(keys.contains("frames_64_from_1000") && keys.contains("response_one_cpu"));
        let time = Duration::from_secs(1);
        assert!(tests.iter().all(|test| test.duration(time) > time));
    }
}
