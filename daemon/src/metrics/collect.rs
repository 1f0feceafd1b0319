//! A switch, as metrics.

use std::collections::BTreeSet;

use vswitch_switch::bridge::DropReason;

use super::exposition::{Exposition, Kind};
use super::process;
use vswitch_control::protocol::{PortState, PortView, SwitchView};
use vswitch_control::settings::{PortSettings, Schema};

/// How a number is read off a port.
type Read = fn(&PortView) -> u64;

/// What is told of each port.
const OF_PORTS: [(&str, Kind, &str, Read); 6] = [
    (
        "vswitch_port_up",
        Kind::Gauge,
        "Whether the port's link is up (1), or down or gone (0).",
        |port| u64::from(port.state == PortState::Up),
    ),
    (
        "vswitch_port_mtu_bytes",
        Kind::Gauge,
        "The largest payload behind the Ethernet header.",
        |port| port.mtu,
    ),
    (
        "vswitch_port_receive_frames_total",
        Kind::Counter,
        "Frames that came into the switch by the port; a super-frame is one.",
        |port| port.rx.frames,
    ),
    (
        "vswitch_port_receive_bytes_total",
        Kind::Counter,
        "Bytes that came into the switch by the port, Ethernet headers included.",
        |port| port.rx.bytes,
    ),
    (
        "vswitch_port_transmit_frames_total",
        Kind::Counter,
        "Frames that left the switch by the port; a super-frame is one.",
        |port| port.tx.frames,
    ),
    (
        "vswitch_port_transmit_bytes_total",
        Kind::Counter,
        "Bytes that left the switch by the port, Ethernet headers included.",
        |port| port.tx.bytes,
    ),
];

/// The whole text; `started` is when the process started, in seconds since 1970.
pub(super) fn collect(view: &SwitchView, started: f64) -> String {
    let mut text = Exposition::default();
    text.family("vswitch_build_info", Kind::Gauge, "Which program runs.")
        .sample(&[("version", &view.version)], 1);
    of_switch(&mut text, view);
    of_ports(&mut text, view);
    process::write(&mut text, started);
    text.into_text()
}

fn of_switch(text: &mut Exposition, view: &SwitchView) {
    let labels = [("switch", view.name.as_str())];
    let mut gauge = |name: &str, help: &str, value: u64| {
        text.family(name, Kind::Gauge, help).sample(&labels, value);
    };
    gauge(
        "vswitch_uptime_seconds",
        "How long the switch has run.",
        view.uptime_s,
    );
    gauge(
        "vswitch_stations",
        "Stations in the MAC table, static ones included.",
        view.macs,
    );
    gauge(
        "vswitch_stations_limit",
        "The most stations that are remembered.",
        view.settings.table_len(),
    );
    gauge(
        "vswitch_ageing_seconds",
        "After how long a silent station is forgotten.",
        view.settings.ageing_s(),
    );
    let mut family = text.family(
        "vswitch_ports",
        Kind::Gauge,
        "Ports, by the state of their links.",
    );
    for (state, name) in [
        (PortState::Up, "up"),
        (PortState::Down, "down"),
        (PortState::Absent, "absent"),
    ] {
        let ports = view.ports.iter().filter(|port| port.state == state);
        family.sample(&[labels[0], ("state", name)], ports.count());
    }
}

