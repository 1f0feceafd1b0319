//! One client's connection: lines in, lines out, never blocking, bounded in memory.
//!
//! Theory of operation. A client that does not read its replies is not read from either: the
//! next request is taken only when the last reply has left. So a connection holds at most one
//! unfinished request and one unsent reply (to a batch: one for each of its requests), and what
//! it is told unasked, which is bounded by itself ([`Backlog`]). With a request may come one
//! descriptor; it is closed unless the request takes it.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::RecvFlags;

use super::news::{Backlog, Line};
use vswitch_control::ancillary;
use vswitch_control::protocol::MAX_MESSAGE_BYTES;

/// How much is read at once.
const CHUNK_BYTES: usize = 16 * 1024;
/// How much of one client is read before others have their turn.
const STEP_BYTES: usize = 4 * CHUNK_BYTES;
/// How much of a message that is too long is read and thrown away, so that its sender comes to
/// read why, before the connection is cut.
const DISCARD_BYTES: usize = 16 * 1024 * 1024;

/// A stream whose two directions end separately.
pub(crate) trait Stream: Read + Write {
    /// Tells the client that nothing more will come.
    fn end_writing(&self) -> io::Result<()>;

    /// Reads, and takes the descriptor that came with the last byte, if one did.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
        Ok((self.read(buffer)?, None))
    }
}

impl Stream for mio::net::UnixStream {
    fn end_writing(&self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }

    /// The kernel ends what it gives at once with the bytes that descriptors were sent with
    /// (`unix_stream_read_generic` in `net/unix/af_unix.c`). All but the first are closed.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
        let received = ancillary::receive(self.as_fd(), buffer, RecvFlags::empty())?;
        Ok((received.length, received.descriptors.into_iter().next()))
    }
}

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    input: Vec<u8>,
    /// So much of `input` holds no newline.
    scanned: usize,
    output: Vec<u8>,
    /// So much of `output` has left.
    sent: usize,
    /// What it is told unasked, once `output` has left.
    news: Backlog,
    /// The descriptor that came along, and the place in `input` of the byte that it came with.
    passed: Option<(usize, OwnedFd)>,
    /// The one that belongs to the message that was taken last.
    taken: Option<OwnedFd>,
    state: State,
    /// Whether it has read any of what it was sent, since this was asked.
    moved: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The client will send no more.
    InputEnded,
    /// So many more bytes of a message that is too long are thrown away.
    Discarding(usize),
}

/// What a connection comes to next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A message, without its newline.
    Message(Vec<u8>),
    /// The end of input came inside a message.
    CutOff,
    /// A message longer than allowed; the rest of it is thrown away.
    TooLong,
    /// Nothing until the stream is ready again.
    Wait,
    /// There is more to read, and it is the others' turn.
    Later,
    /// The connection is over.
    Close,
}

impl<S: Stream> Connection<S> {
    /// A connection on a stream that does not block.
    pub(crate) const fn new(stream: S, news: Backlog) -> Self {
        Self {
            stream,
            input: Vec::new(),
            scanned: 0,
            output: Vec::new(),
            sent: 0,
            news,
            passed: None,
            taken: None,
            state: State::Open,
            moved: false,
        }
    }

    /// The bytes that are kept for it: an unfinished message, and unsent replies.
    pub(crate) fn held_bytes(&self) -> usize {
        self.input.capacity() + self.output.capacity()
    }

    /// Whether a message has begun and not ended, or is too long.
    pub(crate) fn is_mid_message(&self) -> bool {
        !self.input.is_empty() || matches!(self.state, State::Discarding(_))
    }

    /// Whether a reply waits until the client reads.
    pub(crate) fn is_unread(&self) -> bool {
        self.sent < self.output.len()
    }

