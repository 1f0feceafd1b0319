//! The view that moves.
//!
//! Theory of operation. One loop sleeps until there is a key, a signal, an answer of the switch
//! ([`Feed`]) or news of what happens in it ([`News`]), changes the [`Model`], and draws it, at most
//! so many times a second. Signals are taken as messages, so that nothing is ever interrupted
//! half-way; however the loop ends, [`Screen`] gives the terminal back before anything is said.

use std::io::{self, stdout};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use ratatui::crossterm::event::{self, Event};
use serde_json::Value;

use super::feed::{Feed, Said, Wants};
use super::keys::{Wish, press};
use super::model::{Model, Tab};
use super::screen::{Screen, keyboard};
use super::signals::Signals;
use super::view::{self, theme::Theme};
use crate::args::TopArgs;
use vswitch_control::client::{Client, News};
use vswitch_control::names::SwitchName;
use vswitch_control::protocol::{EventView, Happening};
use vswitch_control::runtime_dir::RuntimeDir;

/// The least time between two pictures.
const LEAST_SPAN: Duration = Duration::from_millis(50);
/// How long the last words of a switch that is gone are waited for.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Why the view ended.
pub(super) enum End {
    /// The user wanted it, or a signal.
    Asked,
    /// The switch was stopped.
    Stopped,
    /// The switch is gone.
    Gone(anyhow::Error),
}

/// Shows the switch until it ends, or somebody wants no more.
///
/// # Errors
/// Where the terminal can't be used.
pub(super) fn run(runtime: &RuntimeDir, client: Client, args: &TopArgs) -> anyhow::Result<End> {
    // Before the first thread: all have the signals blocked.
    let signals = Signals::take().context("can't listen for signals")?;
    let name = client.switch().clone();
    let mut model = Model::new(name.as_str(), args.interval);
    let heard = Client::connect(runtime, &name).and_then(Client::listen);
    let news = match heard {
        Ok(news) => Some(news),
        // The rates are worth having all the same.
        Err(error) => {
            model.deaf = Some(error.to_string());
            None
        }
    };
    let wants = wants(&model);
    let feed = Feed::start(runtime.clone(), client, wants).context("can't start a thread")?;
    let keyboard = keyboard().context("there is no terminal to read keys from")?;
    let screen = Screen::open().context("the terminal can't be drawn on")?;
    let mut live = Live {
        runtime: runtime.clone(),
        name,
        screen,
        theme: Theme::of_environment(|name| std::env::var(name).ok()),
        keyboard,
        signals,
        feed,
        news,
        model,
        wants,
        end: None,
    };
    live.run().context("the terminal can't be drawn on")
}

const fn wants(model: &Model) -> Wants {
    Wants {
        interval: model.interval,
        stations: matches!(model.tab, Tab::Stations),
        paused: model.paused,
    }
}

struct Live {
    runtime: RuntimeDir,
    name: SwitchName,
    screen: Screen,
    theme: Theme,
    keyboard: OwnedFd,
    signals: Signals,
    feed: Feed,
    /// What happens in the switch; none once it says no more.
    news: Option<News>,
    model: Model,
    /// What the thread was told last.
    wants: Wants,
    end: Option<End>,
}

/// What has something for the loop.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each may be ready by itself")]
struct Ready {
    keyboard: bool,
    hung_up: bool,
    signals: bool,
    feed: bool,
    news: bool,
}

impl Live {
    fn run(&mut self) -> io::Result<End> {
        let mut drawn: Option<Instant> = None;
        let mut is_stale = true;
        loop {
            let rest = drawn.map_or(Duration::ZERO, |drawn| {
                LEAST_SPAN.saturating_sub(drawn.elapsed())
            });
            if is_stale && rest.is_zero() {
                self.draw()?;
                (drawn, is_stale) = (Some(Instant::now()), false);
            }
            let ready = self.wait(is_stale.then_some(rest))?;
            is_stale |= ready.keyboard || ready.signals || ready.feed || ready.news;
            self.attend(ready)?;
            if let Some(end) = self.end.take() {
                return Ok(end);
            }
            let wants = wants(&self.model);
            if wants != self.wants {
                self.wants = wants;
                self.feed.order(wants);
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let Self {
            screen,
            model,
            theme,
            ..
        } = self;
        screen.draw(|buf, area| {
            model.page = view::page(area, model);
            view::draw(buf, area, model, theme);
        })
    }

    /// Waits for something to do, at most for `patience`.
    fn wait(&self, patience: Option<Duration>) -> io::Result<Ready> {
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![
            readable(self.keyboard.as_fd()),
            readable(self.signals.as_fd()),
            readable(self.feed.as_fd()),
        ];
        fds.extend(self.news.as_ref().map(|news| readable(news.as_fd())));
        let patience = match patience {
            None => PollTimeout::NONE,
            Some(patience) => patience.try_into().unwrap_or(PollTimeout::MAX),
        };
        match poll(&mut fds, patience) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Ready::default()),
            Err(errno) => return Err(errno.into()),
        }
        let flags = |index: usize| -> PollFlags {
            let fd: Option<&PollFd<'_>> = fds.get(index);
            fd.and_then(PollFd::revents).unwrap_or(PollFlags::empty())
        };
        let broken = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
        Ok(Ready {
            keyboard: flags(0).contains(PollFlags::POLLIN),
            hung_up: flags(0).intersects(broken),
            signals: !flags(1).is_empty(),
            feed: !flags(2).is_empty(),
            news: !flags(3).is_empty(),
        })
    }

