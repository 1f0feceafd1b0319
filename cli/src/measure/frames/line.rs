//! The two interfaces between which frames go.

use std::fmt;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use socket2::Socket;
use vswitch_netns::{Link, MacBytes, Netlink};

use super::sender::{ETHER_TYPE, FCS_BYTES, HEADER_BYTES, Sender, frame, packet_socket};
use crate::measure::path::{End, Path};
use vswitch_control::stop::Stop;

/// The smallest Ethernet frame, check sequence included (IEEE 802.3-2022 4A.4.2).
pub(crate) const MIN_SIZE: usize = 64;
/// How long the path may take to let the first frame through.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a trial frame is waited for before another is sent.
const TRIAL: Duration = Duration::from_millis(100);
/// No frame that is still under way stays away for so long.
const QUIET: Duration = Duration::from_millis(50);
/// The most that frames under way are waited for (RFC 2544, 23).
const MOST_SETTLING: Duration = Duration::from_secs(2);

/// A path with its interfaces looked up.
pub(in crate::measure) struct Line<'p> {
    path: &'p Path,
    size: usize,
    from: Side,
    to: Side,
    netlink: Netlink,
    /// Says where the receiver is. Receives nothing.
    back: Socket,
}

/// One interface.
struct Side {
    link: Link,
    mac: MacBytes,
}

impl Side {
    fn look_up(end: &End, netlink: &mut Netlink) -> anyhow::Result<Self> {
        let link = netlink
            .link(&end.interface)
            .with_context(|| format!("can't look up {end}"))?;
        if !link.up {
            bail!("{end} is down: bring it up");
        }
        match link.mac {
            Some(mac) => Ok(Self { link, mac }),
            None => bail!("{end} is not an Ethernet interface: raw frames need one"),
        }
    }
}

/// The greatest frame, check sequence included, that both interfaces of a path let through.
///
/// # Errors
/// Where one of them cannot be looked up.
pub(crate) fn largest_size(path: &Path) -> anyhow::Result<usize> {
    let mut least = usize::MAX;
    for end in [&path.from, &path.to] {
        let mut netlink = Netlink::open_in(&end.namespace)?;
        let side = Side::look_up(end, &mut netlink)?;
        let mtu = usize::try_from(side.link.mtu_bytes)?;
        least = least.min(mtu + HEADER_BYTES + FCS_BYTES);
    }
    Ok(least)
}

impl<'p> Line<'p> {
    /// For frames of `size` bytes, check sequence included.
    pub(in crate::measure) fn open(path: &'p Path, size: usize) -> anyhow::Result<Self> {
        let largest = largest_size(path)?;
        if !(MIN_SIZE..=largest).contains(&size) {
            bail!(
                "frames of {size} bytes do not fit between {} and {}: choose from {MIN_SIZE} to \
                 {largest} bytes, or give both a greater MTU",
                path.from,
                path.to
            );
        }
        let from = Side::look_up(&path.from, &mut Netlink::open_in(&path.from.namespace)?)?;
        let mut netlink = Netlink::open_in(&path.to.namespace)?;
        let to = Side::look_up(&path.to, &mut netlink)?;
        let back = packet_socket(&path.to.namespace, to.link.index, 0)
            .with_context(|| no_socket(&path.to))?;
        Ok(Self {
            path,
            size,
            from,
            to,
            netlink,
            back,
        })
    }

    /// A sender in the name of so many stations: with one, of the interface itself.
    pub(in crate::measure) fn sender(&self, sources: usize) -> anyhow::Result<Sender> {
        Sender::open(
            &self.path.from.namespace,
            self.from.link.index,
            self.size,
            self.to.mac,
            self.from.mac,
            sources,
        )
        .with_context(|| no_socket(&self.path.from))
    }

    /// Frames that the receiving interface has counted, whoever sent them.
    pub(in crate::measure) fn received(&mut self) -> anyhow::Result<u64> {
        let counters = self
            .netlink
            .counters(&self.to.link)
            .with_context(|| format!("can't count frames at {}", self.path.to))?;
        Ok(counters.rx_frames)
    }

    /// Has whatever forwards learn where the receiver is.
    pub(in crate::measure) fn announce(&self) -> anyhow::Result<()> {
        let frame = frame(MIN_SIZE, self.from.mac, self.to.mac);
        match self.back.send(&frame) {
            // Lost like any frame: another follows.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(()),
            other => other
                .map(drop)
                .with_context(|| format!("can't send a frame at {}", self.path.to)),
        }
    }

    /// Waits until a frame from one end arrives at the other.
    pub(in crate::measure) fn reach(&self, stop: &Stop) -> anyhow::Result<()> {
        let mut taker = packet_socket(&self.path.to.namespace, self.to.link.index, ETHER_TYPE)
            .with_context(|| no_socket(&self.path.to))?;
        taker.set_read_timeout(Some(TRIAL))?;
        let mut sender = self.sender(1)?;
        let mut buffer = vec![0; self.size];
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            stop.check()?;
            self.announce()?;
            sender
                .send(1)
                .with_context(|| format!("can't send a frame at {}", self.path.from))?;
            match taker.read(&mut buffer) {
                Ok(_) => return Ok(()),
                Err(error) if passing(&error) => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("can't receive a frame at {}", self.path.to));
                }
            }
        }
        bail!(
            "no frame of {} bytes from {} arrives at {}: nothing between them forwards it",
            self.size,
            self.path.from,
            self.path.to
        );
    }

    /// Frames received since the counter was at `before`, when `sent` of them have arrived or no
    /// more come.
    pub(in crate::measure) fn settled(
        &mut self,
        before: u64,
        sent: u64,
        stop: &Stop,
    ) -> anyhow::Result<u64> {
        let end = Instant::now() + MOST_SETTLING;
        let mut arrived = self.received()?.saturating_sub(before);
        while arrived < sent && Instant::now() < end {
            stop.pause(QUIET)?;
            let now = self.received()?.saturating_sub(before);
            if now == arrived {
                break;
            }
            arrived = now;
        }
        Ok(arrived)
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Path { from, to, .. } = self.path;
        write!(f, "the path from {from} to {to}")
    }
}

fn passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

fn no_socket(end: &End) -> String {
    format!("can't open a packet socket at {end}")
}
