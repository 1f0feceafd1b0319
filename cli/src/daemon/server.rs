//! The control loop: one thread, every client and every other source of events, no blocking.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, RawFd};
use std::time::{Duration, Instant};

use mio::net::{UnixListener, UnixStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use serde_json::Value;

use super::connection::{Connection, Step};
use super::news::{Backlog, Line};
use crate::protocol::{
    ErrorCode, ErrorObject, Id, MAX_MESSAGE_BYTES, Message, Request, Response, parse_message,
};

/// The most clients at once. One more, and the one that was silent for longest has to go, if it
/// was for [`GRACE`]; until then the new one waits.
pub(crate) const MAX_CLIENTS: usize = 64;
/// So long a client may be silent before it has to make room: whoever has something to ask has
/// asked by then.
const GRACE: Duration = Duration::from_millis(200);
/// How often to see whether there is room for those who wait.
const ROOM_INTERVAL: Duration = Duration::from_millis(50);
/// So many requests of one client are answered before others have their turn.
const REQUESTS_PER_TURN: usize = 16;

const LISTENER: Token = Token(0);
/// The service's own sources follow the listener, its clients come from here on.
const FIRST_CLIENT: usize = 64;

/// What answers the requests.
pub(crate) trait Service {
    /// What is remembered about one client.
    type Session: Default;

    /// Answers one request.
    fn call(
        &mut self,
        session: &mut Self::Session,
        request: &Request,
    ) -> Result<Value, ErrorObject>;

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

struct Client<S> {
    connection: Connection<UnixStream>,
    session: S,
    /// When it was last served.
    last_heard: Instant,
    /// Whether it gets the news.
    listens: bool,
}

/// The listener and its clients.
pub(crate) struct Server<S: Service> {
    poll: Poll,
    listener: UnixListener,
    clients: HashMap<Token, Client<S::Session>>,
    /// Clients that have more requests ready than one turn allows.
    unfinished: Vec<Token>,
    next_token: usize,
    /// Whether somebody may wait to be accepted.
    has_backlog: bool,
}

impl<S: Service> Server<S> {
    /// A server on `listener`, which does not block.
    ///
    /// # Errors
    /// Where the system gives no poller.
    pub(crate) fn new(mut listener: UnixListener, service: &S) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        for (index, fd) in service.sources().into_iter().enumerate() {
            registry.register(&mut SourceFd(&fd), Token(index + 1), Interest::READABLE)?;
        }
        Ok(Self {
            poll,
            listener,
            clients: HashMap::new(),
            unfinished: Vec::new(),
            next_token: FIRST_CLIENT,
            has_backlog: false,
        })
    }

    /// Serves until the service is ending.
    ///
    /// # Errors
    /// Where the poller fails.
    pub(crate) fn run(&mut self, service: &mut S) -> io::Result<()> {
        let mut events = Events::with_capacity(128);
        while !service.is_ending() {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            let mut ready = std::mem::take(&mut self.unfinished);
            for event in &events {
                match event.token() {
                    LISTENER => self.has_backlog = true,
                    Token(index) if index < FIRST_CLIENT => service.source_ready(index - 1),
                    client if !ready.contains(&client) => ready.push(client),
                    _ => {}
                }
            }
            for client in ready {
                self.serve(client, service);
            }
            self.spread_news(service);
            // Last, so that nobody who has asked has to make room before being answered.
            if self.has_backlog {
                self.accept();
            }
        }
        service.say_farewell();
        self.spread_news(service);
        Ok(())
    }

    /// How long to wait for the next event.
    fn patience(&self) -> Option<Duration> {
        if self.unfinished.is_empty() {
            self.has_backlog.then_some(ROOM_INTERVAL)
        } else {
            Some(Duration::ZERO)
        }
    }

    /// Accepts all that wait, as far as there is room.
    fn accept(&mut self) {
        while self.clients.len() < MAX_CLIENTS || self.evict() {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.has_backlog = false;
                    return;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Too many descriptors, or no memory: make room, or try again later.
                Err(error) => {
                    log::warn!("cannot accept a control connection: {error}");
                    if !self.evict() {
                        return;
                    }
                }
            }
        }
    }

    fn admit(&mut self, mut stream: UnixStream) {
        let token = Token(self.next_token);
        self.next_token += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        if let Err(error) = registry.register(&mut stream, token, interest) {
            log::warn!("cannot watch a control connection: {error}");
            return;
        }
        let client = Client {
            connection: Connection::new(stream, Backlog::new(S::lost_news)),
            session: S::Session::default(),
            last_heard: Instant::now(),
            listens: false,
        };
        self.clients.insert(token, client);
    }

    /// Closes the connection that was silent for longest; whether there was one that had been for
    /// [`GRACE`].
    fn evict(&mut self) -> bool {
        let oldest = self
            .clients
            .iter()
            .filter(|(_, client)| !client.listens && client.last_heard.elapsed() >= GRACE)
            .min_by_key(|(token, client)| (client.last_heard, token.0))
            .map(|(token, _)| *token);
        if let Some(token) = oldest {
            log::info!("closing the control connection that was silent for longest");
            self.close(token);
        }
        oldest.is_some()
    }

    fn close(&mut self, token: Token) {
        if let Some(mut client) = self.clients.remove(&token) {
            // Fails only if it was not registered, and it is closed now anyhow.
            let _ = self
                .poll
                .registry()
                .deregister(client.connection.stream_mut());
        }
    }

    /// Sends the news to all who listen, as far as they read.
    fn spread_news(&mut self, service: &mut S) {
        let news = service.take_news();
        if news.is_empty() {
            return;
        }
        let mut listeners = Vec::new();
        for (token, client) in &mut self.clients {
            if client.listens {
                listeners.push(*token);
                for line in &news {
                    client.connection.tell(line);
                }
            }
        }
        for token in listeners {
            self.serve(token, service);
        }
    }

    fn serve(&mut self, token: Token, service: &mut S) {
        // A client that was closed earlier in this turn may still have an event.
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        client.last_heard = Instant::now();
        for _ in 0..REQUESTS_PER_TURN {
            let reply = match client.connection.step() {
                Step::Message(message) => {
                    let reply = answer(service, &mut client.session, &message);
                    client.listens = service.listens(&client.session);
                    reply
                }
                Step::CutOff => encode(&refusal(
                    ErrorCode::Parse,
                    "the connection ended inside a message",
                )),
                Step::TooLong => encode(&refusal(
                    ErrorCode::TooLarge,
                    format!("the message is longer than {MAX_MESSAGE_BYTES} bytes"),
                )),
                Step::Wait => return,
                Step::Close => return self.close(token),
            };
            if let Some(reply) = reply {
                client.connection.queue(&reply);
            }
            if service.wants_stream(&client.session) {
                return self.hand_over(token, service);
            }
        }
        self.unfinished.push(token);
    }

    /// Lets the service have a client's stream.
    fn hand_over(&mut self, token: Token, service: &mut S) {
        let Some(mut client) = self.clients.remove(&token) else {
            return;
        };
        let stream = client.connection.stream_mut();
        // Fails only if it was not registered.
        let _ = self.poll.registry().deregister(stream);
        let (stream, unsent) = client.connection.into_parts();
        match stream.as_fd().try_clone_to_owned() {
            Ok(stream) => service.take_stream(client.session, stream.into(), unsent),
            Err(error) => log::warn!("cannot hand over a control connection: {error}"),
        }
    }
}

