//! The static stations, as the daemon knows them: the switch's own table may hold a million others.

use std::collections::BTreeMap;

use vswitch_switch::frame::{MacAddr, VlanId};

use super::SavedStation;

/// Which port each static station is bound to, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stations(BTreeMap<(u16, [u8; 6]), String>);

impl Stations {
    /// Binds a station.
    pub(crate) fn bind(&mut self, vlan: VlanId, mac: MacAddr, port: &str) {
        self.0.insert((vlan.get(), mac.0), port.to_owned());
    }

    /// All stations with their ports, the lowest VLAN last.
    pub(crate) fn all(&self) -> impl Iterator<Item = (VlanId, MacAddr, &str)> {
        let all = self.0.iter().rev();
        all.map(|((vlan, mac), port)| (VlanId::from_tci(*vlan), MacAddr(*mac), port.as_str()))
    }

    /// The port that a station is bound to, in whichever VLAN.
    pub(crate) fn port_of(&self, mac: MacAddr) -> Option<&str> {
        let mut all = self.all();
        all.find(|(_, known, _)| *known == mac)
            .map(|(_, _, port)| port)
    }

    /// Forgets a station, in one VLAN or in all; whether there was one.
    pub(crate) fn release(&mut self, mac: MacAddr, vlan: Option<VlanId>) -> bool {
        let before = self.0.len();
        self.0.retain(|(in_vlan, address), _| {
            *address != mac.0 || vlan.is_some_and(|vlan| vlan.get() != *in_vlan)
        });
        self.0.len() != before
    }

    /// Keeps those whose port passes.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|_, port| keep(port));
    }

    /// All, to be kept on disk.
    pub(crate) fn saved(&self) -> Vec<SavedStation> {
        let all = self.0.iter();
        all.map(|((vlan, mac), port)| SavedStation {
            vlan: *vlan,
            mac: MacAddr(*mac).to_string(),
            port: port.clone(),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_station_is_released_in_one_vlan_or_in_all() {
        let mut stations = Stations::default();
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        let vlan = |id| VlanId::new(id).unwrap();
        stations.bind(vlan(0), mac, "a");
        stations.bind(vlan(5), mac, "a");
        stations.bind(vlan(5), MacAddr([2, 0, 0, 0, 0, 2]), "b");
        assert!(!stations.release(mac, Some(vlan(9))));
        assert!(stations.release(mac, Some(vlan(5))));
        assert_eq!(stations.saved().len(), 2);
        assert!(stations.release(mac, None));
        stations.retain(|port| port != "b");
        assert_eq!(stations.saved(), []);
    }
}
