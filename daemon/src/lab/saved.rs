//! The ports as they are kept on disk.

use vswitch_netns::Link;
use vswitch_switch::bridge::PortId;
use vswitch_switch::port::LinkState;

use super::losses::Ledger;
use super::{Lab, Plug};
use crate::handover::HandedPlug;
use crate::state::SavedPort;

impl Lab {
    /// All ports but those that are about to go.
    pub(crate) fn saved(&self, going: &[PortId]) -> Vec<SavedPort> {
        let staying = self.plugs.iter().filter(|(id, _)| !going.contains(id));
        staying.map(|(id, plug)| saved(*id, plug)).collect()
    }

    /// All ports, for another process.
    pub(crate) fn handed(&self) -> Vec<HandedPlug> {
        let plugs = self.plugs.iter();
        plugs
            .map(|(id, plug)| {
                let (lost_before, lost) = plug.ledger.as_backlog();
                HandedPlug {
                    saved: saved(*id, plug),
                    mac: plug.mac,
                    link: plug.link,
                    lost_before,
                    lost,
                    ledger: Some(plug.ledger.clone()),
                }
            })
            .collect()
    }

    /// Takes over the ports of another process, whose switch is taken over besides.
    pub(crate) fn take_over(&mut self, ports: Vec<HandedPlug>) {
        for handed in ports {
            let saved = handed.saved;
            let kind = saved.kind.recalled();
            self.captions.set(&saved.name, kind.namespace());
            let mut interface = Link::default();
            interface.index = saved.ifindex;
            interface.name = saved.interface;
            interface.mac = handed.mac;
            let mut plug = Plug::new(saved.name, &interface, kind);
            plug.link = handed.link;
            plug.settings = saved.settings;
            plug.ledger = handed
                .ledger
                .unwrap_or_else(|| Ledger::of_backlog(handed.lost_before, handed.lost));
            self.plugs.insert(PortId(saved.id), plug);
            // The predecessor may not have come to its last round.
            self.announce_soon(PortId(saved.id));
        }
    }

    /// Looks at every link, and for every one that is gone.
    pub(crate) fn look_around(&mut self) {
        for id in self.deaf() {
            if let Err(error) = self.note(id, LinkState::Absent) {
                log::warn!("cannot tell the state of port {id}: {error}");
            }
        }
        let all: Vec<_> = self.plugs.keys().copied().collect();
        for id in all {
            if let Err(error) = self.look_again(id) {
                log::warn!("cannot tell the state of port {id}: {error}");
            }
            self.come_back(id);
        }
    }

    /// Whether a port has changed by itself since this was asked last: its interface is called
    /// otherwise, or is another one.
    pub(crate) const fn take_changed(&mut self) -> bool {
        std::mem::replace(&mut self.changed, false)
    }
}

fn saved(id: PortId, plug: &Plug) -> SavedPort {
    let is_gone = plug.link == LinkState::Absent;
    SavedPort {
        id: id.0,
        name: plug.name.clone(),
        interface: plug.interface.clone(),
        ifindex: if is_gone { 0 } else { plug.ifindex },
        settings: plug.settings.clone(),
        kind: plug.kind.saved(),
    }
}
