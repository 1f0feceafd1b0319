//! The state of the links behind the ports.
//!
//! News of a link only say that it is worth a look: what counts is how the link is when looked
//! at, so that a burst of news ends in the truth, however many were lost. All but the news that a
//! link was removed: its index may belong to another by now. They are read to the end before a
//! port is plugged in, so that none of its predecessor's are taken for its own.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, RawFd};

use vswitch_netns::{Link, LinkEvent};
use vswitch_switch::bridge::PortId;
use vswitch_switch::datapath::PortInfo;
use vswitch_switch::port::LinkState;

use super::{Lab, LabError, Plug};

/// The index of an interface that is in another network namespace: the kernel never gives it.
pub(super) const ELSEWHERE: u32 = 0;

impl Lab {
    /// The descriptor that becomes readable with news of a link.
    pub(crate) fn news_fd(&self) -> RawFd {
        self.news.as_raw_fd()
    }

    /// Reads all news, then looks at the links that they are about, each once.
    pub(crate) fn read_news(&mut self) {
        let mut news = News::default();
        loop {
            match self.news.next_event() {
                Ok(None) => break,
                Ok(Some(LinkEvent::Changed(link))) => self.changed(&link, &mut news),
                Ok(Some(LinkEvent::Removed { index, .. })) => self.touch(index, &mut news.removed),
                Ok(Some(LinkEvent::Addresses { index })) => self.touch(index, &mut news.stirred),
                // Some were lost, of whatever links.
                Ok(Some(_)) => self.all(&mut news),
                Err(error) => {
                    log::warn!("{error}");
                    self.all(&mut news);
                    break;
                }
            }
        }
        let complain = |id: PortId, error: &dyn std::fmt::Display| {
            log::warn!("cannot tell the state of port {id}: {error}");
        };
        for id in &news.removed {
            // A device that a port holds may have been moved.
            let is_held = self
                .plugs
                .get(id)
                .is_some_and(|plug| plug.kind.is_of_host());
            let noted = if is_held {
                self.look_again(*id).map(drop)
            } else {
                self.note(*id, LinkState::Absent)
            };
            if let Err(error) = noted {
                complain(*id, &error);
            }
        }
        for id in &news.touched {
            if let Err(error) = self.look_again(*id) {
                complain(*id, &error);
            }
        }
        for id in &news.stirred {
            self.keep_quiet(*id);
        }
        // Another of its name may be there already.
        for id in news.removed.union(&news.touched) {
            self.come_back(*id);
        }
    }

    /// All ports; and of those whose sockets have lost their interface, that it is gone: it may be
    /// back under its index, of which nobody else has told.
    fn all(&self, news: &mut News) {
        news.touched.extend(self.plugs.keys());
        news.stirred.extend(self.plugs.keys());
        news.removed.extend(self.deaf());
    }

    /// Ports whose sockets have lost their interface, although nobody has told of it.
    pub(super) fn deaf(&self) -> Vec<PortId> {
        let infos = self.handle.ports().unwrap_or_default();
        let is_deaf = |info: &&PortInfo| {
            let plug = self.plugs.get(&info.id);
            info.link == LinkState::Absent
                && plug.is_some_and(|plug| plug.link != LinkState::Absent)
        };
        infos.iter().filter(is_deaf).map(|info| info.id).collect()
    }

    fn changed(&self, link: &Link, news: &mut News) {
        self.touch(link.index, &mut news.touched);
        if link.arp {
            self.touch(link.index, &mut news.stirred);
        }
        let is_away = |plug: &Plug| plug.link == LinkState::Absent || plug.ifindex == ELSEWHERE;
        let waits = |plug: &Plug| is_away(plug) && plug.interface == link.name;
        let waiting = self.plugs.iter().filter(|(_, plug)| waits(plug));
        news.touched.extend(waiting.map(|(id, _)| id));
    }

    fn touch(&self, ifindex: u32, touched: &mut BTreeSet<PortId>) {
        let at_it = self
            .plugs
            .iter()
            .filter(|(_, plug)| plug.ifindex == ifindex && plug.link != LinkState::Absent);
        touched.extend(at_it.map(|(id, _)| id));
    }

