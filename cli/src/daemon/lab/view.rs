//! The ports as `show` tells them.

use vswitch_switch::control::ControlError;
use vswitch_switch::datapath::PortInfo;
use vswitch_switch::port::{LinkState, Traffic};

use super::{Kind, Lab};
use crate::protocol::{PortState, PortView, TrafficView};

impl Lab {
    /// All ports, by their numbers.
    ///
    /// # Errors
    /// Where the switch has stopped.
    pub(crate) fn ports(&self) -> Result<Vec<PortView>, ControlError> {
        let infos = self.handle.ports()?;
        Ok(infos.into_iter().map(|info| self.view(info)).collect())
    }

    fn view(&self, info: PortInfo) -> PortView {
        let (namespace, peer, addresses) = match self.plugs.get(&info.id).map(|plug| &plug.kind) {
            Some(Kind::Cable {
                namespace,
                peer,
                addresses,
            }) => (
                Some(namespace.clone()),
                Some(peer.clone()),
                addresses.clone(),
            ),
            Some(Kind::Taken(_)) | None => (None, None, Vec::new()),
        };
        let drops = info.counters.drops.iter();
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
            drops: drops
                .map(|(reason, frames)| (reason.as_str().to_owned(), frames))
                .collect(),
            addresses,
        }
    }
}

const fn traffic(traffic: Traffic) -> TrafficView {
    TrafficView {
        frames: traffic.frames,
        bytes: traffic.bytes,
    }
}
