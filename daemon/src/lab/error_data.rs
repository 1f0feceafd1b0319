//! What an error of the lab is, for programs: a word, and the names and addresses that it is about. Words
//! and fields stay; `docs/control-protocol.md` lists them.

use serde_json::{Map, Value, json};
use vswitch_netns::{LinkError, NamespaceError};
use vswitch_switch::control::ControlError;
use vswitch_switch::port::PacketError;

use super::error::LabError;

/// The word for an error, where it has a closer one than its code; and what it is about.
pub(super) fn data_of(error: &LabError) -> (Option<&'static str>, Map<String, Value>) {
    let (kind, about) = of_ports(error).or_else(|| of_namespaces(error)).unzip();
    let about = match about {
        Some(Value::Object(about)) => about,
        _ => Map::new(),
    };
    (kind, about)
}

fn of_ports(error: &LabError) -> Option<(&'static str, Value)> {
    Some(match error {
        LabError::PortHere(interface) => ("port_exists", json!({"interface": interface})),
        LabError::NoPort { switch, port } => {
            ("no_such_port", json!({"switch": switch, "port": port}))
        }
        LabError::IsCable { port, namespace } => (
            "port_of_namespace",
            json!({"port": port, "namespace": namespace}),
        ),
        LabError::CableEnd { interface, switch } => (
            "port_of_switch",
            json!({"interface": interface, "switch": switch}),
        ),
        LabError::BeingMade(interface) => ("being_made", json!({"interface": interface})),
        LabError::Enslaved(interface) => ("enslaved", json!({"interface": interface})),
        LabError::NotEthernet(interface) => ("not_ethernet", json!({"interface": interface})),
        LabError::Uplink { interface, through } => (
            "default_route",
            json!({"interface": interface, "through": through}),
        ),
        LabError::MacTaken { mac, port, .. } => {
            ("mac_taken", json!({"mac": mac.to_string(), "port": port}))
        }
        LabError::Link(LinkError::NotFound { name }) => {
            ("no_such_interface", json!({"interface": name}))
        }
        LabError::Link(LinkError::Exists { name, .. }) => {
            ("interface_exists", json!({"interface": name}))
        }
        LabError::Packet(PacketError::NoSuchInterface { .. }) => ("no_such_interface", json!({})),
        LabError::Packet(PacketError::InUse { .. }) => ("interface_in_use", json!({})),
        LabError::Control(ControlError::NoSuchPort(_)) => ("no_such_port", json!({})),
        LabError::Control(ControlError::Static(_)) => ("static_entry", json!({})),
        _ => return None,
    })
}

fn of_namespaces(error: &LabError) -> Option<(&'static str, Value)> {
    Some(match error {
        LabError::Name(_) => ("invalid_name", json!({})),
        LabError::AttachedHere { namespace, port } => (
            "already_attached",
            json!({"namespace": namespace, "port": port}),
        ),
        LabError::Number(name) | LabError::Namespace(NamespaceError::NotFound { name }) => {
            ("no_such_namespace", json!({"namespace": name}))
        }
        LabError::NameOfAnother(name) | LabError::Namespace(NamespaceError::Exists { name }) => {
            ("namespace_exists", json!({"namespace": name}))
        }
        LabError::Namespace(NamespaceError::Stale { name, .. }) => {
            ("stale_namespace", json!({"namespace": name}))
        }
        LabError::Foreign(namespace) => ("foreign_namespace", json!({"namespace": namespace})),
        LabError::AddressTaken { address, namespace } => (
            "address_taken",
            json!({"address": address, "namespace": namespace}),
        ),
        LabError::Ipv6Off {
            address,
            namespace,
            setting,
        } => (
            "ipv6_off",
            json!({"address": address, "namespace": namespace, "setting": setting}),
        ),
        LabError::AttachedElsewhere {
            namespace,
            switch,
            interface,
        } => (
            "attached_elsewhere",
            json!({"namespace": namespace, "switch": switch, "interface": interface}),
        ),
        LabError::LeadsElsewhere { namespace, port } => (
            "namespace_replaced",
            json!({"namespace": namespace, "port": port}),
        ),
        LabError::NotAttached { namespace, switch } => (
            "not_attached",
            json!({"namespace": namespace, "switch": switch}),
        ),
        LabError::SubnetFull { subnet } => ("subnet_full", json!({"subnet": subnet})),
        LabError::Symlink { name, target } => (
            "symbolic_link",
            json!({"namespace": name, "target": target}),
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswitch_control::protocol::ErrorObject;

    #[test]
    fn an_error_says_what_it_is_about() {
        let error = LabError::NotAttached {
            namespace: "bowser".to_owned(),
            switch: "my_switch".to_owned(),
        };
        let told = serde_json::to_value(ErrorObject::from(error)).unwrap();
        let data = json!({"kind": "not_attached", "namespace": "bowser", "switch": "my_switch"});
        assert_eq!(told["data"], data);
        assert_eq!(told["code"], 1);
        let error = LabError::Value("it is wrong".to_owned());
        assert_eq!(ErrorObject::from(error).kind(), Some("invalid_params"));
    }
}
