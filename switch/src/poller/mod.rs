//! Which ports may have frames: told by their descriptors or, while they are busy, by a clock.
//!
//! # Theory of operation
//!
//! A descriptor that becomes readable wakes whoever waits for it. To wake a thread costs the
//! kernel more than to receive a small frame, and it is the sender of that frame who pays. Under
//! load the switch would be woken every few frames, each time shortly after it fell asleep.
//!
//! A port with much to do is therefore not watched: its descriptor leaves the poller, after which
//! a new frame looks for nobody to wake, and the port is asked every [`TICK`] instead, when a few
//! dozen frames have come together. It is watched again as soon as little comes. Network cards and
//! their drivers do the same (NAPI, `Documentation/networking/napi.rst`).
//!
//! Ports that are not busy are watched all the time, and wake the switch at once. Without
//! a busy port there is no clock either.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Poll, Token, Waker};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::bridge::PortId;
use crate::frame::Timestamp;
use crate::port::BATCH;

/// How often busy ports are asked: the most that a frame waits for it. Between 30 and 60 µs
/// throughput is the same; each tick costs some 3 µs.
const TICK: Duration = Duration::from_micros(40);
/// A batch of so many frames is a sign of load ...
const MANY: usize = BATCH / 2;
/// ... and so many such batches one after the other make a port a busy one.
const BATCHES_OF_MANY: u8 = 4;
/// After so many ticks ...
const TICKS: u8 = 8;
/// ... with fewer frames than this in all, to be woken for each of them would cost no more: the port
/// is an ordinary one again.
const FEW: usize = 4 * TICKS as usize;

/// The tokens of the waker and the timers; ports have their numbers.
const WAKE: Token = Token(usize::MAX);
const CLOCK: Token = Token(usize::MAX - 1);
const ALARM: Token = Token(usize::MAX - 2);

/// Waits for ports.
#[derive(Debug)]
pub(crate) struct Poller {
    poll: Poll,
    events: mio::Events,
    /// For busy ports.
    clock: TimerFd,
    /// Whether that will tell of a tick.
    is_ticking: bool,
    /// For whatever has its time.
    alarm: TimerFd,
    /// What that is set for.
    alarm_at: Option<Timestamp>,
    /// What is known of each port that has a descriptor, by its number.
    watched: Vec<Option<Watch>>,
    /// The ports that are asked by the clock.
    busy: Vec<PortId>,
}

#[derive(Clone, Copy, Debug)]
struct Watch {
    fd: RawFd,
    mode: Mode,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    /// Its descriptor is watched.
    Woken { batches_of_many: u8 },
    /// The clock asks it.
    Asked { frames: usize, ticks: u8 },
}

