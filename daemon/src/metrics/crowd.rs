//! All scrapers at once, and what they may cost together.
//!
//! At most [`MAX_SCRAPERS`] have a place. Where a new one finds none, whoever has accomplished nothing
//! for longest gives way: a silent one, one that has had its answer, one that does not read it
//! ([`Scraper::idle_since`]). One that sent its head waits for its answer, and one that reads is not
//! disturbed; where there are only such, a new one waits to be accepted. Many read the same answer,
//! which is in memory once; the bytes of all different answers together are bounded too.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Weak};
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::resource::{Resource, getrlimit};
use socket2::Socket;

use super::scraper::{Scraper, Step};

/// The most scrapers at once, and of the descriptors that the process may have one in [`SHARE`].
const MAX_SCRAPERS: usize = 512;
/// See [`MAX_SCRAPERS`].
const SHARE: u64 = 8;
/// What answers that are not read yet may take in memory, or [`ANSWERS`] of them, if that is more.
const ANSWER_BYTES: usize = 32 * 1024 * 1024;
/// See [`ANSWER_BYTES`].
const ANSWERS: usize = 4;

/// Everybody who is connected.
#[derive(Debug)]
pub(super) struct Crowd {
    scrapers: HashMap<Token, Scraper>,
    /// The most there may be.
    room: usize,
    next_token: usize,
    /// Those whose turn is not over.
    queue: Vec<Token>,
    /// Those who asked and for whom nobody asks the daemon yet.
    waiting: Vec<Token>,
    /// Answers that may still be read.
    answers: Vec<Weak<[u8]>>,
}

impl Crowd {
    /// Nobody; tokens from `first` on are for those who come.
    pub(super) fn new(first: Token) -> Self {
        let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(now, _)| now);
        let share = usize::try_from(descriptors / SHARE).unwrap_or(MAX_SCRAPERS);
        Self {
            scrapers: HashMap::new(),
            room: share.clamp(16, MAX_SCRAPERS),
            next_token: first.0,
            queue: Vec::new(),
            waiting: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// Whether nobody is here.
    pub(super) fn is_empty(&self) -> bool {
        self.scrapers.is_empty()
    }

    /// Whether somebody is to be served at once.
    pub(super) fn is_busy(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether somebody waits for metrics that nobody asks for yet.
    pub(super) fn is_asking(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Makes room for one more; whether there is any.
    pub(super) fn make_room(&mut self, registry: &Registry, now: Instant) -> bool {
        self.scrapers.len() < self.room || self.evict(registry, now)
    }

    /// Closes the connection of whoever has accomplished nothing for longest; whether there was one.
    pub(super) fn evict(&mut self, registry: &Registry, now: Instant) -> bool {
        let scrapers = self.scrapers.iter();
        let idlest = scrapers
            .filter_map(|(token, scraper)| Some((scraper.idle_since(now)?, token.0)))
            .min();
        if let Some((_, token)) = idlest {
            self.close(Token(token), registry);
        }
        idlest.is_some()
    }

    /// Lets one in, and looks at what it has sent.
    ///
    /// # Errors
    /// Where the poller takes no more.
    pub(super) fn admit(
        &mut self,
        stream: Socket,
        is_tcp: bool,
        registry: &Registry,
        now: Instant,
    ) -> io::Result<()> {
        let token = Token(self.next_token);
        self.next_token += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let fd = stream.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&fd), token, interest)?;
        let scraper = Scraper::new(stream, is_tcp, now);
        self.scrapers.insert(token, scraper);
        self.serve(token, registry, now);
        Ok(())
    }

    /// Serves one, as far as it goes without waiting.
    pub(super) fn serve(&mut self, token: Token, registry: &Registry, now: Instant) {
        // One that was closed may still have an event.
        if let Some(scraper) = self.scrapers.get_mut(&token) {
            let step = scraper.step(now);
            self.follow(token, step, registry);
        }
    }

    /// Serves those whose turn was not over.
    pub(super) fn serve_queue(&mut self, registry: &Registry, now: Instant) {
        for token in std::mem::take(&mut self.queue) {
            self.serve(token, registry, now);
        }
    }

    /// Those who wait for metrics, to be given them once the daemon, which is asked now, has told.
    pub(super) fn take_waiting(&mut self) -> Vec<Token> {
        std::mem::take(&mut self.waiting)
    }

    /// Gives these their answer: `metrics` and where its head ends, or that there are none.
    pub(super) fn answer(
        &mut self,
        tokens: Vec<Token>,
        metrics: Option<(Vec<u8>, usize)>,
        registry: &Registry,
        now: Instant,
    ) {
        let metrics = metrics.map(|(bytes, head)| (Arc::<[u8]>::from(bytes), head));
        if let Some((bytes, _)) = &metrics {
            self.answers.push(Arc::downgrade(bytes));
        }
        for token in tokens {
            if let Some(scraper) = self.scrapers.get_mut(&token) {
                scraper.answer(metrics.as_ref().map(|(bytes, head)| (bytes, *head)), now);
                self.serve(token, registry, now);
            }
        }
        let longest = metrics.as_ref().map_or(0, |(bytes, _)| bytes.len());
        drop(metrics);
        self.forget_answers(longest * ANSWERS, registry);
    }

    /// Closes the connections of those whose time is up.
    pub(super) fn look_after(&mut self, registry: &Registry, now: Instant) {
        let tokens: Vec<_> = self.scrapers.keys().copied().collect();
        for token in tokens {
            if let Some(scraper) = self.scrapers.get_mut(&token) {
                let step = scraper.look_after(now);
                self.follow(token, step, registry);
            }
        }
    }

    /// Tells all who wait that there is nothing to be had now.
    pub(super) fn send_away(&mut self, registry: &Registry, now: Instant) {
        let all = self.scrapers.iter();
        let waiting = all.filter_map(|(token, scraper)| scraper.is_waiting().then_some(*token));
        let waiting = waiting.collect();
        self.answer(waiting, None, registry, now);
    }

    fn follow(&mut self, token: Token, step: Step, registry: &Registry) {
        match step {
            Step::Wait => {}
            Step::Later => self.queue.push(token),
            Step::Asked => self.waiting.push(token),
            Step::Close => self.close(token, registry),
        }
    }

    fn close(&mut self, token: Token, registry: &Registry) {
        if let Some(scraper) = self.scrapers.remove(&token) {
            let fd = scraper.stream().as_fd().as_raw_fd();
            // Fails only if it was not registered, and it is closed now anyhow.
            let _ = registry.deregister(&mut SourceFd(&fd));
        }
    }

    /// Where too many answers are unread, those have to go who have read theirs for longest.
    fn forget_answers(&mut self, at_least: usize, registry: &Registry) {
        loop {
            self.answers.retain(|answer| answer.strong_count() > 0);
            let unread = self.answers.iter().filter_map(Weak::upgrade);
            let bytes: usize = unread.map(|answer| answer.len()).sum();
            if bytes <= ANSWER_BYTES.max(at_least) {
                return;
            }
            let scrapers = self.scrapers.iter();
            let slowest = scrapers
                .filter(|(_, scraper)| scraper.is_reading())
                .min_by_key(|(token, scraper)| (scraper.since(), token.0))
                .map(|(token, _)| *token);
            match slowest {
                Some(slowest) => self.close(slowest, registry),
                None => return,
            }
        }
    }
}
