//! The methods, their parameters and their results. Field names are stable.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::protection::{BlockedView, LimitsView};
use crate::settings::{Change, PortSettings, SwitchSettings, View};

/// The names of the methods.
pub(crate) mod method {
    /// Which program answers: [`super::NoParams`] to [`super::VersionView`].
    pub(crate) const VERSION: &str = "version";
    /// The switch: [`super::NoParams`] to [`super::SwitchView`].
    pub(crate) const SHOW: &str = "show";
    /// End the daemon: [`super::NoParams`] to [`super::Removed`], before it has ended.
    pub(crate) const STOP: &str = "stop";
    /// Let a new process go on: [`super::NoParams`] to [`super::RestartView`], once it does.
    pub(crate) const RESTART: &str = "restart";
    /// Connect a namespace: [`super::AttachParams`] to [`super::Attached`].
    pub(crate) const ATTACH: &str = "attach";
    /// Disconnect a namespace: [`super::DetachParams`] to [`super::Removed`].
    pub(crate) const DETACH: &str = "detach";
    /// Change settings of the running switch: [`super::Change`] to [`super::SwitchView`].
    pub(crate) const SET: &str = "set";
    /// Change the addresses behind a port: [`super::ReaddressParams`] to [`super::PortView`].
    pub(crate) const READDRESS: &str = "readdress";
    /// Plug in an interface: [`super::PortAddParams`] to [`super::PortView`].
    pub(crate) const PORT_ADD: &str = "port.add";
    /// Unplug an interface: [`super::PortDelParams`] to [`super::Removed`].
    pub(crate) const PORT_DEL: &str = "port.del";
    /// Change settings of a port: [`super::super::PortSetParams`] to [`super::PortView`].
    pub(crate) const PORT_SET: &str = "port.set";
    /// All ports: [`super::NoParams`] to an array of [`super::PortView`].
    pub(crate) const PORT_LIST: &str = "port.list";
    /// Hear what happens from now on: [`super::NoParams`] to [`super::super::Listening`].
    pub(crate) const EVENTS_SUBSCRIBE: &str = "events.subscribe";
    /// Hear no more: [`super::NoParams`] to [`super::super::Listening`].
    pub(crate) const EVENTS_UNSUBSCRIBE: &str = "events.unsubscribe";
    /// A page of the MAC table: [`super::FdbShowParams`] to [`super::FdbPage`].
    pub(crate) const FDB_SHOW: &str = "fdb.show";
    /// A static entry: [`super::FdbAddParams`] to [`super::FdbEntry`].
    pub(crate) const FDB_ADD: &str = "fdb.add";
    /// Remove entries: [`super::FdbDelParams`] to [`super::Removed`].
    pub(crate) const FDB_DEL: &str = "fdb.del";
    /// Forget learnt entries: [`super::FdbFlushParams`] to [`super::Removed`].
    pub(crate) const FDB_FLUSH: &str = "fdb.flush";
    /// Capture frames: [`super::super::CaptureParams`] to [`super::super::CaptureStarted`], and
    /// then pcapng on the same connection.
    pub(crate) const CAPTURE_START: &str = "capture.start";
    /// What the switch would do: [`super::super::ExplainParams`] to [`super::super::ExplainView`].
    pub(crate) const EXPLAIN: &str = "explain";
}

/// No parameters.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

/// Which program answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VersionView {
    /// `vswitch`.
    pub(crate) program: String,
    /// Its version.
    pub(crate) version: String,
}

/// A running switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SwitchView {
    /// Its name.
    pub(crate) name: String,
    /// Its process.
    pub(crate) pid: u32,
    /// Seconds since it was ready.
    pub(crate) uptime_s: u64,
    /// How it forwards.
    pub(crate) datapath: String,
    /// Its settings, defaults included.
    #[serde(flatten)]
    pub(crate) settings: View<SwitchSettings>,
    /// The stations that are remembered now.
    pub(crate) macs: u64,
    /// The lab of `vswitch up` that it belongs to.
    #[serde(default)]
    pub(crate) lab: Option<String>,
    /// Where a switch in the background logs.
    pub(crate) log: Option<PathBuf>,
    /// Where metrics are served: a URL, or `unix:` and the path of a socket.
    #[serde(default)]
    pub(crate) metrics: Option<String>,
    /// What its process has given up; none before 0.2.
    #[serde(default)]
    pub(crate) guard: Option<GuardView>,
    /// What is wrong with the switch as a whole, a sentence each, with the remedy.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    /// The program's version.
    pub(crate) version: String,
    /// Its ports, by their numbers.
    pub(crate) ports: Vec<PortView>,
}

