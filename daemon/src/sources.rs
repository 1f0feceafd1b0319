//! What wakes the control loop, beside its clients.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use super::control::Control;
use super::ending::Ending;
use super::watchdog::Watchdog;
use crate::metrics::Endpoint;

/// What wakes the loop.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Signals,
    SwitchEnd,
    Links,
    Events,
    Alarms,
    Watchdog,
    Herald,
    Metrics,
    Announcements,
    /// Which of the broker's processes.
    Broker(usize),
}

impl Control {
    /// What wakes the loop, in an order that stays as it is while the loop runs.
    pub(super) fn all_sources(&self) -> impl Iterator<Item = (Source, RawFd)> {
        let always = [
            (Source::Signals, self.signals.fd()),
            (Source::SwitchEnd, self.switch_end.as_raw_fd()),
            (Source::Links, self.lab.news_fd()),
            (Source::Events, self.hub.fd()),
            (Source::Alarms, self.alarms.fd()),
            (Source::Announcements, self.lab.announcements_fd()),
        ];
        let watchdog = self.watchdog.as_ref().map(Watchdog::fd);
        let herald = self
            .herald
            .as_ref()
            .map(|herald| herald.as_fd().as_raw_fd());
        let metrics = self.metrics.as_ref().map(Endpoint::fd);
        let sometimes = [
            watchdog.map(|fd| (Source::Watchdog, fd)),
            herald.map(|fd| (Source::Herald, fd)),
            metrics.map(|fd| (Source::Metrics, fd)),
        ];
        let brokers = self.lab.namespaces().news_fds().enumerate();
        let brokers = brokers.map(|(index, fd)| (Source::Broker(index), fd));
        let sometimes = sometimes.into_iter().flatten();
        always.into_iter().chain(sometimes).chain(brokers)
    }

    /// Looks after the source of this index, which has something to say.
    pub(super) fn woken_by(&mut self, index: usize) {
        let source = self.all_sources().nth(index);
        match source.map(|(source, _)| source) {
            Some(Source::Signals) => {
                for signal in self.signals.read() {
                    self.end_by(signal);
                }
            }
            Some(Source::SwitchEnd) => {
                self.ending.get_or_insert(Ending::SwitchFailed);
            }
            Some(Source::Links) => self.read_news(),
            Some(Source::Events) => self.hub.listen(),
            Some(Source::Alarms) => self.alarms.log(self.lab.handle()),
            Some(Source::Watchdog) => {
                if let Some(watchdog) = &self.watchdog {
                    watchdog.feed(self.lab.handle());
                }
            }
            Some(Source::Announcements) => self.lab.announce_due(),
            Some(Source::Herald) => self.hear_herald(),
            Some(Source::Metrics) => self.tell_metrics(),
            Some(Source::Broker(index)) => self.lab.namespaces().notice(index),
            None => {}
        }
    }

    /// Tells whoever serves metrics how things are, if it wants to know.
    pub(super) fn tell_metrics(&mut self) {
        if self.metrics.as_ref().is_some_and(Endpoint::is_asked) {
            let view = self.view();
            if let Err(error) = &view {
                log::debug!("no metrics: {}", error.message);
            }
            if let Some(metrics) = &self.metrics {
                metrics.tell(view.ok());
            }
        }
    }

    /// The same for a signal that came to another process.
    pub(super) fn end_by_name(&mut self, signal: &str) {
        let known = signal.parse::<nix::sys::signal::Signal>();
        self.end_by(known.map_or("a signal", nix::sys::signal::Signal::as_str));
    }

    pub(super) fn end_by(&mut self, signal: &'static str) {
        log::info!("ending at {signal}");
        self.ending.get_or_insert(Ending::Signal(signal));
    }
}
