//! Static stations, as commands and settings change them.

use vswitch_switch::bridge::VlanLearning;
use vswitch_switch::control::ControlError;
use vswitch_switch::frame::VlanId;

use super::capture;
use super::control::refusal;
use super::control::{Control, Outcome, removed, reply};
use super::lab::LabError;
use vswitch_control::protocol::{ErrorCode, ErrorObject, FdbAddParams, FdbDelParams, FdbEntry};
use vswitch_control::values;

impl Control {
    pub(super) fn fdb_add(&mut self, params: &FdbAddParams) -> Outcome {
        let mac = values::station(&params.mac).map_err(LabError::Value)?;
        let vlan = vlan(params.vlan)?;
        self.refuse_vlan(Some(vlan))?;
        let port = capture::port_name(&self.lab.ports().map_err(refusal)?, &params.port)?;
        let before = self.stations.clone();
        self.stations.bind(vlan, mac, &port);
        self.keep_or(|control| control.stations = before.clone())?;
        if let Err(error) = self.lab.handle().add_static(vlan, mac, &port) {
            self.stations = before;
            self.keep()?;
            return Err(refusal(error));
        }
        reply(&FdbEntry {
            mac: mac.to_string(),
            vlan: vlan.get(),
            port,
            age_s: None,
            is_static: true,
        })
    }

    pub(super) fn fdb_del(&mut self, params: &FdbDelParams) -> Outcome {
        let mac = values::station(&params.mac).map_err(LabError::Value)?;
        let vlan = params.vlan.map(vlan).transpose()?;
        // What is kept of each VLAN, from before learning was shared, goes with the entry of all.
        let vlan = match self.refuse_vlan(vlan)? {
            VlanLearning::Shared => None,
            VlanLearning::Independent => vlan,
        };
        let before = self.stations.clone();
        if self.stations.release(mac, vlan) {
            self.keep_or(|control| control.stations = before)?;
        }
        let gone = self.lab.handle().remove_station(mac, vlan);
        match gone.map_err(refusal)? {
            0 => Err(ErrorObject::new(
                ErrorCode::NotFound,
                format!("no station {mac} is known: 'vswitch fdb' lists those that are"),
            )),
            entries => removed(entries),
        }
    }

    /// Refuses a VLAN where learning is shared, because an entry is for all VLANs there. Returns how
    /// the switch learns.
    fn refuse_vlan(&self, vlan: Option<VlanId>) -> Result<VlanLearning, ErrorObject> {
        let learning = self
            .lab
            .handle()
            .status()
            .map_err(refusal)?
            .config
            .vlan_learning;
        match vlan.filter(|vlan| *vlan != VlanId::NONE) {
            Some(vlan) if learning == VlanLearning::Shared => Err(ErrorObject::new(
                ErrorCode::InvalidParams,
                format!(
                    "cannot use VLAN {}: the entries of this switch are for all VLANs; leave the \
                     VLAN out, or run the switch with --vlan-learning independent",
                    vlan.get()
                ),
            )),
            _ => Ok(learning),
        }
    }

    /// Enters the static stations as they were added, after the switch was told to learn in
    /// another way.
    pub(super) fn bind_again(&self, learning: VlanLearning) -> Result<(), ControlError> {
        let handle = self.lab.handle();
        if learning == VlanLearning::Shared {
            // The bridge has made one entry of those of several VLANs.
            return Ok(());
        }
        for (_, mac, _) in self.stations.all() {
            handle.remove_station(mac, Some(VlanId::NONE))?;
        }
        for (vlan, mac, port) in self.stations.all() {
            handle.add_static(vlan, mac, port)?;
        }
        Ok(())
    }
}

pub(super) fn vlan(id: u16) -> Result<VlanId, ErrorObject> {
    VlanId::new(id).ok_or_else(|| {
        ErrorObject::new(
            ErrorCode::InvalidParams,
            format!("{id} is not a VLAN: use 1 to 4095, or 0 for untagged frames"),
        )
    })
}