/// What the process of a switch has given up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GuardView {
    /// Whether it was to give up anything.
    pub(crate) on: bool,
    /// How much it insists on that: `auto`, `required` or `off`.
    #[serde(default)]
    pub(crate) mode: String,
    /// The capabilities that it has.
    pub(crate) capabilities: Vec<String>,
    /// Why it has more than it needs.
    pub(crate) capabilities_reason: Option<String>,
    /// Whether programs that it starts could have more rights than it.
    pub(crate) no_new_privs: bool,
    /// The list of system calls.
    pub(crate) seccomp: LayerView,
    /// The list of paths.
    pub(crate) landlock: LayerView,
    /// What beyond paths that keeps from it: `tcp`, `abstract_sockets` and `unix_sockets` of others,
    /// `udp`.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// No memory that becomes executable, by the kernel's own switch; the list of system calls
    /// refuses it too.
    #[serde(default)]
    pub(crate) memory: LayerView,
    /// The process that has the rights to enter namespaces, and is asked next.
    pub(crate) broker: Option<i32>,
    /// All that live of these processes.
    #[serde(default)]
    pub(crate) brokers: Vec<i32>,
}

/// A part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerView {
    /// Whether it holds.
    pub(crate) on: bool,
    /// Which version of the kernel's interface, where it has several.
    pub(crate) abi: Option<u32>,
    /// Why it does not hold.
    pub(crate) reason: Option<String>,
}

/// Whether frames pass a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PortState {
    /// They do.
    Up,
    /// Its link is down.
    Down,
    /// Its interface is gone.
    Absent,
}

/// Frames and bytes in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TrafficView {
    /// Number of frames; a super-frame is one.
    pub(crate) frames: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

/// One port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PortView {
    /// Its number.
    pub(crate) id: u16,
    /// Its name: that of its interface when it was plugged in.
    pub(crate) name: String,
    /// The namespace behind it, where the switch attached it.
    pub(crate) namespace: Option<String>,
    /// The interface inside that namespace.
    pub(crate) peer: Option<String>,
    /// Whether frames pass.
    pub(crate) state: PortState,
    /// The largest payload in bytes.
    pub(crate) mtu: u64,
    /// That of the interface at the other end of its cable, where it is known.
    #[serde(default)]
    pub(crate) peer_mtu: Option<u64>,
    /// How it moves frames.
    pub(crate) driver: String,
    /// What came in.
    pub(crate) rx: TrafficView,
    /// What went out.
    pub(crate) tx: TrafficView,
    /// What was lost, by reason; only reasons that occurred.
    pub(crate) drops: BTreeMap<String, u64>,
    /// The addresses that were given to the inside end.
    pub(crate) addresses: Vec<Address>,
    /// What is set for it alone.
    #[serde(default)]
    pub(crate) settings: View<PortSettings>,
    /// The limits that hold for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<LimitsView>,
    /// Why it is blocked; none if it is not.
    #[serde(default)]
    pub(crate) blocked: Option<BlockedView>,
    /// What is wrong with it, a sentence each, with the remedy.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
}

/// An address with its prefix length, as text.
pub(crate) type Address = IpNet;

/// Which namespace to disconnect.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetachParams {
    /// Its name.
    pub(crate) namespace: String,
    /// Only this port of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<String>,
}

/// The addresses that the end inside is to have from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReaddressParams {
    /// The port's name.
    pub(crate) port: String,
    /// All of them.
    pub(crate) addresses: Vec<String>,
}