impl Mode {
    const QUIET: Self = Self::Woken { batches_of_many: 0 };
    const BUSY: Self = Self::Asked {
        frames: 0,
        ticks: 0,
    };
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        Ok(Self {
            clock: new_timer(&poll, CLOCK)?,
            is_ticking: false,
            alarm: new_timer(&poll, ALARM)?,
            alarm_at: None,
            poll,
            events: mio::Events::with_capacity(256),
            watched: Vec::new(),
            busy: Vec::new(),
        })
    }

    /// Something that ends a wait from another thread.
    pub(crate) fn waker(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), WAKE)
    }

    /// Begins to watch the descriptor of a port, which stays open until [`Poller::unwatch`].
    pub(crate) fn watch(&mut self, port: PortId, fd: RawFd) -> io::Result<()> {
        self.register(port, fd)?;
        let index = usize::from(port.0);
        if self.watched.len() <= index {
            self.watched.resize(index + 1, None);
        }
        self.watched[index] = Some(Watch {
            fd,
            mode: Mode::QUIET,
        });
        Ok(())
    }

    /// Forgets a port. One that was never watched is none the worse for it.
    pub(crate) fn unwatch(&mut self, port: PortId) {
        let watch = self.watched.get_mut(usize::from(port.0));
        let Some(Watch { fd, mode }) = watch.and_then(Option::take) else {
            return;
        };
        match mode {
            Mode::Woken { .. } => self.deregister(fd),
            Mode::Asked { .. } => self.busy.retain(|busy| *busy != port),
        }
    }

    /// Has the next wait end at `time` at the latest, which is as far away as `left` tells. That
    /// costs nothing as long as the time is the same, whereas to give a time-out with each wait
    /// has the kernel set a timer and take it back again.
    pub(crate) fn set_alarm(&mut self, time: Timestamp, left: impl FnOnce() -> Duration) {
        if self.alarm_at != Some(time) {
            // Not zero, which would switch it off.
            let is_set = set(&self.alarm, left().max(Duration::from_nanos(1)));
            self.alarm_at = is_set.then_some(time);
        }
    }

    /// Waits as long as `patience` (`None`: without a limit) for a port that may have frames, and
    /// tells `ready` which those are and whether there was an error on the descriptor.
    pub(crate) fn wait(
        &mut self,
        patience: Option<Duration>,
        mut ready: impl FnMut(PortId, bool),
    ) -> io::Result<()> {
        // Whether it waits or not, and however many other ports have news meanwhile: a tick that
        // is under way is never put off.
        if !self.busy.is_empty() && !self.is_ticking {
            self.is_ticking = set(&self.clock, TICK);
        }
        match self.poll.poll(&mut self.events, patience) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        let mut ticked = false;
        for event in &self.events {
            match u16::try_from(event.token().0) {
                Ok(port) => ready(PortId(port), event.is_error()),
                Err(_) => match event.token() {
                    CLOCK => (ticked, self.is_ticking) = (true, false),
                    ALARM => self.alarm_at = None,
                    _ => {}
                },
            }
        }
        if ticked {
            self.tick(ready);
        }
        Ok(())
    }

    /// Tells how many frames a port has had in one batch.
    #[inline]
    pub(crate) fn note(&mut self, port: PortId, frames: usize) {
        let Some(Some(watch)) = self.watched.get_mut(usize::from(port.0)) else {
            return;
        };
        match &mut watch.mode {
            Mode::Asked { frames: sum, .. } => *sum += frames,
            Mode::Woken { batches_of_many } if frames < MANY => *batches_of_many = 0,
            Mode::Woken { batches_of_many } => {
                *batches_of_many += 1;
                if *batches_of_many == BATCHES_OF_MANY {
                    let fd = watch.fd;
                    watch.mode = Mode::BUSY;
                    self.deregister(fd);
                    self.busy.push(port);
                }
            }
        }
    }

    /// Asks every busy port, and watches again those that are none any more.
    fn tick(&mut self, mut ready: impl FnMut(PortId, bool)) {
        let mut busy = std::mem::take(&mut self.busy);
        busy.retain(|&port| {
            ready(port, false);
            let Some(Some(watch)) = self.watched.get_mut(usize::from(port.0)) else {
                return false;
            };
            if let Mode::Asked { frames, ticks } = &mut watch.mode {
                *ticks += 1;
                if *ticks < TICKS {
                    return true;
                }
                if *frames >= FEW {
                    watch.mode = Mode::BUSY;
                    return true;
                }
            }
            let fd = watch.fd;
            watch.mode = Mode::QUIET;
            // A descriptor that is readable already says so at once.
            if let Err(error) = self.register(port, fd) {
                log::debug!("port {} goes on by the clock: {error}", port.0);
                self.watched[usize::from(port.0)] = Some(Watch {
                    fd,
                    mode: Mode::BUSY,
                });
                return true;
            }
            false
        });
        self.busy = busy;
    }

    fn register(&self, port: PortId, fd: RawFd) -> io::Result<()> {
        let token = Token(usize::from(port.0));
        let registry = self.poll.registry();
        registry.register(&mut SourceFd(&fd), token, Interest::READABLE)
    }

    fn deregister(&self, fd: RawFd) {
        // It fails for a descriptor that is not registered: then there is nothing to do.
        let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
    }
}

/// A timer whose end the poller tells. It is never read: each setting is told anew.
fn new_timer(poll: &Poll, token: Token) -> io::Result<TimerFd> {
    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
    let fd = timer.as_fd().as_raw_fd();
    poll.registry()
        .register(&mut SourceFd(&fd), token, Interest::READABLE)?;
    Ok(timer)
}

/// Whether it is set.
fn set(timer: &TimerFd, left: Duration) -> bool {
    let once = Expiration::OneShot(TimeSpec::from_duration(left));
    let set = timer.set(once, TimerSetTimeFlags::empty());
    if let Err(errno) = set {
        log::warn!("can't set a timer: {errno}");
    }
    set.is_ok()
}

#[cfg(test)]
mod tests;
