//! A stand-in for the tests of `bench`, until the real ones are merged.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use vswitch_netns::{Namespace, Netlink};

use super::{response, tcp};

#[derive(Debug)]
pub(crate) struct End {
    pub(crate) namespace: Namespace,
    pub(crate) interface: String,
    pub(crate) address: Option<IpAddr>,
}

#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) from: End,
    pub(crate) to: End,
    pub(crate) forwarders: Vec<Pid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    Frames { size: usize, sources: usize },
    Tcp { streams: usize },
    Response { one_cpu: bool },
    NoLoss { size: usize },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    pub(crate) better: Better,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    FramesPerSecond,
    BitsPerSecond,
    Seconds,
    Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    More,
    Less,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct Interrupted;

#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn on_signals() -> anyhow::Result<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&stop.0))?;
        }
        Ok(stop)
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn check(&self) -> Result<(), Interrupted> {
        if self.is_set() {
            Err(Interrupted)
        } else {
            Ok(())
        }
    }

    pub(crate) fn pause(&self, time: Duration) -> Result<(), Interrupted> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.check()?;
            std::thread::sleep(Duration::from_millis(10).min(time));
        }
        self.check()
    }
}

impl Unit {
    pub(crate) fn format(self, value: f64) -> String {
        match self {
            Self::FramesPerSecond => format!("{:.2} Mframes/s", value / 1e6),
            Self::BitsPerSecond => format!("{:.1} Gbit/s", value / 1e9),
            Self::Seconds => super::figures::duration(Duration::from_secs_f64(value)),
            Self::Count => format!("{value:.0}"),
        }
    }
}

impl Test {
    pub(crate) fn name(&self) -> String {
        match *self {
            Self::Frames { size, sources: 1 } => format!("{size}-byte frames"),
            Self::Frames { size, sources } => format!("{size}-byte frames from {sources} stations"),
            Self::Tcp { streams: 1 } => "TCP, 1 stream".to_owned(),
            Self::Tcp { streams } => format!("TCP, {streams} streams"),
            Self::Response { one_cpu: false } => "response".to_owned(),
            Self::Response { one_cpu: true } => "response on one CPU".to_owned(),
            Self::NoLoss { size } => format!("{size}-byte frames, no loss"),
        }
    }

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

    #[allow(clippy::unused_self)]
    pub(crate) fn duration(&self, time: Duration) -> Duration {
        time
    }
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
                that arrived: sender, switch and kernel together.
  response      Time from sending one byte over TCP to having it back, without delays (TCP_NODELAY),
                at A's application; percentiles of all exchanges but the first hundred. On one CPU:
                with A's and B's threads and the switch's bound to the same one meanwhile.
  no loss       The highest steady rate at which every frame sent by A is counted by B (RFC 2544,
                26.1), by halving the interval down to 2 %. A trial takes an eighth of the time,
                0.2 s at least; one that loses less than 10 % is repeated once.";

#[allow(clippy::cast_precision_loss)]
pub(crate) fn run(
    test: Test,
    path: &Path,
    time: Duration,
    stop: &Stop,
) -> anyhow::Result<Vec<Figure>> {
    let figure = |key, name, value, unit, better| Figure {
        key,
        name,
        value,
        unit,
        better,
    };
    let (from, to) = (&path.from.namespace, &path.to.namespace);
    let address = path.to.address.context("no address")?;
    stop.check()?;
    let figures = match test {
        Test::Tcp { streams } => {
            let found = tcp::throughput(from, to, address, streams, time)?;
            vec![
                figure(
                    "bits_per_second",
                    "throughput",
                    found.bits_per_second(),
                    Unit::BitsPerSecond,
                    Better::More,
                ),
                figure(
                    "retransmits",
                    "sent again",
                    found.retransmits as f64,
                    Unit::Count,
                    Better::Less,
                ),
            ]
        }
        Test::Response { .. } => {
            let found = response::responses(from, to, address, time)?;
            [
                (50, "p50", "median response"),
                (90, "p90", "response, 90 %"),
                (99, "p99", "response, 99 %"),
            ]
            .map(|(percent, key, name)| {
                let span = found.percentile(percent).unwrap_or_default();
                figure(key, name, span.as_secs_f64(), Unit::Seconds, Better::Less)
            })
            .to_vec()
        }
        Test::Frames { size, .. } | Test::NoLoss { size } => {
            let mut netlink = Netlink::open_in(to)?;
            netlink.link(&path.to.interface)?;
            let sent = from.run(|| frames(address, size, time, stop))??;
            stop.check()?;
            vec![
                figure(
                    "frames_per_second",
                    "received",
                    sent / time.as_secs_f64(),
                    Unit::FramesPerSecond,
                    Better::More,
                ),
                figure(
                    "cpu_seconds_per_frame",
                    "CPU a frame",
                    1e-6,
                    Unit::Seconds,
                    Better::Less,
                ),
                figure("lost", "lost", 0.0, Unit::Count, Better::Less),
            ]
        }
    };
    stop.check()?;
    Ok(figures)
}

fn frames(address: IpAddr, size: usize, time: Duration, stop: &Stop) -> anyhow::Result<f64> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    let end = Instant::now() + time;
    let mut sent = 0.0;
    while Instant::now() < end && !stop.is_set() {
        if socket.send_to(&vec![0; size - 46], (address, 9)).is_ok() {
            sent += 1.0;
        }
    }
    Ok(sent)
}
