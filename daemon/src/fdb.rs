//! The MAC table, page by page.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::time::Duration;

use vswitch_switch::Handle;
use vswitch_switch::bridge::{PortId, Station};
use vswitch_switch::control::ControlError;

use vswitch_control::protocol::{ErrorCode, ErrorObject, FdbEntry, FdbPage};

/// Stations of one page: some 400 KiB of JSON.
const PAGE: usize = 4096;

/// The table as it was when a client began to read it: so every station is told once.
#[derive(Debug)]
pub(crate) struct Snapshot {
    stations: Vec<Station>,
    names: HashMap<PortId, String>,
}

/// So many tables are kept for clients that read them page by page.
const MAX_READINGS: usize = 16;

/// The table that one client is reading, as long as it is kept.
#[derive(Debug, Default)]
pub(crate) struct Reading(Rc<RefCell<Option<Snapshot>>>);

/// The tables that are kept, the one that was touched longest ago first.
#[derive(Debug, Default)]
pub(crate) struct Readings(VecDeque<Weak<RefCell<Option<Snapshot>>>>);

impl Reading {
    /// The table, which is not kept any more then.
    pub(crate) fn take(&mut self) -> Option<Snapshot> {
        std::mem::take(&mut self.0).take()
    }
}

impl Readings {
    /// Keeps a table for the next page. Where there are too many, that which was touched longest
    /// ago goes: who reads it has to begin anew.
    pub(crate) fn keep(&mut self, reading: &mut Reading, table: Snapshot) {
        *reading = Reading(Rc::new(RefCell::new(Some(table))));
        self.0.retain(|other| other.strong_count() > 0);
        self.0.push_back(Rc::downgrade(&reading.0));
        while self.0.len() > MAX_READINGS {
            if let Some(oldest) = self.0.pop_front().and_then(|oldest| oldest.upgrade()) {
                oldest.take();
            }
        }
    }
}

impl Snapshot {
    /// Takes one, in the order of VLANs and addresses.
    ///
    /// # Errors
    /// Where the switch has stopped.
    pub(crate) fn take(handle: &Handle) -> Result<Self, ControlError> {
        let ports = handle.ports()?;
        let mut stations = handle.stations()?;
        stations.sort_unstable_by_key(|station| (station.vlan, station.mac));
        // Read in several pieces: who moved meanwhile may be in two of them.
        stations.dedup_by_key(|station| (station.vlan, station.mac));
        Ok(Self {
            stations,
            names: ports.into_iter().map(|port| (port.id, port.name)).collect(),
        })
    }

    /// The page that begins at `cursor`.
    ///
    /// # Errors
    /// Where that is behind the end.
    pub(crate) fn page(&self, cursor: u64) -> Result<FdbPage, ErrorObject> {
        let rest = usize::try_from(cursor)
            .ok()
            .and_then(|start| self.stations.get(start..))
            .ok_or_else(|| {
                ErrorObject::new(
                    ErrorCode::InvalidParams,
                    format!("the cursor {cursor} is behind the end: use 'next' of the page before"),
                )
            })?;
        let page = &rest[..rest.len().min(PAGE)];
        let has_more = page.len() < rest.len();
        Ok(FdbPage {
            entries: page.iter().map(|station| self.entry(station)).collect(),
            next: has_more.then_some(cursor + page.len() as u64),
        })
    }

    fn entry(&self, station: &Station) -> FdbEntry {
        // A port that was unplugged a moment ago has taken its name along.
        let name = self.names.get(&station.port).cloned();
        FdbEntry {
            mac: station.mac.to_string(),
            vlan: station.vlan.get(),
            port: name.unwrap_or_else(|| station.port.to_string()),
            age_s: station.age.as_ref().map(Duration::as_secs),
            is_static: station.age.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswitch_switch::frame::{MacAddr, VlanId};

    fn snapshot(stations: usize) -> Snapshot {
        let station = |index: usize| Station {
            vlan: VlanId::NONE,
            mac: MacAddr::from_u64(0x0200_0000_0000 + index as u64),
            port: PortId(1),
            age: Some(Duration::from_millis(1_999)),
        };
        Snapshot {
            stations: (0..stations).map(station).collect(),
            names: [(PortId(1), "a".to_owned())].into(),
        }
    }

    #[test]
    fn pages_join_to_the_whole_table() {
        for size in [0, 1, PAGE, PAGE + 1, 65_536] {
            let snapshot = snapshot(size);
            let mut macs = Vec::new();
            let mut cursor = Some(0);
            while let Some(at) = cursor {
                let page = snapshot.page(at).unwrap();
                let text = serde_json::to_string(&page).unwrap();
                assert!(
                    text.len() < vswitch_control::protocol::MAX_MESSAGE_BYTES,
                    "{}",
                    text.len()
                );
                macs.extend(page.entries.into_iter().map(|entry| entry.mac));
                cursor = page.next;
            }
            macs.dedup();
            assert_eq!(macs.len(), size);
        }
        assert!(snapshot(3).page(4).is_err());
    }

    #[test]
    fn an_entry_has_the_fields_of_the_contract() {
        let page = snapshot(1).page(0).unwrap();
        assert_eq!(
            serde_json::to_value(&page.entries[0]).unwrap(),
            serde_json::json!({
                "mac": "02:00:00:00:00:00", "vlan": 0, "port": "a", "age_s": 1, "static": false
            })
        );
    }
}
