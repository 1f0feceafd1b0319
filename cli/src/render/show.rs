//! One switch and its ports.

use vswitch_switch::bridge::VlanLearning;
use vswitch_switch::port::PacketOptions;

use super::drops::drops;
use super::table::{BAD, Column, FAINT, GOOD, HEADING, WARNING, paint, table};
use vswitch_control::plain;
use vswitch_control::protocol::{GuardView, PortState, PortView, SwitchView, TrafficView};
use vswitch_control::settings::{Number, Schema, Value, YesNo};
use vswitch_control::units::{bytes, count, span};

/// Everything about one switch.
pub(crate) fn switch(view: &SwitchView) -> String {
    let view = &plain::view(view.clone());
    let mut text = format!(
        "{}  running for {}, process {}\n",
        paint(HEADING, &view.name),
        span(view.uptime_s),
        view.pid
    );
    let mut fact = |name: &str, value: String| {
        let name = paint(FAINT, format!("{name:<10}"));
        text = format!("{text}  {name} {value}\n");
    };
    fact("datapath", view.datapath.clone());
    let (macs, most) = (count(view.macs), count(view.settings.table_len()));
    let ageing = span(view.settings.ageing_s());
    fact(
        "stations",
        format!("{macs} of {most}, forgotten after {ageing}"),
    );
    if let Some(subnet) = view.settings.subnet {
        fact("subnet", subnet.text());
    }
    if view.settings.forward_reserved == Some(YesNo(true)) {
        let forwarded = "addresses 01:80:c2:00:00:00 to 0f are forwarded";
        fact("reserved", forwarded.to_owned());
    }
    if view.settings.vlan_learning == Some(VlanLearning::Independent) {
        fact("learning", "in each VLAN by itself".to_owned());
    }
    if let Some(slots) = view.settings.ring_slots.map(Number::get) {
        let each = bytes(PacketOptions::ring_len_bytes(slots) as u64);
        let slots = count(slots.into());
        fact("rings", format!("{slots} slots, {each} for each port"));
    }
    let changed = changed(&view.settings.0);
    if !changed.is_empty() {
        fact("set", changed);
    }
    if let Some(log) = &view.log {
        fact("log", log.display().to_string());
    }
    if let Some(metrics) = &view.metrics {
        fact("metrics", metrics.clone());
    }
    if let Some(group) = view.settings.group {
        let group = group.text();
        fact("group", format!("its members (number {group}) may ask too"));
    }
    if let Some(guard) = &view.guard {
        fact("guard", self::guard(guard));
    }
    for warning in &view.warnings {
        fact("warning", paint(WARNING, warning));
    }
    text.push('\n');
    text.push_str(&told_ports(&view.ports));
    text
}

/// What is set otherwise than by default and has no line of its own; empty where that is nothing.
fn changed<S: Schema>(settings: &S) -> String {
    let told = settings.texts().filter(|(setting, text)| {
        !setting.has_line && setting.default.is_none_or(|default| default() != *text)
    });
    let told: Vec<_> = told
        .map(|(setting, text)| format!("{} {text}", setting.name))
        .collect();
    told.join(", ")
}

/// What is set for ports alone, a line each; empty where that is nothing.
fn settings(ports: &[PortView]) -> String {
    let lines = ports.iter().filter_map(|port| {
        let told = changed(&port.settings.0);
        let name = paint(FAINT, &port.name);
        (!told.is_empty()).then(|| format!("\n  {name}: {told}\n"))
    });
    lines.collect()
}

/// What a switch has given up, and what not, with the reason.
fn guard(view: &GuardView) -> String {
    if !view.on {
        return "off: the switch keeps all its rights (--guard off, --no-guard)".to_owned();
    }
    let reason = |reason: &Option<String>| reason.clone();
    let layers = [
        ("rights", reason(&view.capabilities_reason)),
        ("system calls", reason(&view.seccomp.reason)),
        ("paths", reason(&view.landlock.reason)),
    ];
    let limited: Vec<&str> = layers
        .iter()
        .filter(|(_, reason)| reason.is_none())
        .map(|(name, _)| *name)
        .collect();
    let mut text = match limited.as_slice() {
        [] => "nothing limited".to_owned(),
        [one] => format!("{one} limited"),
        [first @ .., last] => format!("{} and {last} limited", first.join(", ")),
    };
    for (name, reason) in &layers {
        if let Some(reason) = reason {
            text = format!("{text}; not {name}: {reason}");
        }
    }
    text
}

/// The ports of a switch, and what they lost.
pub(crate) fn ports(ports: &[PortView]) -> String {
    told_ports(&plain::view(ports.to_vec()))
}

fn told_ports(ports: &[PortView]) -> String {
    if ports.is_empty() {
        return "  no ports: connect a namespace with 'vswitch attach NS'\n".to_owned();
    }
    let columns = [
        Column::Right("#"),
        Column::Left("port"),
        Column::Left("state"),
        Column::Left("namespace"),
        Column::Left("peer"),
        Column::Left("address"),
        Column::Right("mtu"),
        Column::Right("received"),
        Column::Right(""),
        Column::Right("sent"),
        Column::Right(""),
        Column::Right("dropped"),
        Column::Left("driver"),
    ];
    let mut text = table(&columns, ports.iter().map(port_row).collect());
    text.push_str(&settings(ports));
    text.push_str(&loops(ports));
    text.push_str(&warnings(ports));
    let lost = drops(ports);
    if !lost.is_empty() {
        text.push('\n');
        text.push_str(&lost);
    }
    text
}

