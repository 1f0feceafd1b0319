//! The state of the links behind the ports.
//!
//! News of a link only say that it is worth a look: what counts is how the link is when looked
//! at, so that a burst of news ends in the truth, however many were lost.

use vswitch_netns::Link;
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::LinkState;

use super::{Lab, LabError};

impl Lab {
    /// Looks at the links of all ports.
    pub(crate) fn look_at_all(&mut self) {
        let ids: Vec<PortId> = self.plugs.keys().copied().collect();
        self.look_at(ids);
    }

    /// Looks at the link of this index, if it is one of a port.
    pub(crate) fn look_at_index(&mut self, ifindex: u32) {
        let is_it = |(id, plug): (&PortId, &super::Plug)| (plug.ifindex == ifindex).then_some(*id);
        let ids = self.plugs.iter().filter_map(is_it).collect();
        self.look_at(ids);
    }

    fn look_at(&mut self, ids: Vec<PortId>) {
        for id in ids {
            if let Err(error) = self.look_again(id) {
                log::warn!("cannot tell the state of port {id}: {error}");
            }
        }
    }

    /// Looks at the link of a port and tells the switch what has changed; whether the interface
    /// is gone. A port whose interface was seen to be gone stays so: the next of the same index
    /// is another.
    pub(super) fn look_again(&mut self, id: PortId) -> Result<bool, LabError> {
        let Some(plug) = self.plugs.get_mut(&id) else {
            return Ok(true);
        };
        if plug.link == LinkState::Absent {
            return Ok(true);
        }
        let link = self.netlink.link_by_index(plug.ifindex)?;
        let state = state_of(link.as_ref());
        if state != plug.link {
            log::info!("port {} ({}) is {}", id, plug.name, state.as_str());
            plug.link = state;
        }
        self.handle.set_link(id, state)?;
        Ok(state == LinkState::Absent)
    }
}

/// What a link means for the port on it.
fn state_of(link: Option<&Link>) -> LinkState {
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