/// Answers a message; `None` where it holds notifications alone.
pub(super) fn answer<S: Service>(
    service: &mut S,
    session: &mut S::Session,
    message: &[u8],
) -> Option<Vec<u8>> {
    let mut respond = |call: Result<Request, (Id, ErrorObject)>| match call {
        Err((id, error)) => Some(Response::new(id, Err(error))),
        Ok(request) => {
            let outcome = service.call(session, &request);
            request.id.map(|id| Response::new(id, outcome))
        }
    };
    match parse_message(message) {
        Err(error) => encode(&Response::new(Id::Null, Err(error))),
        Ok(Message::Single(call)) => respond(call).as_ref().and_then(encode),
        Ok(Message::Batch(calls)) => {
            let responses: Vec<_> = calls.into_iter().filter_map(respond).collect();
            (!responses.is_empty())
                .then(|| encode(&responses))
                .flatten()
        }
    }
}

fn refusal(code: ErrorCode, message: impl Into<String>) -> Response {
    Response::new(Id::Null, Err(ErrorObject::new(code, message)))
}

fn encode<T: serde::Serialize>(value: &T) -> Option<Vec<u8>> {
    serde_json::to_vec(value)
        .inspect_err(|error| log::error!("cannot encode a reply: {error}"))
        .ok()
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
