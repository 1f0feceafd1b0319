//! What does not fit beside what is attached, or into the namespace; told before anything changes.

use ipnet::IpNet;
use vswitch_netns::{Link, MacBytes, NamespaceName, Netlink};
use vswitch_switch::frame::MacAddr;
use vswitch_switch::port::LinkState;

use super::kinds::Kind;
use super::plan::Plan;
use super::{Lab, LabError};
use vswitch_control::protocol::AttachParams;

/// Where the setting is that forbids the addresses.
#[derive(Clone, Copy, Debug)]
pub(super) enum Setting<'a> {
    /// That of interfaces which are made.
    Default,
    /// That of one which is there.
    Interface(&'a str),
}

impl Lab {
    /// The port that a namespace would be attached as.
    ///
    /// # Errors
    /// Where a parameter is wrong by itself.
    pub(crate) fn port_to_be(&self, params: &AttachParams) -> Result<String, LabError> {
        Ok(Plan::new(params, self.subnet)?.outside.to_string())
    }

    /// Refuses a MAC address that a host on another port has: frames for either would go to
    /// whichever was heard last.
    pub(super) fn refuse_mac(&mut self, plan: &Plan) -> Result<(), LabError> {
        let Some(wanted) = plan.mac else {
            return Ok(());
        };
        for plug in self.plugs.values() {
            if plug.link == LinkState::Absent {
                continue;
            }
            let known = self.netlink.link_by_index(plug.ifindex)?;
            // An index may be another interface's by now.
            let Some(link) = known.filter(|link| link.name == plug.interface) else {
                continue;
            };
            let station = if plug.kind.is_of_host() {
                Some(link)
            } else {
                self.netlink.far_end(&link)?
            };
            if station.and_then(|station| station.mac) == Some(wanted) {
                return Err(mac_taken(wanted, &*plug.kind, &plug.name));
            }
        }
        Ok(())
    }
}

fn mac_taken(mac: MacBytes, kind: &dyn Kind, port: &str) -> LabError {
    let whose = kind.namespace().map_or_else(
        || "the host".to_owned(),
        |namespace| format!("the namespace '{namespace}'"),
    );
    LabError::MacTaken {
        mac: MacAddr(mac),
        whose,
        port: port.to_owned(),
    }
}

/// Refuses IPv6 addresses for an interface on which IPv6 is switched off.
pub(super) fn require_ipv6(
    inner: &mut Netlink,
    inside: &Link,
    wanted: &[IpNet],
    namespace: &NamespaceName,
    setting: Setting<'_>,
) -> Result<(), LabError> {
    let Some(address) = wanted.iter().find(|address| address.addr().is_ipv6()) else {
        return Ok(());
    };
    if !inner.is_ipv6_off(inside)? {
        return Ok(());
    }
    let setting = match setting {
        Setting::Default => "net.ipv6.conf.default.disable_ipv6".to_owned(),
        // With dots in the name of an interface, the other notation of sysctl(8).
        Setting::Interface(name) => format!("net/ipv6/conf/{name}/disable_ipv6"),
    };
    Err(LabError::Ipv6Off {
        address: *address,
        namespace: namespace.to_string(),
        setting,
    })
}
