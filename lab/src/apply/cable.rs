//! Cables: what plugs a host into its switch.

use anyhow::Context;
use vswitch_netns::LinkError;

use super::Worker;
use crate::thing::CableSpec;
use vswitch_control::client::ClientError;
use vswitch_control::protocol::{
    AttachParams, Attached, DetachParams, ErrorCode, PortSetParams, PortView, ReaddressParams,
    Removed, method,
};
use vswitch_control::settings::{Change, PortSettings};

impl Worker<'_> {
    pub(super) fn make_cable(
        &mut self,
        host: &str,
        interface: &str,
        cable: &CableSpec,
    ) -> anyhow::Result<()> {
        let params = AttachParams {
            namespace: host.to_owned(),
            addresses: cable.addresses.iter().map(ToString::to_string).collect(),
            mac: Some(cable.mac.clone()),
            mtu: Some(cable.mtu),
            interface: Some(interface.to_owned()),
            port: Some(cable.port.clone()),
            settings: Change::from((*cable.settings).clone()),
            create: false,
            give_address: false,
            ..AttachParams::default()
        };
        let told: Result<Attached, _> = self.client(&cable.switch)?.call(method::ATTACH, &params);
        told.with_context(|| format!("cannot plug in the host '{host}'"))?;
        Ok(())
    }

    /// Gives a host other addresses and its port other settings, while it stays plugged in.
    pub(super) fn change_cable(&mut self, from: &CableSpec, to: &CableSpec) -> anyhow::Result<()> {
        let change = Change::<PortSettings>::between(&from.settings, &to.settings);
        if !change.is_empty() {
            let params = PortSetParams {
                name: to.port.clone(),
                change,
                unblock: false,
            };
            let told: Result<PortView, _> =
                self.client(&to.switch)?.call(method::PORT_SET, &params);
            told.with_context(|| format!("cannot change the port '{}'", to.port))?;
        }
        if from.addresses == to.addresses {
            return Ok(());
        }
        self.readdress(to)
    }

    fn readdress(&mut self, cable: &CableSpec) -> anyhow::Result<()> {
        let params = ReaddressParams {
            port: cable.port.clone(),
            addresses: cable.addresses.iter().map(ToString::to_string).collect(),
        };
        let client = self.client(&cable.switch)?;
        let told: Result<PortView, _> = client.call(method::READDRESS, &params);
        told.with_context(|| format!("cannot change the addresses at '{}'", cable.port))?;
        Ok(())
    }

    /// Unplugs a host. The pair is removed from its inside, where several can wait for the kernel
    /// at the same time; for the switch nothing but a port without an interface is left.
    pub(super) fn remove_cable(
        &mut self,
        host: &str,
        interface: &str,
        cable: &CableSpec,
    ) -> anyhow::Result<()> {
        if let Some((_, mut netlink)) = self.find_host(host)
            && let Some(link) = netlink.find_link(interface)?
        {
            match netlink.delete_link(&link) {
                Ok(()) | Err(LinkError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.doer.silent.contains_key(&cable.switch) {
            // That it does not answer is told with the switch itself.
            return Ok(());
        }
        let params = DetachParams {
            namespace: host.to_owned(),
            port: Some(cable.port.clone()),
        };
        let Some(client) = self.find_switch(&cable.switch)? else {
            return Ok(());
        };
        match client.call::<Removed>(method::DETACH, &params) {
            Ok(_) => Ok(()),
            Err(ClientError::Refused(error)) if error.code == ErrorCode::NotFound as i32 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