    fn attend(&mut self, ready: Ready) -> io::Result<()> {
        if ready.signals {
            self.heed_signals()?;
        }
        if ready.hung_up {
            self.end = Some(End::Asked);
            return Ok(());
        }
        if ready.keyboard {
            self.read_keys()?;
        }
        if ready.news {
            self.hear();
        }
        if ready.feed {
            self.note_answers();
        }
        Ok(())
    }

    fn heed_signals(&mut self) -> io::Result<()> {
        for signal in self.signals.read() {
            match signal {
                // The size is looked at when it is drawn.
                Signal::SIGWINCH => {}
                Signal::SIGCONT => self.screen.resume()?,
                Signal::SIGTSTP => self.screen.suspend()?,
                _ => self.end = Some(End::Asked),
            }
        }
        Ok(())
    }

    fn read_keys(&mut self) -> io::Result<()> {
        while self.end.is_none() && event::poll(Duration::ZERO)? {
            let Event::Key(key) = event::read()? else {
                continue;
            };
            match press(&mut self.model, key) {
                Wish::None => {}
                Wish::Quit => self.end = Some(End::Asked),
                Wish::Suspend => self.screen.suspend()?,
                Wish::Redraw => self.screen.forget(),
            }
        }
        Ok(())
    }

    /// Reads what happened in the switch.
    fn hear(&mut self) {
        let Some(news) = &mut self.news else { return };
        let told = match news.read() {
            Ok(Some(told)) => told,
            // Whether the switch is gone too, its answers tell.
            Ok(None) => return self.turn_deaf("the switch tells no more"),
            Err(error) => return self.turn_deaf(&error.to_string()),
        };
        let mut goes_on_elsewhere = false;
        for event in told {
            let event: Result<EventView, _> = serde_json::from_value(Value::Object(event));
            match event {
                Ok(event) => {
                    match event.what {
                        Happening::Stopped => self.end = Some(End::Stopped),
                        Happening::Restarted => goes_on_elsewhere = true,
                        _ => {}
                    }
                    self.model.happened(event);
                }
                Err(error) => self.turn_deaf(&error.to_string()),
            }
        }
        if goes_on_elsewhere {
            match Client::connect(&self.runtime, &self.name).and_then(Client::listen) {
                Ok(news) => self.news = Some(news),
                Err(error) => self.turn_deaf(&error.to_string()),
            }
        }
    }

    fn turn_deaf(&mut self, why: &str) {
        self.news = None;
        self.model.deaf = Some(why.to_owned());
    }

    fn note_answers(&mut self) {
        for said in self.feed.take() {
            match said {
                Said::Look(at, view) => self.model.look(at, *view),
                Said::Stations(stations) => self.model.look_at_stations(stations),
                Said::Gone(error) => {
                    self.hear_last_words();
                    self.end.get_or_insert(End::Gone(error.into()));
                }
            }
        }
    }

    /// A switch that was stopped has said so, on the other connection.
    fn hear_last_words(&mut self) {
        let end = Instant::now() + LAST_WORDS;
        while self.end.is_none() {
            let Some(news) = &self.news else { return };
            let left = end.saturating_duration_since(Instant::now());
            let left = left.try_into().unwrap_or(PollTimeout::ZERO);
            let mut fds = [PollFd::new(news.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, left) {
                Ok(0) => return,
                Err(errno) if errno != Errno::EINTR => return,
                _ => self.hear(),
            }
        }
    }
}

/// Why a terminal can't be drawn on, if it can't.
pub(super) fn obstacle() -> Option<&'static str> {
    use std::io::IsTerminal;
    if !stdout().is_terminal() {
        return Some("standard output is not a terminal");
    }
    match std::env::var("TERM").as_deref() {
        Err(_) | Ok("" | "dumb") => Some("the terminal can only print (TERM is unset or 'dumb')"),
        Ok(_) => None,
    }
}
