//! What answers the requests of clients.

use std::os::fd::{OwnedFd, RawFd};
use std::time::Instant;

use serde_json::{Map, Value};

use crate::news::Line;
use vswitch_control::protocol::ErrorObject;

/// A descriptor that came with a request.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) descriptor: OwnedFd,
    /// Whether the client is the switch's own user, or root.
    pub(crate) is_owner: bool,
}

/// What answers the requests.
pub(crate) trait Service {
    /// What is remembered about one client.
    type Session: Default;

    /// A request with its parameters.
    type Call;

    /// Reads a request. Behind this, it is typed.
    ///
    /// # Errors
    /// Where there is no such method, or its parameters are wrong.
    fn read(method: &str, params: Map<String, Value>) -> Result<Self::Call, ErrorObject>;

    /// Answers one request.
    fn call(&mut self, session: &mut Self::Session, call: Self::Call)
    -> Result<Value, ErrorObject>;

    /// The descriptor that came with the next request, and whether its sender is the switch's own
    /// user or root. None once the request was answered.
    fn pass(&mut self, session: &mut Self::Session, passed: Option<Passed>) {
        let _ = (session, passed);
    }

    /// Whether a client's stream is for something else from now on. Asked after each message.
    fn wants_stream(&self, session: &Self::Session) -> bool {
        let _ = session;
        false
    }

    /// Takes such a stream over, on which `unsent` is still to go before all else.
    fn take_stream(
        &mut self,
        session: Self::Session,
        stream: std::os::unix::net::UnixStream,
        unsent: Vec<u8>,
    ) {
        let _ = (session, stream, unsent);
    }

    /// Descriptors that also wake the loop; fewer than 63, open as long as the loop runs.
    fn sources(&self) -> Vec<RawFd> {
        Vec::new()
    }

    /// The source of this index became readable; it is to be read until it would block.
    fn source_ready(&mut self, index: usize) {
        let _ = index;
    }

    /// Whether a request may be put off from here on ([`Service::take_postponed`]).
    fn let_postpone(&mut self, may: bool) {
        let _ = may;
    }

    /// Whether the last request was put off: its answer counts for nothing, and the same request is to be
    /// called again once [`Service::take_due`] says so.
    fn take_postponed(&mut self) -> bool {
        false
    }

    /// When to ask that at the latest.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Whether what was put off is to be called again, all of it.
    fn take_due(&mut self) -> bool {
        false
    }

    /// All of it was.
    fn tidy_up(&mut self) {}

    /// Whether the loop is to end.
    fn is_ending(&self) -> bool;

    /// The loop ends: the last opportunity for news.
    fn say_farewell(&mut self) {}

    /// Whether the client of this session is to get the news. Such a client is never closed to
    /// make room for another: there must be fewer of them than clients.
    fn listens(&self, session: &Self::Session) -> bool {
        let _ = session;
        false
    }

    /// The messages since the last call for all who listen.
    fn take_news(&mut self) -> Vec<Line> {
        Vec::new()
    }

    /// The message that so many were not sent to a client, who does not read fast enough.
    fn lost_news(count: u64) -> Option<Line> {
        let _ = count;
        None
    }
}