    /// Looks at the link of a port and tells the switch what has changed; whether the interface
    /// is gone. A port whose interface was seen to be gone is not looked at: the next of the same
    /// index is another.
    pub(super) fn look_again(&mut self, id: PortId) -> Result<bool, LabError> {
        let Some(plug) = self.plugs.get_mut(&id) else {
            return Ok(true);
        };
        if plug.link == LinkState::Absent {
            return Ok(true);
        }
        if plug.ifindex == ELSEWHERE {
            return self.look_for_held(id);
        }
        let link = self.netlink.link_by_index(plug.ifindex)?;
        // Where the news was lost that it is gone, another may have taken its index over.
        let link = link.filter(|link| link.name == plug.interface || link.mac == plug.mac);
        if link.is_none() && plug.kind.is_of_host() {
            return self.look_for_held(id);
        }
        if let Some(link) = &link {
            if link.name != plug.interface {
                log::info!(
                    "the interface of port {id} ({}) is called {} now",
                    plug.name,
                    link.name
                );
                plug.interface.clone_from(&link.name);
                self.changed = true;
            }
            plug.mac = link.mac;
            plug.kind.remember(link);
        }
        let state = state_of(link.as_ref());
        self.note(id, state)?;
        Ok(state == LinkState::Absent)
    }

    /// Looks for the interface of a device that a port holds, which is not where it was: whether it is
    /// gone. In another network namespace it is as good as here, but nothing tells of its link.
    fn look_for_held(&mut self, id: PortId) -> Result<bool, LabError> {
        let infos = self.handle.ports()?;
        let info = infos.iter().find(|info| info.id == id);
        if info.is_none_or(|info| info.link == LinkState::Absent) {
            self.note(id, LinkState::Absent)?;
            return Ok(true);
        }
        let Some(plug) = self.plugs.get_mut(&id) else {
            return Ok(true);
        };
        let found = self.netlink.find_link(&plug.interface)?;
        let found = found.filter(|link| link.mac == plug.mac);
        let before = std::mem::replace(
            &mut plug.ifindex,
            found.as_ref().map_or(ELSEWHERE, |link| link.index),
        );
        let state = found
            .as_ref()
            .map_or(LinkState::Up, |link| state_of(Some(link)));
        if before != plug.ifindex {
            let place = found.map_or("another network namespace", |_| "the switch's namespace");
            log::info!(
                "the interface of port {id} ({}) is in {place} now",
                plug.name
            );
            self.changed = true;
        }
        self.note(id, state)?;
        Ok(false)
    }

    pub(super) fn note(&mut self, id: PortId, state: LinkState) -> Result<(), LabError> {
        let Some(plug) = self.plugs.get_mut(&id) else {
            return Ok(());
        };
        let has_changed = plug.link != state;
        if has_changed {
            log::info!("port {} ({}) is {}", id, plug.name, state.as_str());
            plug.link = state;
        }
        if has_changed && state == LinkState::Absent {
            self.changed = true;
            return self.vacate(id);
        }
        Ok(self.handle.set_link(id, state)?)
    }
}

/// The ports that news are about.
#[derive(Default)]
struct News {
    /// Their link is to be looked at, or what has come may be theirs.
    touched: BTreeSet<PortId>,
    /// Somebody may have changed what keeps the host's stack out of their interface.
    stirred: BTreeSet<PortId>,
    /// Their interface is gone.
    removed: BTreeSet<PortId>,
}

/// What a link means for the port on it.
pub(super) fn state_of(link: Option<&Link>) -> LinkState {
    match link {
        None => LinkState::Absent,
        Some(link) if link.up && link.lower_up => LinkState::Up,
        Some(_) => LinkState::Down,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_needs_a_carrier_to_be_up() {
        let mut link = Link::default();
        assert_eq!(state_of(None), LinkState::Absent);
        assert_eq!(state_of(Some(&link)), LinkState::Down);
        link.up = true;
        assert_eq!(state_of(Some(&link)), LinkState::Down);
        link.lower_up = true;
        assert_eq!(state_of(Some(&link)), LinkState::Up);
    }
}
