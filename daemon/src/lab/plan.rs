//! What is asked for by `attach`, checked before anything is done.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_netns::{InterfaceName, MacBytes, NamespaceName};

use super::LabError;
use vswitch_control::protocol::{AttachParams, NamespaceSource};
use vswitch_control::values;

/// The MTUs that a veth pair can have.
const MTU_BYTES: std::ops::RangeInclusive<u32> = 68..=65_535;
/// The least MTU with which the kernel does IPv6 (RFC 8200, 5).
const MIN_IPV6_MTU_BYTES: u32 = 1280;

/// A namespace to be connected, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) namespace: NamespaceName,
    /// The end inside the namespace.
    pub(super) inside: InterfaceName,
    /// The end at the switch, which is the port's name.
    pub(super) outside: InterfaceName,
    /// Whether the port was given a name of its own.
    pub(super) is_named: bool,
    /// Whether to create the namespace if there is none.
    pub(super) create: bool,
    /// How the namespace was found whose descriptor came along; none if it is found by its name.
    pub(super) source: Option<NamespaceSource>,
    /// Addresses of the inside end; empty if the subnet's next is to be taken.
    pub(super) addresses: Vec<IpNet>,
    pub(super) mac: Option<MacBytes>,
    pub(super) mtu_bytes: Option<u32>,
}

impl Plan {
    /// Checks all that can be checked by itself. `subnet` is where an address will come from if
    /// none is given.
    pub(super) fn new(params: &AttachParams, subnet: Option<IpNet>) -> Result<Self, LabError> {
        let namespace: NamespaceName = params.namespace.parse()?;
        let source = source(params)?;
        let addresses = addresses(&params.addresses)?;
        let mac = params.mac.as_deref().map(values::station).transpose();
        if let Some(mtu) = params.mtu.filter(|mtu| !MTU_BYTES.contains(mtu)) {
            return Err(LabError::Value(format!(
                "{mtu} bytes cannot be an MTU: choose one from {} to {}",
                MTU_BYTES.start(),
                MTU_BYTES.end()
            )));
        }
        let from_subnet = addresses.is_empty() && params.give_address;
        let all = || {
            addresses
                .iter()
                .chain(subnet.iter().filter(|_| from_subnet))
        };
        if let Some(mtu) = params.mtu.filter(|mtu| *mtu < MIN_IPV6_MTU_BYTES)
            && let Some(v6) = all().find(|net| net.addr().is_ipv6())
        {
            return Err(LabError::Value(format!(
                "an MTU of {mtu} bytes is too small for the IPv6 address {v6}: choose \
                 {MIN_IPV6_MTU_BYTES} or more"
            )));
        }
        let given = |name: &Option<String>| name.as_deref().map(InterfaceName::new).transpose();
        let (inside, outside) = (given(&params.interface)?, given(&params.port)?);
        Ok(Self {
            is_named: outside.is_some(),
            create: params.create,
            source,
            inside: inside.unwrap_or_else(|| InterfaceName::inside(&namespace)),
            outside: outside.unwrap_or_else(|| InterfaceName::switch_side(&namespace)),
            namespace,
            addresses,
            mac: mac.map_err(LabError::Value)?.map(|mac| mac.0),
            mtu_bytes: params.mtu,
        })
    }
}

/// How a namespace was found, as the client says.
fn source(params: &AttachParams) -> Result<Option<NamespaceSource>, LabError> {
    let source = params.source();
    if params.descriptor {
        if let Some(container) = &source.container {
            // Told in sentences and kept on disk.
            NamespaceName::new(container)?;
        }
        return Ok(Some(source));
    }
    if source == NamespaceSource::default() {
        return Ok(None);
    }
    Err(LabError::Value(
        "a switch opens no namespace of a process, a container or a path for its clients, only \
         those under /run/netns: open it, pass its descriptor along with the request, and add \
         \"descriptor\": true"
            .to_owned(),
    ))
}

pub(super) fn addresses(texts: &[String]) -> Result<Vec<IpNet>, LabError> {
    let mut seen: Vec<IpAddr> = Vec::new();
    let mut addresses = Vec::new();
    for text in texts {
        let net = values::host_address(text).map_err(LabError::Value)?;
        if seen.contains(&net.addr()) {
            let twice = format!("the address {} is given twice: give it once", net.addr());
            return Err(LabError::Value(twice));
        }
        seen.push(net.addr());
        addresses.push(net);
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(change: impl FnOnce(&mut AttachParams)) -> Result<Plan, LabError> {
        let mut params = AttachParams {
            namespace: "mario".to_owned(),
            ..AttachParams::default()
        };
        change(&mut params);
        Plan::new(&params, None)
    }

    #[test]
    fn interfaces_are_named_after_the_namespace() {
        let plan = plan(|_| ()).unwrap();
        assert_eq!(plan.inside.as_str(), "mario-netns");
        assert_eq!(plan.outside.as_str(), "mario-vsw");
    }

    #[test]
    fn what_is_not_passed_is_not_opened() {
        let error = plan(|p| p.pid = Some(1)).unwrap_err().to_string();
        assert!(error.contains("\"descriptor\": true"), "{error}");
        assert!(plan(|p| p.path = Some("/proc/1/ns/net".into())).is_err());
        assert!(plan(|p| p.container = Some("web".into())).is_err());
        let passed = plan(|p| (p.pid, p.descriptor) = (Some(1), true)).unwrap();
        assert_eq!(passed.source.unwrap().pid, Some(1));
        assert_eq!(plan(|_| ()).unwrap().source, None);
        let hostile = |p: &mut AttachParams| {
            p.descriptor = true;
            p.container = Some("a\u{1b}[2J".into());
        };
        assert!(plan(hostile).is_err());
    }

    #[test]
    fn whatever_cannot_work_is_refused() {
        assert!(plan(|p| p.namespace = "../x".into()).is_err());
        assert!(plan(|p| p.addresses = vec!["10.0.0.0/24".into()]).is_err());
        assert!(plan(|p| p.addresses = vec!["10.0.0.1/24".into(), "10.0.0.1/8".into()]).is_err());
        assert!(plan(|p| p.mac = Some("01:00:00:00:00:01".into())).is_err());
        for mtu in [0, 67, 65_536] {
            assert!(plan(|p| p.mtu = Some(mtu)).is_err(), "{mtu}");
        }
        assert!(plan(|p| p.mtu = Some(68)).is_ok());
        let small = |p: &mut AttachParams| {
            p.mtu = Some(1279);
            p.addresses = vec!["fd00::1/64".into()];
        };
        assert!(plan(small).is_err());
        let params = AttachParams {
            namespace: "mario".to_owned(),
            mtu: Some(1000),
            ..AttachParams::default()
        };
        let subnet = |text: &str| Some(text.parse().unwrap());
        assert!(Plan::new(&params, subnet("fd00::/64")).is_err());
        assert!(Plan::new(&params, subnet("10.0.0.0/24")).is_ok());
    }
}
