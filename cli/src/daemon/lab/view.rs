//! The ports as `show` tells them.

use std::collections::BTreeMap;

use vswitch_switch::bridge::PortId;
use vswitch_switch::control::ControlError;
use vswitch_switch::datapath::PortInfo;
use vswitch_switch::port::{LinkState, Traffic};

use super::{Kind, Lab, Plug};
use crate::protocol::{BlockedView, PortState, PortView, TrafficView};

/// The reason of losses that the interface counts and the switch never sees: the kernel's queue
/// between the two ends of a cable was full.
const BACKLOG: &str = "rx_backlog";

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
        let losses = self.losses();
        for plug in self.plugs.values_mut() {
            // The index of one that is gone may be another's by now.
            if let Some(total) = losses.get(&plug.ifindex)
                && plug.link != LinkState::Absent
            {
                plug.lost = total.saturating_sub(plug.lost_before);
            }
        }
        let names: BTreeMap<_, _> = infos
            .iter()
            .map(|info| (info.id, info.name.clone()))
            .collect();
        let views = infos.into_iter().map(|info| self.view(info, &names));
        views.collect()
    }

    /// What each interface has lost on the way in, by index, for whatever reason of its own.
    fn losses(&mut self) -> BTreeMap<u32, u64> {
        self.netlink.receive_losses().unwrap_or_else(|error| {
            log::warn!("the frames lost before the switch are not counted: {error}");
            BTreeMap::new()
        })
    }

    /// What one interface has lost on the way in so far.
    pub(super) fn lost_by(&mut self, ifindex: u32) -> u64 {
        self.losses().get(&ifindex).copied().unwrap_or(0)
    }

    fn view(&self, info: PortInfo, names: &BTreeMap<PortId, String>) -> PortView {
        let plug = self.plugs.get(&info.id);
        let (namespace, peer, addresses) = match plug.map(|plug| &plug.kind) {
            Some(Kind::Cable {
                namespace,
                peer,
                addresses,
                ..
            }) => (
                Some(namespace.clone()),
                Some(peer.clone()),
                addresses.clone(),
            ),
            Some(Kind::Taken(_)) | None => (None, None, Vec::new()),
        };
        let mut drops: BTreeMap<_, _> = info
            .counters
            .drops
            .iter()
            .map(|(reason, frames)| (reason.as_str().to_owned(), frames))
            .collect();
        if let Some(plug) = plug.filter(|plug| plug.lost > 0) {
            drops.insert(BACKLOG.to_owned(), plug.lost);
        }
        PortView {
            id: info.id.0,
            name: info.name,
            namespace,
            peer,
            state: match info.link {
                LinkState::Up => PortState::Up,
                LinkState::Down => PortState::Down,
                LinkState::Absent => PortState::Absent,
            },
            mtu: u64::try_from(info.mtu_bytes).unwrap_or(u64::MAX),
            driver: info.driver.to_owned(),
            rx: traffic(info.counters.rx),
            tx: traffic(info.counters.tx),
            drops,
            addresses,
            limits: Some(info.limits.into()),
            blocked: info.blocked.map(|blocked| BlockedView {
                loop_with: names.get(&blocked.peer).cloned().unwrap_or_default(),
                for_s: blocked.remaining.as_secs(),
            }),
            warnings: plug.map(Plug::warnings).unwrap_or_default(),
        }
    }
}

const fn traffic(traffic: Traffic) -> TrafficView {
    TrafficView {
        frames: traffic.frames,
        bytes: traffic.bytes,
    }
}
