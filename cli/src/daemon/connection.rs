//! One client's connection: lines in, lines out, never blocking, bounded in memory.
//!
//! Theory of operation. A client that does not read its replies is not read from either: the
//! next request is taken only when the last reply has left. So a connection holds at most one
//! unfinished request and one unsent reply (to a batch: one for each of its requests), and what
//! it is told unasked, which is bounded by itself ([`Backlog`]).

use std::io::{self, ErrorKind, Read, Write};

use super::news::{Backlog, Line};
use crate::protocol::MAX_MESSAGE_BYTES;

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
}

impl Stream for mio::net::UnixStream {
    fn end_writing(&self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
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
        if end.unwrap_or(self.input.len()) > MAX_MESSAGE_BYTES {
            self.state = State::Discarding(DISCARD_BYTES);
            self.input = Vec::new();
            return Some(Step::TooLong);
        }
        if let Some(end) = end {
            let mut message: Vec<u8> = self.input.drain(..=end).collect();
            message.pop();
            self.scanned = 0;
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

    /// Reads once; how much.
    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; CHUNK_BYTES];
        let read = loop {
            match self.stream.read(&mut chunk) {
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
            _ => self.input.extend_from_slice(&chunk[..read]),
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// A client that sends `incoming` piece by piece (an empty piece would block) and reads at
    /// most `window` bytes.
    #[derive(Default)]
    struct Script {
        incoming: VecDeque<Vec<u8>>,
        ended: bool,
        window: usize,
        received: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(mut piece) = self.incoming.pop_front() else {
                return if self.ended {
                    Ok(0)
                } else {
                    Err(ErrorKind::WouldBlock.into())
                };
            };
            if piece.is_empty() {
                return Err(ErrorKind::WouldBlock.into());
            }
            let taken = piece.len().min(buffer.len());
            buffer[..taken].copy_from_slice(&piece[..taken]);
            if taken < piece.len() {
                self.incoming.push_front(piece.split_off(taken));
            }
            Ok(taken)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.window == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let taken = bytes.len().min(self.window);
            self.window -= taken;
            self.received.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for Script {
        fn end_writing(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn connection(pieces: &[&[u8]]) -> Connection<Script> {
        let script = Script {
            incoming: pieces.iter().map(|piece| piece.to_vec()).collect(),
            ..Script::default()
        };
        Connection::new(script, Backlog::new(|_| None))
    }

    /// The next step that is not the others' turn.
    fn next(conn: &mut Connection<Script>) -> Step {
        loop {
            match conn.step() {
                Step::Later => {}
                other => return other,
            }
        }
    }

    #[test]
    fn messages_are_put_together_and_taken_apart() {
        let mut conn = connection(&[b"{\"a\"", b"", b":1}\n{}\nx"]);
        assert_eq!(conn.step(), Step::Wait);
        assert_eq!(conn.step(), Step::Message(b"{\"a\":1}".to_vec()));
        assert_eq!(conn.step(), Step::Message(b"{}".to_vec()));
        assert_eq!(conn.step(), Step::Wait);
        conn.stream.ended = true;
        assert_eq!(conn.step(), Step::CutOff);
        assert_eq!(conn.step(), Step::Close);
    }

    #[test]
    fn nothing_is_read_while_a_reply_waits() {
        let mut conn = connection(&[b"one\ntwo\n"]);
        assert_eq!(conn.step(), Step::Message(b"one".to_vec()));
        conn.queue(b"reply");
        assert_eq!(conn.step(), Step::Wait);
        conn.stream.window = 2;
        assert_eq!(conn.step(), Step::Wait);
        conn.stream.window = 100;
        assert_eq!(conn.step(), Step::Message(b"two".to_vec()));
        assert_eq!(conn.stream.received, b"reply\n");
    }

    #[test]
    fn news_leave_behind_replies_and_never_inside_one() {
        let mut conn = connection(&[]);
        conn.stream.window = 3;
        conn.queue(b"reply");
        conn.tell(&Line::from(&b"news"[..]));
        assert_eq!(conn.step(), Step::Wait);
        conn.queue(b"another");
        conn.stream.window = 100;
        assert_eq!(conn.step(), Step::Wait);
        assert_eq!(conn.stream.received, b"reply\nanother\nnews\n");
    }

    #[test]
    fn a_message_of_the_greatest_length_passes_and_one_more_byte_does_not() {
        let mut longest = vec![b'x'; MAX_MESSAGE_BYTES];
        longest.push(b'\n');
        let mut conn = connection(&[&longest]);
        assert!(matches!(next(&mut conn), Step::Message(m) if m.len() == MAX_MESSAGE_BYTES));
        longest.insert(0, b'x');
        let mut conn = connection(&[&longest, b"{}\n"]);
        assert_eq!(next(&mut conn), Step::TooLong);
        assert_eq!(next(&mut conn), Step::Wait, "what follows is thrown away");
        conn.stream.ended = true;
        assert_eq!(next(&mut conn), Step::Close);
    }

    #[test]
    fn whoever_sends_without_end_lets_others_have_their_turn() {
        let block = vec![b'x'; 1 << 20];
        let mut conn = connection(&[&block, b"\n"]);
        assert_eq!(conn.step(), Step::Later);
        assert!(conn.held_bytes() <= 2 * STEP_BYTES);
        assert!(conn.is_mid_message());
        assert!(matches!(next(&mut conn), Step::Message(m) if m.len() == 1 << 20));
        assert!(!conn.is_mid_message());
        assert_eq!(conn.held_bytes(), 0);
    }

    #[test]
    fn a_line_without_end_is_neither_kept_nor_read_for_ever() {
        let block = vec![b'x'; 1 << 20];
        let pieces = vec![block.as_slice(); 80];
        let mut conn = connection(&pieces);
        assert_eq!(next(&mut conn), Step::TooLong);
        assert!(conn.input.capacity() <= 2 * MAX_MESSAGE_BYTES);
        assert_eq!(next(&mut conn), Step::Close);
        assert!(!conn.stream.incoming.is_empty());
    }
}
