//! The methods, their parameters and their results. Field names are stable.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::protection::{BlockedView, LimitsView};
use crate::settings::{Change, PortSettings, SwitchSettings, View};

/// The names of the methods.
pub mod method {
    /// Which program answers: [`super::NoParams`] to [`super::VersionView`].
    pub const VERSION: &str = "version";
    /// The switch: [`super::NoParams`] to [`super::SwitchView`].
    pub const SHOW: &str = "show";
    /// End the daemon: [`super::NoParams`] to [`super::Removed`], before it has ended.
    pub const STOP: &str = "stop";
    /// Let a new process go on: [`super::NoParams`] to [`super::RestartView`], once it does.
    pub const RESTART: &str = "restart";
    /// Connect a namespace: [`crate::protocol::AttachParams`] to [`crate::protocol::Attached`].
    pub const ATTACH: &str = "attach";
    /// Disconnect a namespace: [`super::DetachParams`] to [`super::Removed`].
    pub const DETACH: &str = "detach";
    /// Change settings of the running switch: [`super::Change`] to [`super::SwitchView`].
    pub const SET: &str = "set";
    /// Change the addresses behind a port: [`super::ReaddressParams`] to [`super::PortView`].
    pub const READDRESS: &str = "readdress";
    /// Plug in an interface: [`super::PortAddParams`] to [`super::PortView`].
    pub const PORT_ADD: &str = "port.add";
    /// Unplug an interface: [`super::PortDelParams`] to [`super::Removed`].
    pub const PORT_DEL: &str = "port.del";
    /// Change settings of a port: [`super::super::PortSetParams`] to [`super::PortView`].
    pub const PORT_SET: &str = "port.set";
    /// All ports: [`super::NoParams`] to an array of [`super::PortView`].
    pub const PORT_LIST: &str = "port.list";
    /// Hear what happens from now on: [`super::NoParams`] to [`super::super::Listening`].
    pub const EVENTS_SUBSCRIBE: &str = "events.subscribe";
    /// Hear no more: [`super::NoParams`] to [`super::super::Listening`].
    pub const EVENTS_UNSUBSCRIBE: &str = "events.unsubscribe";
    /// A page of the MAC table: [`super::FdbShowParams`] to [`super::FdbPage`].
    pub const FDB_SHOW: &str = "fdb.show";
    /// A static entry: [`super::FdbAddParams`] to [`super::FdbEntry`].
    pub const FDB_ADD: &str = "fdb.add";
    /// Remove entries: [`super::FdbDelParams`] to [`super::Removed`].
    pub const FDB_DEL: &str = "fdb.del";
    /// Forget learnt entries: [`super::FdbFlushParams`] to [`super::Removed`].
    pub const FDB_FLUSH: &str = "fdb.flush";
    /// Capture frames: [`super::super::CaptureParams`] to [`super::super::CaptureStarted`], and
    /// then pcapng on the same connection.
    pub const CAPTURE_START: &str = "capture.start";
    /// What the switch would do: [`super::super::ExplainParams`] to [`super::super::ExplainView`].
    pub const EXPLAIN: &str = "explain";
}

/// No parameters.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// Which program answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionView {
    /// `vswitch`.
    pub program: String,
    /// Its version.
    pub version: String,
}

/// A running switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchView {
    /// Its name.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// Seconds since it was ready.
    pub uptime_s: u64,
    /// How it forwards.
    pub datapath: String,
    /// Its settings, defaults included.
    #[serde(flatten)]
    pub settings: View<SwitchSettings>,
    /// The stations that are remembered now.
    pub macs: u64,
    /// The lab of `vswitch up` that it belongs to.
    #[serde(default)]
    pub lab: Option<String>,
    /// Where a switch in the background logs.
    pub log: Option<PathBuf>,
    /// Where metrics are served: a URL, or `unix:` and the path of a socket.
    #[serde(default)]
    pub metrics: Option<String>,
    /// What its process has given up; none before 0.2.
    #[serde(default)]
    pub guard: Option<GuardView>,
    /// What is wrong with the switch as a whole, a sentence each, with the remedy.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The program's version.
    pub version: String,
    /// Its ports, by their numbers.
    pub ports: Vec<PortView>,
}

/// What the process of a switch has given up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardView {
    /// Whether it was to give up anything.
    pub on: bool,
    /// How much it insists on that: `auto`, `required` or `off`.
    #[serde(default)]
    pub mode: String,
    /// The capabilities that it has.
    pub capabilities: Vec<String>,
    /// Why it has more than it needs.
    pub capabilities_reason: Option<String>,
    /// Whether programs that it starts could have more rights than it.
    pub no_new_privs: bool,
    /// The list of system calls.
    pub seccomp: LayerView,
    /// The list of paths.
    pub landlock: LayerView,
    /// What beyond paths that keeps from it: `tcp`, `abstract_sockets` and `unix_sockets` of others,
    /// `udp`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// No memory that becomes executable, by the kernel's own switch; the list of system calls
    /// refuses it too.
    #[serde(default)]
    pub memory: LayerView,
    /// The process that has the rights to enter namespaces, and is asked next.
    pub broker: Option<i32>,
    /// All that live of these processes.
    #[serde(default)]
    pub brokers: Vec<i32>,
}

