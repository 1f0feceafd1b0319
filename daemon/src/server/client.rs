//! One client, and what it may cost.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use mio::net::UnixStream;

use crate::connection::Connection;
use crate::news::Backlog;

use super::peers::Standing;

/// So long a message may take to arrive, and a reply to be read on: then whoever is that slow has
/// to go.
const PATIENCE: Duration = Duration::from_secs(10);
/// So long a client may be silent that has nothing to wait for.
const IDLE: Duration = Duration::from_secs(900);

/// A message, with what came along.
#[derive(Debug)]
pub(super) struct Postponed {
    pub(super) message: Vec<u8>,
    pub(super) descriptor: Option<OwnedFd>,
}

/// A client of the control socket.
pub(super) struct Client<S> {
    pub(super) connection: Connection<UnixStream>,
    pub(super) session: S,
    pub(super) standing: Standing,
    /// When it was last served.
    pub(super) last_heard: Instant,
    /// Since when it has been sending one message, or not been reading a reply.
    slow_since: Option<Instant>,
    /// Whether it gets the news.
    pub(super) listens: bool,
    /// Whether it is among those who are to be served.
    pub(super) is_queued: bool,
    /// Requests that were answered.
    pub(super) requests: u64,
    /// The message that is to be answered before the next one is looked at.
    pub(super) postponed: Option<Postponed>,
    /// Its place among those who are to be served: what was spent on it, beside the others of its
    /// time (start-time fair queueing).
    pub(super) tag: Duration,
    /// Whether it sends on before it is answered, or does not read: it can wait.
    pub(super) is_greedy: bool,
    /// What it held when this was last looked at.
    pub(super) held_bytes: usize,
}

impl<S: Default> Client<S> {
    pub(super) fn new(stream: UnixStream, standing: Standing, news: Backlog, now: Instant) -> Self {
        Self {
            connection: Connection::new(stream, news),
            session: S::default(),
            standing,
            last_heard: now,
            slow_since: None,
            listens: false,
            is_queued: false,
            requests: 0,
            postponed: None,
            tag: Duration::ZERO,
            is_greedy: false,
            held_bytes: 0,
        }
    }

    /// Notes how far it has come. `answered`: with a message.
    pub(super) fn note(&mut self, now: Instant, answered: bool) {
        self.last_heard = now;
        let has_moved = self.connection.take_moved();
        let is_slow = self.connection.is_mid_message() || self.connection.is_unread();
        self.is_greedy = is_slow;
        self.slow_since = match self.slow_since {
            _ if !is_slow => None,
            Some(since) if !answered && !has_moved => Some(since),
            _ => Some(now),
        };
    }

    /// Whether it is in the midst of a message or a reply.
    pub(super) fn is_slow(&self) -> bool {
        self.slow_since.is_some()
    }

    /// Since when it has made no progress; who has made some comes last.
    pub(super) fn slow_since(&self) -> Instant {
        self.slow_since.unwrap_or(self.last_heard)
    }

    /// Why it has to go, if it has to. Who listens may read as slowly as it likes: what is told
    /// unasked is bounded by itself.
    pub(super) fn is_overdue(&self, now: Instant) -> Option<&'static str> {
        if self.listens {
            return None;
        }
        let since = |time: Instant| now.saturating_duration_since(time);
        if self.slow_since.is_some_and(|time| since(time) >= PATIENCE) {
            return Some("that neither ends its message nor reads its reply");
        }
        (since(self.last_heard) >= IDLE).then_some("that has been silent for long")
    }

    /// Whether it has asked for nothing yet.
    pub(super) const fn is_new(&self) -> bool {
        self.requests == 0
    }
}