/// Ports that are blocked, and why; empty where none is.
fn loops(ports: &[PortView]) -> String {
    let blocked = ports.iter().filter_map(|port| {
        let blocked = port.blocked.as_ref()?;
        let why = if blocked.loop_with == port.name {
            "what is sent out of it comes back by it, from a loop behind it".to_owned()
        } else {
            format!(
                "it is joined with {} outside the switch, in a loop",
                blocked.loop_with
            )
        };
        Some(format!(
            "\n  {} is blocked: {why}; it forwards again in {} s unless the loop is still there\n",
            paint(BAD, &port.name),
            blocked.for_s
        ))
    });
    blocked.collect()
}

/// What is wrong with ports, a line each; empty if nothing is.
fn warnings(ports: &[PortView]) -> String {
    let lines = ports.iter().flat_map(|port| {
        let name = paint(WARNING, &port.name);
        let warnings = port.warnings.iter();
        warnings.map(move |warning| format!("\n  {name}: {warning}\n"))
    });
    lines.collect()
}

fn port_row(port: &PortView) -> Vec<String> {
    let known = |name: &Option<String>| name.clone().unwrap_or_else(|| paint(FAINT, "-"));
    let address = port.addresses.first().map(ToString::to_string);
    let more = match port.addresses.len() {
        0 | 1 => String::new(),
        addresses => format!(" +{}", addresses - 1),
    };
    let traffic = |traffic: TrafficView| [count(traffic.frames), bytes(traffic.bytes)];
    let [rx_frames, rx_bytes] = traffic(port.rx);
    let [tx_frames, tx_bytes] = traffic(port.tx);
    let dropped: u64 = port.drops.values().sum();
    vec![
        port.id.to_string(),
        port.name.clone(),
        if port.blocked.is_some() {
            paint(BAD, "blocked")
        } else {
            state(port.state)
        },
        known(&port.namespace),
        known(&port.peer),
        known(&address) + &more,
        match port.peer_mtu.filter(|peer| *peer != port.mtu) {
            None => port.mtu.to_string(),
            Some(peer) => paint(WARNING, format!("{}, peer {peer}", port.mtu)),
        },
        rx_frames,
        rx_bytes,
        tx_frames,
        tx_bytes,
        match dropped {
            0 => "0".to_owned(),
            some => paint(WARNING, count(some)),
        },
        port.driver.clone(),
    ]
}

fn state(state: PortState) -> String {
    match state {
        PortState::Up => paint(GOOD, "up"),
        PortState::Down => paint(WARNING, "down"),
        PortState::Absent => paint(BAD, "absent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::colourless;
    use vswitch_control::settings::View;

    fn port(id: u16, name: &str) -> PortView {
        PortView {
            id,
            name: name.into(),
            namespace: None,
            peer: None,
            state: PortState::Up,
            mtu: 1500,
            peer_mtu: None,
            driver: "packet".into(),
            rx: TrafficView {
                frames: 1_234,
                bytes: 2_048,
            },
            tx: TrafficView::default(),
            drops: [].into(),
            addresses: Vec::new(),
            settings: View::default(),
            limits: None,
            blocked: None,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_switch_is_told_at_a_glance() {
        let mario = PortView {
            namespace: Some("mario".into()),
            peer: Some("mario-netns".into()),
            addresses: vec![
                "10.0.0.1/24".parse().unwrap(),
                "fd00::1/64".parse().unwrap(),
            ],
            ..port(1, "mario-vsw")
        };
        let eth = PortView {
            state: PortState::Absent,
            peer_mtu: Some(9000),
            drops: [("egress_down".to_owned(), 7)].into(),
            ..port(2, "eth1")
        };
        let view = SwitchView {
            log: Some("/run/vswitch/my_switch/log".into()),
            metrics: Some("http://127.0.0.1:9464/metrics".into()),
            ..SwitchView::sample(vec![mario, eth])
        };
        let expected = "\
my_switch  running for 3m 20s, process 42
  datapath   user space
  stations   2 of 65,536, forgotten after 5m
  log        /run/vswitch/my_switch/log
  metrics    http://127.0.0.1:9464/metrics

  #  port       state   namespace  peer         address                     mtu  received           sent       dropped  driver
  1  mario-vsw  up      mario      mario-netns  10.0.0.1/24 +1             1500     1,234  2.0 KiB     0  0 B        0  packet
  2  eth1       absent  -          -            -               1500, peer 9000     1,234  2.0 KiB     0  0 B        7  packet

  dropped at  frames  reason       meaning
  eth1             7  egress_down  the port was down or gone
";
        assert_eq!(colourless(&switch(&view)), expected);
        assert_ne!(colourless(&switch(&view)), switch(&view), "there is colour");
    }

    #[test]
    fn without_ports_the_next_step_is_named() {
        assert!(ports(&[]).contains("vswitch attach"));
    }
}