    /// Whether the client has read anything since this was asked last.
    pub(crate) fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// The descriptor that came with the message that was taken last.
    pub(crate) const fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.taken.take()
    }

    /// The stream, for the poller.
    pub(crate) const fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream, and what is still to be sent. What the client has sent and nobody has read is
    /// forgotten.
    pub(crate) fn into_parts(mut self) -> (S, Vec<u8>) {
        self.output.drain(..self.sent);
        (self.stream, self.output)
    }

    /// Adds a line to what is to be sent.
    pub(crate) fn queue(&mut self, line: &[u8]) {
        self.output.extend_from_slice(line);
        self.output.push(b'\n');
    }

    /// Sends what is queued, as far as it is read. That the client is gone is told by the next step.
    pub(crate) fn send(&mut self) {
        let _ = self.flush();
    }

    /// Adds a line that the client is told unasked, or counts it where too many wait.
    pub(crate) fn tell(&mut self, line: &Line) {
        self.news.push(line);
    }

    /// Sends what is queued, then finds the next message.
    pub(crate) fn step(&mut self) -> Step {
        let mut budget = STEP_BYTES;
        loop {
            match self.flush() {
                Ok(true) => {}
                Ok(false) => return Step::Wait,
                Err(_) => return Step::Close,
            }
            match self.state {
                State::Open | State::InputEnded => {
                    if let Some(step) = self.take_message() {
                        return step;
                    }
                    if self.state == State::InputEnded {
                        return Step::Close;
                    }
                }
                State::Discarding(0) => return Step::Close,
                State::Discarding(_) => {
                    // Fails where the client is gone, which reading will tell.
                    let _ = self.stream.end_writing();
                }
            }
            if budget == 0 {
                return Step::Later;
            }
            match self.fill() {
                Ok(read) => budget = budget.saturating_sub(read),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Wait,
                Err(_) => return Step::Close,
            }
        }
    }

    /// Sends what it can; whether that was all.
    fn flush(&mut self) -> io::Result<bool> {
        while self.sent < self.output.len() || self.fetch_news() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.sent += written;
                    self.moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // A large reply's memory is not kept for a client that may be silent from now on.
        self.output = Vec::new();
        self.sent = 0;
        Ok(true)
    }

    /// Once all has left: the next news, as many as make a piece. Whether there were any.
    fn fetch_news(&mut self) -> bool {
        self.output.clear();
        self.sent = 0;
        while self.output.len() < CHUNK_BYTES
            && let Some(line) = self.news.pop()
        {
            self.queue(&line);
        }
        !self.output.is_empty()
    }

    fn take_message(&mut self) -> Option<Step> {
        let found = self.input[self.scanned..].iter().position(|b| *b == b'\n');
        let end = found.map(|offset| self.scanned + offset);
        self.taken = None;
        if end.unwrap_or(self.input.len()) > MAX_MESSAGE_BYTES {
            self.passed = None;
            self.state = State::Discarding(DISCARD_BYTES);
            self.input = Vec::new();
            return Some(Step::TooLong);
        }
        if let Some(end) = end {
            let mut message: Vec<u8> = self.input.drain(..=end).collect();
            message.pop();
            self.scanned = 0;
            self.taken = self.descriptor_up_to(end);
            if self.input.is_empty() {
                // A large message's memory is not kept for a client that may be silent now.
                self.input = Vec::new();
            }
            return Some(Step::Message(message));
        }
        self.scanned = self.input.len();
        if self.state == State::InputEnded && !self.input.is_empty() {
            self.input = Vec::new();
            self.scanned = 0;
            return Some(Step::CutOff);
        }
        None
    }

    /// The descriptor that came with a message which ended at this place.
    fn descriptor_up_to(&mut self, end: usize) -> Option<OwnedFd> {
        match self.passed.take() {
            Some((place, descriptor)) if place > end => {
                self.passed = Some((place - end - 1, descriptor));
                None
            }
            passed => passed.map(|(_, descriptor)| descriptor),
        }
    }

    /// Reads once; how much.
    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; CHUNK_BYTES];
        let (read, descriptor) = loop {
            match self.stream.receive(&mut chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        match self.state {
            State::Discarding(left) => {
                let left = if read == 0 {
                    0
                } else {
                    left.saturating_sub(read)
                };
                self.state = State::Discarding(left);
            }
            _ if read == 0 => self.state = State::InputEnded,
            _ => {
                self.input.extend_from_slice(&chunk[..read]);
                // One to a message: who sends more has them closed.
                if let Some(descriptor) = descriptor
                    && self.passed.is_none()
                {
                    self.passed = Some((self.input.len() - 1, descriptor));
                }
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
