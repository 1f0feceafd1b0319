//! The control loop: one thread, every client and every other source of events, no blocking.
//!
//! # Theory of operation
//!
//! A thousand clients that misbehave must not be noticed by one that does not. So a turn of the loop
//! is short ([`TURN`]), then all is asked anew who has something, and each of these has one request
//! answered: first who waits for an answer before asking on, then who does not; among equals, whoever
//! has had less of the thread's time. At least one of those who do not is served in each turn. What a client may hold (an unfinished
//! message, an unread reply) is free up to [`FREE_BYTES`]; beyond, all together have
//! [`SHARED_BYTES`], and whoever has made no progress for longest has to go when they are used up.
//! Whoever needs too long for one message or one reply has to go anyhow ([`client`]). And where
//! there are [`MAX_CLIENTS`], a new one takes the place of another (`Server::evict`).

mod answer;
mod client;
mod peers;
mod service;

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use mio::net::{UnixListener, UnixStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{setsockopt, sockopt};

use super::connection::Step;
use super::news::Backlog;
pub(crate) use answer::answer;
use answer::{Answered, answer_or_postpone, refusal};
use client::{Client, Postponed};
pub(crate) use peers::Peers;
use peers::Standing;
pub(crate) use service::{Passed, Service};
use vswitch_control::protocol::{ErrorCode, MAX_MESSAGE_BYTES};

/// The most clients at once, and of the descriptors that the process may have one in [`SHARE`].
pub(crate) const MAX_CLIENTS: usize = 2048;
/// See [`MAX_CLIENTS`].
const SHARE: u64 = 4;
/// So many are let in before those who are in have their turn.
const ACCEPTED_PER_TURN: usize = 256;
/// So long clients are served before all is asked anew who has something.
const TURN: Duration = Duration::from_millis(2);
/// How often it is looked after who is too slow.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// The same where nobody is slow at the moment.
const LOOK_AFTER_IDLE: Duration = Duration::from_secs(60);
/// What each client may hold.
const FREE_BYTES: usize = 16 * 1024;
/// What all clients may hold beyond that.
const SHARED_BYTES: usize = 16 * 1024 * 1024;
/// What the kernel holds of replies that are not read; it counts twice as much.
const SEND_BUFFER_BYTES: usize = 16 * 1024;
/// The same for a stream that is for something else than replies.
const STREAM_BUFFER_BYTES: usize = 256 * 1024;

const LISTENER: Token = Token(0);
/// The service's own sources follow the listener, its clients come from here on.
const FIRST_CLIENT: usize = 64;

/// The listener and its clients.
pub(crate) struct Server<S: Service> {
    poll: Poll,
    listener: UnixListener,
    peers: Peers,
    clients: HashMap<Token, Client<S::Session>>,
    /// The most there may be.
    room: usize,
    /// Those who are to be served.
    queue: Vec<Token>,
    next_token: usize,
    /// Those whose request was put off, the first one first.
    postponed: Vec<Token>,
    /// Whether somebody may wait to be accepted.
    has_backlog: bool,
    /// The place of whoever was served last: nobody saves up, and nobody is in debt for long.
    now_serving: Duration,
    /// What all hold beyond what each may.
    shared_bytes: usize,
    /// When it was last looked after who is too slow.
    looked: Instant,
}

impl<S: Service> Server<S> {
    /// A server on `listener`, which does not block, for these peers.
    ///
    /// # Errors
    /// Where the system gives no poller.
    pub(crate) fn new(mut listener: UnixListener, peers: Peers, service: &S) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        for (index, fd) in service.sources().into_iter().enumerate() {
            registry.register(&mut SourceFd(&fd), Token(index + 1), Interest::READABLE)?;
        }
        let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(now, _)| now);
        let share = usize::try_from(descriptors / SHARE).unwrap_or(MAX_CLIENTS);
        Ok(Self {
            poll,
            listener,
            peers,
            clients: HashMap::new(),
            room: share.clamp(8, MAX_CLIENTS),
            queue: Vec::new(),
            postponed: Vec::new(),
            next_token: FIRST_CLIENT,
            has_backlog: false,
            now_serving: Duration::ZERO,
            shared_bytes: 0,
            looked: Instant::now(),
        })
    }

    /// Serves until the service is ending.
    ///
    /// # Errors
    /// Where the poller fails.
    pub(crate) fn run(&mut self, service: &mut S) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        while !service.is_ending() {
            let patience = self.patience(service.deadline());
            match self.poll.poll(&mut events, patience) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.has_backlog = true,
                    Token(index) if index < FIRST_CLIENT => service.source_ready(index - 1),
                    client => self.enqueue(client),
                }
            }
            if self.has_backlog {
                self.accept();
            }
            self.serve_in_turn(service);
            if service.take_due() {
                self.try_again(service);
            }
            self.spread_news(service);
            self.look_after();
        }
        // They are told so.
        self.try_again(service);
        service.say_farewell();
        self.spread_news(service);
        Ok(())
    }

    /// How long to wait for the next event, and until then at most.
    fn patience(&self, deadline: Option<Instant>) -> Option<Duration> {
        if !self.queue.is_empty() || self.has_backlog {
            return Some(Duration::ZERO);
        }
        let left = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            // The poller counts in milliseconds, and rounds down.
            left + Duration::from_millis(1)
        });
        let interval = (!self.clients.is_empty()).then(|| self.interval());
        left.into_iter().chain(interval).min()
    }

    /// How often to look after who is too slow.
    fn interval(&self) -> Duration {
        if self.clients.values().any(Client::is_slow) {
            LOOK_AFTER
        } else {
            LOOK_AFTER_IDLE
        }
    }

    fn enqueue(&mut self, token: Token) {
        // One that was closed may still have an event.
        if let Some(client) = self.clients.get_mut(&token)
            && !client.is_queued
        {
            client.is_queued = true;
            client.tag = client.tag.max(self.now_serving);
            self.queue.push(token);
        }
    }

    /// Serves who is to be served, for one turn.
    fn serve_in_turn(&mut self, service: &mut S) {
        let begin = Instant::now();
        let mut queue = std::mem::take(&mut self.queue);
        let place = |token: &Token| {
            let client = self.clients.get(token);
            client.map(|client| (client.is_greedy, client.tag))
        };
        queue.sort_by_cached_key(place);
        // Whoever can wait does not wait for ever.
        let patient = queue.iter().position(|token| {
            let client = self.clients.get(token);
            client.is_some_and(|client| client.is_greedy)
        });
        if let Some(patient) = patient {
            queue[..=patient].rotate_right(1);
        }
        let mut queue = queue.into_iter();
        let mut now = begin;
        for token in queue.by_ref() {
            self.serve(token, now, service);
            now = Instant::now();
            if now.duration_since(begin) >= TURN || service.is_ending() {
                break;
            }
        }
        self.queue.extend(queue);
    }

    /// Accepts those that wait, as far as it is their turn. One that is one too many takes the place
    /// of another.
    fn accept(&mut self) {
        for _ in 0..ACCEPTED_PER_TURN {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if self.clients.len() < self.room || self.evict() {
                        self.admit(stream);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.has_backlog = false;
                    return;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Too many descriptors, or no memory: make room, or try again later.
                Err(error) => {
                    log::warn!("cannot accept a control connection: {error}");
                    if !self.evict() {
                        self.has_backlog = false;
                        return;
                    }
                }
            }
        }
    }

    fn admit(&mut self, mut stream: UnixStream) {
        if let Err(why) = self.peers.check(&stream) {
            log::warn!("refused a control connection: {why}");
            if let Some(mut reply) = refusal(ErrorCode::Permission, why) {
                reply.push(b'\n');
                // It fits, and who does not read it need not know.
                let _ = io::Write::write(&mut stream, &reply);
            }
            return;
        }
        // What is not read shall not be the kernel's to keep either.
        let _ = setsockopt(&stream, sockopt::SndBuf, &SEND_BUFFER_BYTES);
        let token = Token(self.next_token);
        self.next_token += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        if let Err(error) = registry.register(&mut stream, token, interest) {
            log::warn!("cannot watch a control connection: {error}");
            return;
        }
        let standing = self.peers.standing(&stream);
        if standing == Standing::Owner {
            Peers::let_pass(&stream, true);
        }
        let news = Backlog::new(S::lost_news);
        let client = Client::new(stream, standing, news, Instant::now());
        self.clients.insert(token, client);
        // What it asks is there already, as a rule.
        self.enqueue(token);
    }

    /// Closes the connection that is worth least; whether there was one.
    ///
    /// Members of a group make room before the owner does. Among equals those that have asked for nothing yet make
    /// room for each other while they have more than half of the places, so that no number of them
    /// displaces all others; else the one that was silent for longest does, so that one that has just come
    /// is heard before it has to go.
    fn evict(&mut self) -> bool {
        let all = || self.clients.iter().filter(|(_, client)| !client.listens);
        let last = all().map(|(_, client)| client.standing).max();
        let equals = || all().filter(|(_, client)| Some(client.standing) == last);
        let new = equals().filter(|(_, client)| client.is_new()).count();
        let new_first = new > self.room / 2;
        let least = equals()
            .min_by_key(|(token, client)| {
                (client.is_new() != new_first, client.last_heard, token.0)
            })
            .map(|(token, _)| *token);
        if let Some(token) = least {
            log::info!("closing a control connection to make room for another");
            self.close(token);
        }
        least.is_some()
    }

    /// Closes the connections of those who are too slow.
    fn look_after(&mut self) {
        let now = Instant::now();
        if now.duration_since(self.looked) < LOOK_AFTER {
            return;
        }
        self.looked = now;
        let mut overdue = Vec::new();
        for (token, client) in &self.clients {
            if let Some(why) = client.is_overdue(now) {
                overdue.push((*token, why));
            }
        }
        for (token, why) in overdue {
            log::info!("closing a control connection {why}");
            self.close(token);
        }
    }

    /// Counts what a client holds by now; makes room where all hold too much.
    fn count(&mut self, token: Token) {
        let beyond = |bytes: usize| bytes.saturating_sub(FREE_BYTES);
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        let held = client.connection.held_bytes();
        self.shared_bytes += beyond(held);
        self.shared_bytes -= beyond(std::mem::replace(&mut client.held_bytes, held));
        while self.shared_bytes > SHARED_BYTES {
            let clients = self.clients.iter();
            let slowest = clients
                .filter(|(other, client)| **other != token && client.held_bytes > FREE_BYTES)
                .min_by_key(|(token, client)| (client.slow_since(), token.0))
                .map(|(token, _)| *token);
            let Some(slowest) = slowest else { return };
            log::info!("closing a control connection that holds up too much memory");
            self.close(slowest);
        }
    }

    fn close(&mut self, token: Token) {
        if let Some(mut client) = self.clients.remove(&token) {
            self.shared_bytes -= client.held_bytes.saturating_sub(FREE_BYTES);
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
            self.serve(token, Instant::now(), service);
        }
    }

    /// Does one thing for a client, and has it wait for its next turn if there may be more.
    fn serve(&mut self, token: Token, begin: Instant, service: &mut S) {
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        client.is_queued = false;
        if client.postponed.is_some() {
            return;
        }
        self.now_serving = self.now_serving.max(client.tag);
        let mut answered = false;
        let mut has_more = true;
        let reply = match client.connection.step() {
            Step::Message(message) => {
                let descriptor = client.connection.take_descriptor();
                client.requests += 1;
                answered = true;
                let postponed = Postponed {
                    message,
                    descriptor,
                };
                let Answered::Now(reply) = call(client, service, postponed) else {
                    client.note(Instant::now(), answered);
                    self.postponed.push(token);
                    return self.count(token);
                };
                reply
            }
            Step::CutOff => refusal(ErrorCode::Parse, "the connection ended inside a message"),
            Step::TooLong => refusal(
                ErrorCode::TooLarge,
                format!("the message is longer than {MAX_MESSAGE_BYTES} bytes"),
            ),
            Step::Later => None,
            Step::Wait => {
                has_more = false;
                None
            }
            Step::Close => return self.close(token),
        };
        if let Some(reply) = reply {
            client.connection.queue(&reply);
            client.connection.send();
        }
        if service.wants_stream(&client.session) {
            return self.hand_over(token, service);
        }
        let now = Instant::now();
        client.note(now, answered);
        client.tag += now.duration_since(begin);
        if has_more {
            self.enqueue(token);
        }
        self.count(token);
    }

    /// Calls again for all that was put off.
    fn try_again(&mut self, service: &mut S) {
        for token in std::mem::take(&mut self.postponed) {
            let Some(client) = self.clients.get_mut(&token) else {
                continue;
            };
            let Some(postponed) = client.postponed.take() else {
                continue;
            };
            let Answered::Now(reply) = call(client, service, postponed) else {
                self.postponed.push(token);
                continue;
            };
            if let Some(reply) = reply {
                client.connection.queue(&reply);
                client.connection.send();
            }
            client.note(Instant::now(), true);
            self.enqueue(token);
        }
        service.tidy_up();
    }

    /// Lets the service have a client's stream.
    fn hand_over(&mut self, token: Token, service: &mut S) {
        let Some(mut client) = self.clients.remove(&token) else {
            return;
        };
        self.shared_bytes -= client.held_bytes.saturating_sub(FREE_BYTES);
        let stream = client.connection.stream_mut();
        let _ = setsockopt(&*stream, sockopt::SndBuf, &STREAM_BUFFER_BYTES);
        // Fails only if it was not registered.
        let _ = self.poll.registry().deregister(stream);
        let (stream, unsent) = client.connection.into_parts();
        match stream.as_fd().try_clone_to_owned() {
            Ok(stream) => service.take_stream(client.session, stream.into(), unsent),
            Err(error) => log::warn!("cannot hand over a control connection: {error}"),
        }
    }
}

/// Has a message answered. One that is put off is the client's to keep.
fn call<S: Service>(
    client: &mut Client<S::Session>,
    service: &mut S,
    Postponed {
        message,
        descriptor,
    }: Postponed,
) -> Answered {
    let is_owner = client.standing == Standing::Owner;
    // Where there is no number left for another one, it does not come along again.
    let again = descriptor.as_ref().and_then(|fd| fd.try_clone().ok());
    let passed = descriptor.map(|descriptor| Passed {
        descriptor,
        is_owner,
    });
    service.pass(&mut client.session, passed);
    let reply = answer_or_postpone(service, &mut client.session, &message);
    service.pass(&mut client.session, None);
    client.listens = service.listens(&client.session);
    if matches!(reply, Answered::Later) {
        client.postponed = Some(Postponed {
            message,
            descriptor: again,
        });
    }
    reply
}

#[cfg(test)]
mod tests;