fn of_ports(text: &mut Exposition, view: &SwitchView) {
    let mut family = text.family(
        "vswitch_port_info",
        Kind::Gauge,
        "What is behind a port, and how it moves frames.",
    );
    for port in &view.ports {
        let [switch, name, namespace] = labels(view, port);
        let peer = ("peer", port.peer.as_deref().unwrap_or_default());
        let driver = ("driver", port.driver.as_str());
        let set = PortSettings::ALL.iter().filter(|setting| setting.label);
        let set = set.map(|setting| (setting.name, port.settings.text(setting)));
        let set: Vec<_> = set
            .map(|(name, text)| (name, text.unwrap_or_default()))
            .collect();
        let set = set.iter().map(|(name, text)| (*name, text.as_str()));
        let labels = [switch, name, namespace, peer, driver]
            .into_iter()
            .chain(set);
        family.sample(&labels.collect::<Vec<_>>(), 1);
    }
    for (name, kind, help, read) in OF_PORTS {
        let mut family = text.family(name, kind, help);
        for port in &view.ports {
            family.sample(&labels(view, port), read(port));
        }
    }
    let mut family = text.family(
        "vswitch_port_drops_total",
        Kind::Counter,
        "Frames that the port has lost, in either direction, by reason.",
    );
    for port in &view.ports {
        // All reasons, those too that have not occurred: the rate of what appears with its first
        // loss would not show that loss.
        let mut reasons: BTreeSet<&str> = DropReason::ALL.iter().map(|r| r.as_str()).collect();
        reasons.extend(port.drops.keys().map(String::as_str));
        for reason in reasons {
            let [switch, name, namespace] = labels(view, port);
            let frames = port.drops.get(reason).copied().unwrap_or(0);
            family.sample(&[switch, name, namespace, ("reason", reason)], frames);
        }
    }
}

/// What tells a port from the others; the namespace is empty where none is known.
fn labels<'a>(view: &'a SwitchView, port: &'a PortView) -> [(&'static str, &'a str); 3] {
    [
        ("switch", &view.name),
        ("port", &port.name),
        ("namespace", port.namespace.as_deref().unwrap_or_default()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswitch_control::protocol::TrafficView;
    use vswitch_control::settings::View;

    fn view() -> SwitchView {
        let port = PortView {
            id: 1,
            name: "mario-vsw".into(),
            namespace: Some("mario".into()),
            peer: Some("mario-netns".into()),
            state: PortState::Up,
            mtu: 1500,
            peer_mtu: None,
            driver: "packet".into(),
            rx: TrafficView {
                frames: 7,
                bytes: 700,
            },
            tx: TrafficView::default(),
            drops: [("egress_full".to_owned(), 3), ("rx_backlog".to_owned(), 4)].into(),
            addresses: Vec::new(),
            settings: View::default(),
            limits: None,
            blocked: None,
            warnings: Vec::new(),
        };
        SwitchView {
            name: "s".into(),
            uptime_s: 20,
            warnings: Vec::new(),
            version: "9.9.9".into(),
            ..SwitchView::sample(vec![port])
        }
    }

    #[test]
    fn the_names_are_those_of_the_field() {
        let text = collect(&view(), 1.0);
        let of = "switch=\"s\",port=\"mario-vsw\",namespace=\"mario\"";
        for line in [
            "vswitch_build_info{version=\"9.9.9\"} 1".to_owned(),
            "vswitch_stations{switch=\"s\"} 2".to_owned(),
            "vswitch_ports{switch=\"s\",state=\"up\"} 1".to_owned(),
            "vswitch_ports{switch=\"s\",state=\"down\"} 0".to_owned(),
            format!("vswitch_port_info{{{of},peer=\"mario-netns\",driver=\"packet\"}} 1"),
            format!("vswitch_port_up{{{of}}} 1"),
            format!("vswitch_port_receive_bytes_total{{{of}}} 700"),
            format!("vswitch_port_transmit_frames_total{{{of}}} 0"),
            format!("vswitch_port_drops_total{{{of},reason=\"egress_full\"}} 3"),
            format!("vswitch_port_drops_total{{{of},reason=\"rx_backlog\"}} 4"),
            format!("vswitch_port_drops_total{{{of},reason=\"runt\"}} 0"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn every_metric_is_explained_once_and_counters_end_as_such() {
        let text = collect(&view(), 1.0);
        let mut known = BTreeSet::new();
        for line in text.lines() {
            let words: Vec<_> = line.split(' ').collect();
            if words[..2] == ["#", "TYPE"] {
                assert!(known.insert(words[2]), "{line}");
                assert_eq!(
                    words[2].ends_with("_total"),
                    words[3] == "counter",
                    "{line}"
                );
            } else if words[..2] != ["#", "HELP"] {
                let name = line.split(['{', ' ']).next().unwrap();
                assert!(known.contains(name), "{line}");
            }
        }
    }
}
