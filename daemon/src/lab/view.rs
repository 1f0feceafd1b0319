//! The ports as `show` tells them.

use std::collections::BTreeMap;

use vswitch_netns::{Link, Losses};
use vswitch_switch::bridge::{DropReason, PortId};
use vswitch_switch::control::ControlError;
use vswitch_switch::datapath::PortInfo;
use vswitch_switch::port::{FrameLimit, LinkState, Traffic};

use super::losses::{Reading, mtu_warning, offload_warning};
use super::{Lab, Plug};
use vswitch_control::protocol::{BlockedView, PortState, PortView, TrafficView};
use vswitch_control::settings::View;

impl Lab {
    /// All ports, by their numbers.
    ///
    /// # Errors
    /// Where the switch has stopped.
    pub(crate) fn ports(&mut self) -> Result<Vec<PortView>, ControlError> {
        let infos = self.handle.ports()?;
        Ok(self.views(infos))
    }

    /// The same, of what the switch has told of its ports.
    pub(crate) fn views(&mut self, infos: Vec<PortInfo>) -> Vec<PortView> {
        self.read_losses(&infos);
        let names: BTreeMap<_, _> = infos
            .iter()
            .map(|info| (info.id, info.name.clone()))
            .collect();
        let views = infos.into_iter().map(|info| self.view(info, &names));
        views.collect()
    }

    /// Reads what the interfaces of the ports have lost, and who is at the other ends.
    fn read_losses(&mut self, infos: &[PortInfo]) {
        let interfaces = self.netlink.losses().unwrap_or_else(|error| {
            log::warn!("the frames lost before the switch are not counted: {error}");
            BTreeMap::new()
        });
        let backlog_was_full = self.backlogs.read();
        for info in infos {
            let Some(plug) = self.plugs.get(&info.id) else {
                continue;
            };
            // The index of one that is gone may be another's by now.
            if plug.link == LinkState::Absent || plug.kind.is_of_host() {
                continue;
            }
            let Some((link, losses)) = interfaces.get(&plug.ifindex) else {
                continue;
            };
            let before = plug.peer_is_wider(u64::from(link.mtu_bytes));
            self.note_peer(info.id, link);
            let Some(plug) = self.plugs.get_mut(&info.id) else {
                continue;
            };
            let now = plug.peer_is_wider(u64::from(link.mtu_bytes));
            plug.ledger.read(&Reading {
                losses: *losses,
                full: info.counters.drops.get(DropReason::EgressFull),
                // It may have been otherwise for a part of the time.
                peer_is_wider: before.zip(now).and_then(|(a, b)| (a == b).then_some(a)),
                backlog_was_full,
            });
        }
    }

    /// Finds out who is at the other end of a port's cable, and tells the switch its MTU.
    pub(super) fn note_peer(&mut self, id: PortId, link: &Link) {
        let found = match link.kind.as_deref() {
            Some("veth") => self.netlink.peer_of(link),
            _ => Ok(None),
        };
        // Not every namespace may be looked into.
        let peer = found.unwrap_or_else(|error| {
            log::debug!("the other end of {} is not known: {error}", link.name);
            None
        });
        let Some(plug) = self.plugs.get_mut(&id) else {
            return;
        };
        let mtu = |peer: &Option<Link>| peer.as_ref().map(|peer| peer.mtu_bytes);
        plug.own_mtu_bytes = usize::try_from(link.mtu_bytes).ok();
        let has_changed = mtu(&plug.peer) != mtu(&peer);
        let mtu_bytes = mtu(&peer).and_then(|mtu| usize::try_from(mtu).ok());
        plug.peer = peer;
        if has_changed && let Err(error) = self.handle.set_peer_mtu(id, mtu_bytes) {
            log::debug!("the switch is not told the MTU behind port {id}: {error}");
        }
    }

    /// What one interface has lost so far.
    pub(super) fn lost_by(&mut self, ifindex: u32) -> Losses {
        let interfaces = self.netlink.losses().unwrap_or_default();
        interfaces
            .get(&ifindex)
            .map_or_else(Losses::default, |(_, losses)| *losses)
    }

    fn view(&self, info: PortInfo, names: &BTreeMap<PortId, String>) -> PortView {
        let plug = self.plugs.get(&info.id);
        let cable = plug.and_then(|plug| plug.kind.cable());
        let mut drops: BTreeMap<_, _> = info
            .counters
            .drops
            .iter()
            .map(|(reason, frames)| (reason.as_str().to_owned(), frames))
            .collect();
        let peer_end = plug.and_then(|plug| plug.peer.as_ref());
        let mut warnings = plug.map(Plug::all_warnings).unwrap_or_default();
        let mtu = plug.map_or(info.mtu_bytes, |plug| plug.mtu_bytes(info.mtu_bytes));
        let mtu = u64::try_from(mtu).unwrap_or(u64::MAX);
        if let Some(plug) = plug {
            plug.ledger.apply(&mut drops);
            let unlike = peer_end.and_then(|peer| mtu_warning(&plug.interface, mtu, peer));
            warnings.extend(unlike);
            let undescribable = DropReason::RxUnsupportedOffload.as_str();
            if drops.contains_key(undescribable) {
                warnings.push(offload_warning(peer_end));
            }
        }
        PortView {
            id: info.id.0,
            name: info.name,
            namespace: cable.map(|cable| cable.namespace.clone()),
            peer: cable.map(|cable| cable.peer.clone()),
            state: match info.link {
                LinkState::Up => PortState::Up,
                LinkState::Down => PortState::Down,
                LinkState::Absent => PortState::Absent,
            },
            mtu,
            peer_mtu: peer_end.map(|peer| peer.mtu_bytes.into()),
            driver: info.driver.to_owned(),
            rx: traffic(info.counters.rx),
            tx: traffic(info.counters.tx),
            drops,
            addresses: cable
                .map(|cable| cable.addresses.clone())
                .unwrap_or_default(),
            limits: Some(info.limits.into()),
            settings: View(plug.map(|plug| plug.settings.clone()).unwrap_or_default()),
            blocked: info.blocked.map(|blocked| BlockedView {
                loop_with: names.get(&blocked.peer).cloned().unwrap_or_default(),
                for_s: blocked.remaining.as_secs(),
            }),
            warnings,
        }
    }
}

impl Plug {
    /// The largest payload that it carries; `told` by the switch, which may not know yet what has changed
    /// at the other end.
    fn mtu_bytes(&self, told: usize) -> usize {
        let peer = self.peer.as_ref().map(|peer| peer.mtu_bytes);
        let (Some(own), Some(peer)) =
            (self.own_mtu_bytes, peer.and_then(|mtu| mtu.try_into().ok()))
        else {
            return told;
        };
        let limit = FrameLimit {
            peer_mtu_bytes: Some(peer),
            ..FrameLimit::of(own)
        };
        let has_room = self.kind.cable().is_some() && self.kind.is_made();
        if has_room && own != peer && limit.payload_bytes() == own {
            // Somebody has changed the end inside: the room for tags is still there.
            return own.saturating_sub(FrameLimit::TAG_ROOM_BYTES);
        }
        limit.payload_bytes()
    }
}

const fn traffic(traffic: Traffic) -> TrafficView {
    TrafficView {
        frames: traffic.frames,
        bytes: traffic.bytes,
    }
}
