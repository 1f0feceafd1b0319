//! Announcing the addresses of the attached namespaces to their neighbours.
//!
//! Theory of operation. What `attach` has given an interface is announced at once, before the
//! command is answered, and twice more: frames may be lost, and a link-local address is of use
//! only after duplicate address detection. Each time the namespace is opened again and its
//! interface looked at: an address that was taken away meanwhile, or is another interface's, is
//! never announced, and no descriptor keeps the namespace alive in between. Ports that come back,
//! all at once after a crash, are announced the same way.
//!
//! Each announcement goes to every port. So that hundreds of ports do not make a storm, each wake of
//! the timer handles as many ports as make [`DELIVERIES`] frames, and the rest waits.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use vswitch_netns::{Announcer, NamespaceName, Netlink, is_announceable};
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::LinkState;
use vswitch_switch::threads;

use super::{Lab, LabError, Plug};
use crate::broker::Inside;

/// How often addresses are announced (RFC 5227 1.1, `ANNOUNCE_NUM`, and once more for addresses that are
/// under duplicate address detection for up to two seconds).
const ROUNDS: u8 = 3;
/// The time from one to the next (RFC 5227 1.1, `ANNOUNCE_INTERVAL`).
const INTERVAL: Duration = Duration::from_secs(2);
/// The time between two wakes while more ports are due than one wake handles.
const PACE: Duration = Duration::from_millis(20);
/// How many ports' announcements to other ports one wake makes at most.
const DELIVERIES: usize = 1000;

/// The announcements that are to be made.
#[derive(Debug)]
pub(super) struct Announcements {
    timer: TimerFd,
    due: BTreeMap<PortId, Due>,
}

#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    /// How many are left.
    rounds: u8,
}

impl Announcements {
    /// # Errors
    /// Where the system gives no timer.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        Ok(Self {
            timer: TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?,
            due: BTreeMap::new(),
        })
    }

    fn plan(&mut self, id: PortId, after: Duration, rounds: u8) {
        if rounds == 0 {
            self.due.remove(&id);
        } else {
            let at = Instant::now() + after;
            self.due.insert(id, Due { at, rounds });
        }
        self.set(Duration::ZERO);
    }

    /// Sets the timer to the first that is due, but not before this time has passed.
    fn set(&self, pause: Duration) {
        let Some(first) = self.due.values().map(|due| due.at).min() else {
            return;
        };
        let left = first.saturating_duration_since(Instant::now()).max(pause);
        // Zero would switch the timer off.
        let left = left.max(Duration::from_nanos(1));
        let once = Expiration::OneShot(TimeSpec::from_duration(left));
        if let Err(errno) = self.timer.set(once, TimerSetTimeFlags::empty()) {
            log::warn!("addresses are not announced again: {errno}");
        }
    }

    /// The ports whose turn it is, the longest overdue first, with how often each is announced
    /// after this time.
    fn take(&mut self, most: usize) -> Vec<(PortId, u8)> {
        // How often it has rung is of no interest.
        let _ = nix::unistd::read(&self.timer, &mut [0; 8]);
        let now = Instant::now();
        let ready = self.due.iter().filter(|(_, due)| due.at <= now);
        let mut ready: Vec<_> = ready.map(|(id, due)| (due.at, *id)).collect();
        ready.sort_unstable();
        ready.truncate(most.max(1));
        let take = |(_, id)| self.due.remove(&id).map(|due| (id, due.rounds - 1));
        ready.into_iter().filter_map(take).collect()
    }
}

impl Lab {
    /// The descriptor that becomes readable when addresses are to be announced.
    pub(crate) fn announcements_fd(&self) -> RawFd {
        self.announcements.timer.as_fd().as_raw_fd()
    }

    /// Announces the addresses of a port's namespace now, and again later.
    pub(super) fn announce(&mut self, id: PortId, inner: &mut Netlink, announcer: Announcer) {
        if let Some(plug) = self.plugs.get(&id) {
            speak_for(plug, inner, &announcer);
            self.announcements.plan(id, INTERVAL, ROUNDS - 1);
        }
        close(vec![announcer]);
    }

