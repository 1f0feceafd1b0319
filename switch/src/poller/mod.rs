//! Finds ports that may have frames: by their descriptors or, while they are busy, by a timer.
//!
//! # Theory of operation
//!
//! A descriptor that becomes readable wakes the thread that waits for it. Waking a thread costs the
//! kernel more than receiving a small frame, and the sender of that frame pays for it. Under load
//! the switch would be woken every few frames, each time shortly after it went to sleep.
//!
//! Therefore a busy port is not watched: its descriptor is removed from the poller, so that a new
//! frame wakes no thread, and the port is polled every [`TICK`] instead, when a few dozen frames
//! have accumulated. It is watched again when its load is low. Network drivers do the same (NAPI,
//! `Documentation/networking/napi.rst`).
//!
//! Ports that are not busy are always watched, and wake the switch at once. Without a busy port
//! there is no timer either.

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

/// How often busy ports are polled: the longest that a frame waits for it. Between 30 and 60 µs
/// throughput is the same; each tick costs about 3 µs.
const TICK: Duration = Duration::from_micros(40);
/// A batch of this many frames is a sign of load ...
const MANY: usize = BATCH / 2;
/// ... and this many of them in a row make a port busy.
const BATCHES_OF_MANY: u8 = 4;
/// After this many ticks ...
const TICKS: u8 = 8;
/// ... with fewer frames than this in total, waking the thread for each would cost no more, so the
/// port is watched again.
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
    /// The timer for busy ports.
    clock: TimerFd,
    /// Whether that timer is armed.
    is_ticking: bool,
    /// The timer for other work that becomes due.
    alarm: TimerFd,
    /// The time for which that timer is set.
    alarm_at: Option<Timestamp>,
    /// The state of each port with a descriptor, by its number.
    watched: Vec<Option<Watch>>,
    /// The ports that the timer polls.
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
    /// The timer polls it.
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

    /// Creates a waker, which ends a wait from another thread.
    pub(crate) fn waker(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), WAKE)
    }

    /// Watches the descriptor of a port, which must stay open until [`Poller::unwatch`].
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

    /// Removes a port; does nothing for one that is not watched.
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

    /// Makes the next wait end at `time` at the latest; `left` returns how far away that is. Costs
    /// nothing while the time stays the same, whereas a timeout per wait would make the kernel set
    /// and cancel a timer each time.
    pub(crate) fn set_alarm(&mut self, time: Timestamp, left: impl FnOnce() -> Duration) {
        if self.alarm_at != Some(time) {
            // Not zero, which would disarm it.
            let is_set = set(&self.alarm, left().max(Duration::from_nanos(1)));
            self.alarm_at = is_set.then_some(time);
        }
    }

    /// Waits up to `patience` (`None`: without a limit) for ports that may have frames. Calls
    /// `ready` with each of them and whether there was an error on its descriptor.
    pub(crate) fn wait(
        &mut self,
        patience: Option<Duration>,
        mut ready: impl FnMut(PortId, bool),
    ) -> io::Result<()> {
        // Whether it waits or not, and however many other ports are ready: an armed tick is never
        // postponed.
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

    /// Records how many frames a port had in one batch.
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

    /// Polls every busy port, and watches those again that are no longer busy.
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
            // If the descriptor is readable already, registering it reports that at once.
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
        // Fails for a descriptor that is not registered, which is harmless.
        let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
    }
}

/// Creates a timer whose expiry the poller reports. It is never read: setting it again re-arms the
/// report.
fn new_timer(poll: &Poll, token: Token) -> io::Result<TimerFd> {
    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
    let fd = timer.as_fd().as_raw_fd();
    poll.registry()
        .register(&mut SourceFd(&fd), token, Interest::READABLE)?;
    Ok(timer)
}

/// Sets a timer. Returns whether it is set.
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