/// A part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerView {
    /// Whether it holds.
    pub on: bool,
    /// Which version of the kernel's interface, where it has several.
    pub abi: Option<u32>,
    /// Why it does not hold.
    pub reason: Option<String>,
}

/// Whether frames pass a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortState {
    /// They do.
    Up,
    /// Its link is down.
    Down,
    /// Its interface is gone.
    Absent,
}

/// Frames and bytes in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficView {
    /// Number of frames; a super-frame is one.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// One port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortView {
    /// Its number.
    pub id: u16,
    /// Its name: that of its interface when it was plugged in.
    pub name: String,
    /// The namespace behind it, where the switch attached it.
    pub namespace: Option<String>,
    /// The interface inside that namespace.
    pub peer: Option<String>,
    /// Whether frames pass.
    pub state: PortState,
    /// The largest payload in bytes.
    pub mtu: u64,
    /// That of the interface at the other end of its cable, where it is known.
    #[serde(default)]
    pub peer_mtu: Option<u64>,
    /// How it moves frames.
    pub driver: String,
    /// What came in.
    pub rx: TrafficView,
    /// What went out.
    pub tx: TrafficView,
    /// What was lost, by reason; only reasons that occurred.
    pub drops: BTreeMap<String, u64>,
    /// The addresses that were given to the inside end.
    pub addresses: Vec<Address>,
    /// What is set for it alone.
    #[serde(default)]
    pub settings: View<PortSettings>,
    /// The limits that hold for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsView>,
    /// Why it is blocked; none if it is not.
    #[serde(default)]
    pub blocked: Option<BlockedView>,
    /// What is wrong with it, a sentence each, with the remedy.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// An address with its prefix length, as text.
pub(super) type Address = IpNet;

/// Which namespace to disconnect.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetachParams {
    /// Its name.
    pub namespace: String,
    /// Only this port of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
}

/// The addresses that the end inside is to have from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaddressParams {
    /// The port's name.
    pub port: String,
    /// All of them.
    pub addresses: Vec<String>,
}

/// Which interface to plug in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortAddParams {
    /// Its name.
    pub interface: String,
    /// The kind of port to make of it; without one, the interface is there and is plugged in as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Also where the machine's default route leads through it.
    #[serde(default)]
    pub force: bool,
    /// What is set for the port from the start.
    #[serde(default, skip_serializing_if = "Change::is_empty")]
    pub settings: Change<PortSettings>,
}

/// Which interface to unplug.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortDelParams {
    /// The port's name.
    pub name: String,
}

/// A switch with which a new process goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartView {
    /// The switch's name.
    pub name: String,
    /// The process that it was.
    pub pid_before: u32,
    /// The process that it is.
    pub pid: u32,
    /// How long frames waited, in microseconds.
    pub pause_us: u64,
}

/// How many were removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Ports or stations.
    pub removed: u64,
}

/// Where to go on in the MAC table.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FdbShowParams {
    /// `next` of the page before, on the same connection; none for a new look at the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<u64>,
}

/// A part of the MAC table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FdbPage {
    /// Entries, by VLAN and address.
    pub entries: Vec<FdbEntry>,
    /// The cursor of the next page; none at the end.
    pub next: Option<u64>,
}

/// One station.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FdbEntry {
    /// Its address.
    pub mac: String,
    /// Its VLAN; 0 for untagged frames, and for all where learning is shared.
    pub vlan: u16,
    /// The name of the port behind which it is.
    pub port: String,
    /// Seconds since it was last heard; none for a static entry.
    pub age_s: Option<u64>,
    /// Whether it was set by hand.
    #[serde(rename = "static")]
    pub is_static: bool,
}

/// A static entry to set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FdbAddParams {
    /// The station.
    pub mac: String,
    /// The name of its port.
    pub port: String,
    /// Its VLAN; 0, which is the default, for untagged frames.
    #[serde(default)]
    pub vlan: u16,
}

/// Entries to remove.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FdbDelParams {
    /// The station.
    pub mac: String,
    /// Its VLAN; all if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
}

/// Learnt entries to forget.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FdbFlushParams {
    /// Only those behind the port of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
}

impl SwitchView {
    /// Makes a switch with these ports, for tests.
    #[doc(hidden)]
    pub fn sample(ports: Vec<PortView>) -> Self {
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