    /// Announces them as soon as nothing else is to be done, and again later. For ports of which
    /// several may come back at once.
    pub(super) fn announce_soon(&mut self, id: PortId) {
        self.announcements.plan(id, Duration::ZERO, ROUNDS);
    }

    /// Announces what is due.
    pub(crate) fn announce_due(&mut self) {
        let most = DELIVERIES / self.plugs.len().max(1);
        let mut done = Vec::new();
        for (id, rounds) in self.announcements.take(most) {
            match self.announce_again(id) {
                Ok(announcer) => done.extend(announcer),
                // It was deleted, or will be: there is nothing to announce.
                Err(error) => log::debug!("port {id} is not announced: {error}"),
            }
            if self.plugs.contains_key(&id) {
                self.announcements.plan(id, INTERVAL, rounds);
            }
        }
        close(done);
        self.announcements.set(PACE);
    }

    /// Gives the socket by which it was done.
    fn announce_again(&self, id: PortId) -> Result<Option<Announcer>, LabError> {
        let Some(plug) = self.plugs.get(&id) else {
            return Ok(None);
        };
        let Some(namespace) = plug.kind.namespace() else {
            return Ok(None);
        };
        if plug.link == LinkState::Absent {
            return Ok(None);
        }
        let name = NamespaceName::new(namespace)?;
        let Inside {
            mut netlink,
            announcer,
            ..
        } = self.namespaces.open(&name, false)?;
        speak_for(plug, &mut netlink, &announcer);
        Ok(Some(announcer))
    }
}

/// Closes sockets without waiting for it: each has the kernel wait until no processor uses it any more
/// (`synchronize_net` in `packet_release`), some milliseconds.
fn close(announcers: Vec<Announcer>) {
    if !announcers.is_empty() {
        // Without a thread they are closed here and now.
        let _ = threads::spawn("close", move || drop(announcers));
    }
}

/// Announces, of the other end of a port's cable, the addresses that were given to it and its
/// link-local ones, as far as it has them. What fails costs time, and nothing else.
fn speak_for(plug: &Plug, inner: &mut Netlink, announcer: &Announcer) {
    let Some(cable) = plug.kind.cable() else {
        return;
    };
    let link = match inner.find_link(&cable.peer) {
        // Another of its name is not ours to speak for.
        Ok(Some(link)) if plug.is_joined_with(&link) => link,
        Ok(_) => return,
        Err(error) => return log::debug!("{}: {error}", plug.name),
    };
    let present = inner.addresses(Some(&link)).unwrap_or_else(|error| {
        log::debug!("{}: {error}", plug.name);
        Vec::new()
    });
    for address in present.iter().filter(|address| is_announceable(address)) {
        let ip = address.net.addr();
        let is_given = cable.addresses.iter().any(|given| given.addr() == ip);
        let is_link_local = matches!(ip, std::net::IpAddr::V6(v6) if v6.is_unicast_link_local());
        if (is_given || is_link_local)
            && let Err(error) = announcer.announce(&link, ip)
        {
            log::debug!("{}: {ip} is not announced: {error}", plug.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_take_turns_and_end() {
        let mut announcements = Announcements::new().unwrap();
        for id in 1..=5 {
            announcements.plan(PortId(id), Duration::ZERO, 2);
        }
        let mut spoken = Vec::new();
        // As many as a wake handles, and at least one.
        for most in [2, 0, 9] {
            spoken.extend(announcements.take(most));
        }
        let ids: Vec<_> = spoken.iter().map(|(id, _)| id.0).collect();
        assert_eq!(ids, [1, 2, 3, 4, 5]);
        assert!(spoken.iter().all(|(_, rounds)| *rounds == 1));
        announcements.plan(PortId(1), Duration::ZERO, 1);
        assert_eq!(announcements.take(9), [(PortId(1), 0)]);
        announcements.plan(PortId(1), INTERVAL, 0);
        announcements.plan(PortId(2), INTERVAL, 1);
        assert!(announcements.take(9).is_empty() && announcements.due.len() == 1);
    }
}
