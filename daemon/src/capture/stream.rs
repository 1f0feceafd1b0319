//! A capture on its way to the client.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vswitch_switch::capture::Capture;

use super::encode::{Encoder, State};

/// How often one who waits for the client looks whether the daemon is ending.
const LOOK: u16 = 200;
/// How long a client may take no byte once the daemon is ending.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
/// After much, the next frames are left to gather for a moment: to be woken for each batch would
/// cost the switch more than the copies do.
const REST: Duration = Duration::from_micros(500);
/// So many bytes at once are much.
const MUCH: usize = 16 * 1024;

/// The client's socket and what goes into it.
pub(super) struct Stream {
    socket: UnixStream,
    capture: Capture,
    encoder: Encoder,
    /// Whether the daemon is ending.
    closing: Arc<AtomicBool>,
    /// Whether the client wants no more frames.
    asked_to_end: bool,
}

impl Stream {
    pub(super) fn new(
        socket: UnixStream,
        capture: Capture,
        encoder: Encoder,
        closing: Arc<AtomicBool>,
    ) -> Self {
        Self {
            socket,
            capture,
            encoder,
            closing,
            asked_to_end: false,
        }
    }

    /// Writes until the capture has ended, or the client is gone.
    ///
    /// # Errors
    /// Where the client has closed before, or the system fails.
    pub(super) fn run(mut self, unsent: &[u8]) -> io::Result<()> {
        self.socket.set_nonblocking(true)?;
        self.write(unsent)?;
        loop {
            let state = self.encoder.fill(&mut self.capture);
            let mut out = std::mem::take(&mut self.encoder.out);
            self.write(&out)?;
            self.listen(PollFlags::POLLIN)?;
            let was_much = out.len() >= MUCH;
            out.clear();
            self.encoder.out = out;
            match state {
                State::Ended => return Ok(()),
                State::More => {}
                State::Waiting if was_much => std::thread::sleep(REST),
                State::Waiting => self.wait()?,
            }
        }
    }

    /// Waits for frames, or for news of the client.
    fn wait(&mut self) -> io::Result<()> {
        if self.capture.arm() {
            return Ok(());
        }
        let from_client = if self.asked_to_end {
            PollFlags::empty()
        } else {
            PollFlags::POLLIN
        };
        let mut fds = [
            PollFd::new(self.socket.as_fd(), from_client),
            PollFd::new(self.capture.fd(), PollFlags::POLLIN),
        ];
        let waited = wait_for(&mut fds, PollTimeout::NONE);
        let told = fds[0].revents().unwrap_or(PollFlags::empty());
        self.capture.disarm();
        waited?;
        self.listen(told)
    }

    /// Writes all of `bytes`, however long the client takes.
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let mut last_taken = Instant::now();
        while !bytes.is_empty() {
            match self.socket.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    bytes = &bytes[taken..];
                    last_taken = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let is_closing = self.closing.load(Ordering::Relaxed);
                    if is_closing && last_taken.elapsed() >= LAST_PATIENCE {
                        return Err(ErrorKind::TimedOut.into());
                    }
                    self.wait_for_room()?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn wait_for_room(&mut self) -> io::Result<()> {
        let mut interest = PollFlags::POLLOUT;
        if !self.asked_to_end {
            interest |= PollFlags::POLLIN;
        }
        let mut fds = [PollFd::new(self.socket.as_fd(), interest)];
        wait_for(&mut fds, LOOK.into())?;
        let told = fds[0].revents().unwrap_or(PollFlags::empty());
        self.listen(told & !PollFlags::POLLOUT)
    }

    /// A client that ends its side of the connection wants the rest of what was captured and no
    /// more; one that has closed it wants nothing. What it says is of no concern.
    fn listen(&mut self, told: PollFlags) -> io::Result<()> {
        if told.intersects(PollFlags::POLLHUP | PollFlags::POLLERR) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if self.asked_to_end || !told.contains(PollFlags::POLLIN) {
            return Ok(());
        }
        let mut ignored = [0; 4096];
        match self.socket.read(&mut ignored) {
            Ok(0) => {
                self.asked_to_end = true;
                self.capture.stop();
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

fn wait_for(fds: &mut [PollFd<'_>], timeout: PollTimeout) -> io::Result<()> {
    match poll(fds, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
