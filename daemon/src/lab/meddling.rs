//! Programs that change the interface of a port, which they do not know as one.
//!
//! Theory of operation. Whoever manages all interfaces of a machine (systemd-networkd with a
//! catch-all `.network`, `NetworkManager`) may give the end of a cable addresses and switch IPv6 on
//! again: then the host's own packets enter the lab. The kernel tells of both, and what keeps the
//! stack out is put back, with a line in the log. Whether an interface is up is left to everybody: that is
//! how a cable is pulled out. A program that insists is not fought for ever: after
//! [`TIMES`] within [`SPAN`] the port is left as it is for that long, and `show` says so.

use std::time::{Duration, Instant};

use vswitch_switch::bridge::PortId;
use vswitch_switch::port::LinkState;

use super::{Lab, Plug};

/// How often settings are put back within [`SPAN`].
const TIMES: u32 = 5;
const SPAN: Duration = Duration::from_secs(60);

/// How often the settings of one port were put back lately.
#[derive(Debug, Default)]
pub(super) struct Meddling {
    /// When the span began, and how often since.
    span: Option<(Instant, u32)>,
    /// What was put back last.
    last: String,
}

impl Meddling {
    /// Whether settings may be put back at this time.
    fn may_act(&mut self, now: Instant) -> bool {
        match self.span {
            Some((begin, _)) if now.duration_since(begin) >= SPAN => {
                self.span = None;
                true
            }
            Some((_, times)) => times < TIMES,
            None => true,
        }
    }

    /// Notes that they were. Whether it was the last time for now.
    fn note(&mut self, now: Instant, what: String) -> bool {
        let (begin, times) = self.span.unwrap_or((now, 0));
        self.span = Some((begin, times + 1));
        self.last = what;
        times + 1 == TIMES
    }

    fn has_given_up(&self, now: Instant) -> bool {
        let tired =
            |(begin, times): (Instant, u32)| times >= TIMES && now.duration_since(begin) < SPAN;
        self.span.is_some_and(tired)
    }
}

impl Plug {
    /// What is wrong with the port, and what to do.
    pub(super) fn warnings(&self) -> Vec<String> {
        if !self.meddling.has_given_up(Instant::now()) {
            return Vec::new();
        }
        vec![format!(
            "another program keeps changing {}, so that the host's own packets may enter the switch \
             (put back {TIMES} times: {}): tell it to leave the interface alone; for \
             systemd-networkd, NetworkManager and udev there are files in contrib/ (docs/install.md)",
            self.interface, self.meddling.last
        )]
    }
}

impl Lab {
    /// Puts back what keeps the host's stack out of the interface of a port.
    pub(super) fn keep_quiet(&mut self, id: PortId) {
        let now = Instant::now();
        let Some(plug) = self.plugs.get_mut(&id) else {
            return;
        };
        if plug.kind.is_of_host() || plug.link == LinkState::Absent || !plug.meddling.may_act(now) {
            return;
        }
        // The addresses of an interface that was there before are its owner's.
        let is_ours = plug.kind.is_made();
        let kept = match self.netlink.link_by_index(plug.ifindex) {
            Ok(Some(link)) if link.name == plug.interface => {
                self.netlink.keep_quiet(&link, is_ours)
            }
            Ok(_) => return,
            Err(error) => Err(error.into()),
        };
        match kept {
            Ok(put_back) if put_back.is_empty() => {}
            Ok(put_back) => {
                let what = put_back.join(", ");
                log::warn!(
                    "another program has changed {}, which is port {id}; put back: {what}",
                    plug.interface
                );
                if plug.meddling.note(now, what) {
                    log::warn!(
                        "{} is left as it is for {} s: tell the program to leave it alone",
                        plug.interface,
                        SPAN.as_secs()
                    );
                }
            }
            Err(error) => log::warn!("{} may not be quiet: {error}", plug.interface),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_insists_is_not_fought_for_ever() {
        let mut meddling = Meddling::default();
        let begin = Instant::now();
        for time in 1..=TIMES {
            assert!(meddling.may_act(begin) && !meddling.has_given_up(begin));
            assert_eq!(meddling.note(begin, String::new()), time == TIMES);
        }
        let later = begin + SPAN / 2;
        assert!(!meddling.may_act(later) && meddling.has_given_up(later));
        // Another time it is tried again, and counted from the beginning.
        assert!(!meddling.has_given_up(begin + SPAN));
        assert!(meddling.may_act(begin + SPAN));
        assert!(!meddling.note(begin + SPAN, String::new()));
        assert!(meddling.may_act(begin + SPAN));
    }
}