/// Which interface to plug in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortAddParams {
    /// Its name.
    pub(crate) interface: String,
    /// Also where the machine's default route leads through it.
    #[serde(default)]
    pub(crate) force: bool,
    /// What is set for the port from the start.
    #[serde(default, skip_serializing_if = "Change::is_empty")]
    pub(crate) settings: Change<PortSettings>,
}

/// Which interface to unplug.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortDelParams {
    /// The port's name.
    pub(crate) name: String,
}

/// A switch with which a new process goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestartView {
    /// The switch's name.
    pub(crate) name: String,
    /// The process that it was.
    pub(crate) pid_before: u32,
    /// The process that it is.
    pub(crate) pid: u32,
    /// How long frames waited, in microseconds.
    pub(crate) pause_us: u64,
}

/// How many were removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Removed {
    /// Ports or stations.
    pub(crate) removed: u64,
}

/// Where to go on in the MAC table.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FdbShowParams {
    /// `next` of the page before, on the same connection; none for a new look at the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<u64>,
}

/// A part of the MAC table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FdbPage {
    /// Entries, by VLAN and address.
    pub(crate) entries: Vec<FdbEntry>,
    /// The cursor of the next page; none at the end.
    pub(crate) next: Option<u64>,
}

/// One station.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FdbEntry {
    /// Its address.
    pub(crate) mac: String,
    /// Its VLAN; 0 for untagged frames, and for all where learning is shared.
    pub(crate) vlan: u16,
    /// The name of the port behind which it is.
    pub(crate) port: String,
    /// Seconds since it was last heard; none for a static entry.
    pub(crate) age_s: Option<u64>,
    /// Whether it was set by hand.
    #[serde(rename = "static")]
    pub(crate) is_static: bool,
}

/// A static entry to set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FdbAddParams {
    /// The station.
    pub(crate) mac: String,
    /// The name of its port.
    pub(crate) port: String,
    /// Its VLAN; 0, which is the default, for untagged frames.
    #[serde(default)]
    pub(crate) vlan: u16,
}

/// Entries to remove.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FdbDelParams {
    /// The station.
    pub(crate) mac: String,
    /// Its VLAN; all if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vlan: Option<u16>,
}

/// Learnt entries to forget.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FdbFlushParams {
    /// Only those behind the port of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<String>,
}

#[cfg(test)]
impl SwitchView {
    /// A switch with these ports, for tests.
    pub(crate) fn sample(ports: Vec<PortView>) -> Self {
        Self {
            name: "my_switch".to_owned(),
            pid: 42,
            uptime_s: 200,
            datapath: "user space".to_owned(),
            settings: View(crate::settings::Schema::or_default(
                SwitchSettings::default(),
            )),
            macs: 2,
            lab: None,
            log: None,
            metrics: None,
            guard: None,
            warnings: Vec::new(),
            version: "0.1.0".to_owned(),
            ports,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_port_has_the_fields_of_the_contract() {
        let port = PortView {
            id: 1,
            name: "mario-vsw".into(),
            namespace: Some("mario".into()),
            peer: None,
            state: PortState::Absent,
            mtu: 1500,
            peer_mtu: None,
            driver: "packet".into(),
            rx: TrafficView::default(),
            tx: TrafficView::default(),
            drops: [("egress_full".to_owned(), 3)].into(),
            addresses: vec!["10.0.0.1/24".parse().unwrap()],
            settings: View::default(),
            limits: None,
            blocked: None,
            warnings: Vec::new(),
        };
        assert_eq!(
            serde_json::to_value(&port).unwrap(),
            json!({
                "id": 1, "name": "mario-vsw", "namespace": "mario", "peer": null,
                "peer_mtu": null,
                "state": "absent", "mtu": 1500, "driver": "packet",
                "rx": {"frames": 0, "bytes": 0}, "tx": {"frames": 0, "bytes": 0},
                "drops": {"egress_full": 3}, "addresses": ["10.0.0.1/24"],
                "blocked": null, "warnings": [],
                "settings": View::<PortSettings>::default(),
            })
        );
    }
}
