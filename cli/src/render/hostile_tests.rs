//! Every renderer is fed with text that a terminal would act on.
//!
//! A renderer that is new stands in none of the lists below, upon which
//! [`every_renderer_is_in_the_list`] fails. A new field of a view is fed by itself.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::tz::TimeZone;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use vswitch_netns::{Address, Link};

use super::{LinkRow, Matrix};
use crate::measure::reach::{Finding, Outcome};
use crate::peers::{Home, Peer};
use vswitch_control::plain::hostile::{NAMES, assert_harmless};
use vswitch_control::protocol::{
    EventView, ExplainView, FdbEntry, Happening, PortView, SwitchView,
};
use vswitch_lab::{Held, Key, Spec};

/// Files of this folder whose functions are fed below.
const FED: &[&str] = &[
    "addr", "drops", "events", "explain", "fdb", "labs", "link", "list", "matrix", "patience",
    "route", "show",
];
/// Files that render nothing by themselves.
const PARTS: &[&str] = &["hostile_tests", "mod", "table", "units"];

#[test]
fn every_renderer_is_in_the_list() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("cli/src/render");
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(
            FED.contains(&name.as_str()) || PARTS.contains(&name.as_str()),
            "{name} is fed no hostile text: add it to this test"
        );
    }
}

/// `sample` with `name` in the place of every text for which it stays a view.
fn filled<T: Serialize + DeserializeOwned>(sample: &T, name: &str) -> T {
    let mut value = serde_json::to_value(sample).unwrap();
    let mut places = Vec::new();
    find(&value, "", &mut places);
    for place in places {
        let former = value
            .pointer_mut(&place)
            .map(|there| std::mem::replace(there, name.into()));
        if serde_json::from_value::<T>(value.clone()).is_err()
            && let (Some(there), Some(former)) = (value.pointer_mut(&place), former)
        {
            *there = former;
        }
    }
    serde_json::from_value(value).unwrap()
}

fn find(value: &Value, at: &str, places: &mut Vec<String>) {
    match value {
        Value::String(_) => places.push(at.to_owned()),
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                find(value, &format!("{at}/{index}"), places);
            }
        }
        Value::Object(members) => {
            for (key, value) in members {
                find(value, &format!("{at}/{key}"), places);
            }
        }
        _ => {}
    }
}

fn port(name: &str) -> PortView {
    let port = json!({
        "id": 1, "name": "x", "namespace": "x", "peer": "x", "state": "up", "mtu": 1500,
        "driver": "x", "rx": {"frames": 0, "bytes": 0}, "tx": {"frames": 0, "bytes": 0},
        "drops": {name: 7}, "addresses": ["10.0.0.1/24"],
        "blocked": {"loop_with": "x", "for_s": 7}, "warnings": ["x"],
    });
    filled(&serde_json::from_value(port).unwrap(), name)
}

fn switch(name: &str) -> SwitchView {
    let guard = json!({
        "on": true, "capabilities": ["x"], "capabilities_reason": "x", "no_new_privs": true,
        "seccomp": {"on": false, "abi": null, "reason": "x"},
        "landlock": {"on": false, "abi": null, "reason": "x"}, "broker": 1,
    });
    let view = SwitchView {
        log: Some("x".into()),
        metrics: Some("x".into()),
        lab: Some("x".into()),
        guard: serde_json::from_value(guard).unwrap(),
        warnings: vec!["x".into()],
        ..SwitchView::sample(vec![port(name)])
    };
    filled(&view, name)
}

fn each(render: impl Fn(&str) -> String) {
    for name in NAMES {
        assert_harmless(&render(name), name);
    }
}

#[test]
fn switches_and_ports_are_harmless() {
    each(|name| super::switch(&switch(name)));
    each(|name| super::switches(&[switch(name)]));
    each(|name| super::ports(&[port(name)]));
    assert!(super::switch(&switch("a\x1b[31m")).contains(r"a\x1b[31m"));
}

#[test]
fn stations_are_harmless() {
    let entry = json!({"mac": "x", "vlan": 0, "port": "x", "age_s": null, "static": false});
    let entry: FdbEntry = serde_json::from_value(entry).unwrap();
    each(|name| super::stations(&[filled(&entry, name)]));
}

#[test]
fn explanations_are_harmless() {
    for verdict in ["drop", "forward", "flood", "else"] {
        for is in ["sent", "dropped"] {
            let view = json!({
                "port": "x", "namespace": "x",
                "frame": {"length": 60, "src": "x", "dst": "x", "vlan": 1, "ethertype": 2048},
                "steps": [{"step": "x", "text": "x"}],
                "source": {"is": "x", "port": "x", "evicts": "x"},
                "destination": {"is": "x", "port": "x", "age_s": 1},
                "verdict": verdict, "reason": "x",
                "egress": [{"port": "x", "state": "x", "mtu": 1, "is": is, "reason": "x"}],
            });
            let view: ExplainView = serde_json::from_value(view).unwrap();
            each(|name| {
                let mut hostile = filled(&view, name);
                if verdict != "else" {
                    hostile.verdict = verdict.to_owned();
                    hostile.egress[0].is = is.to_owned();
                }
                super::explanation(&hostile)
            });
        }
    }
}

/// One of each. Whoever adds one is made to add it here by the `match`.
fn happenings() -> Vec<Happening> {
    let tag = |what: &Happening| match what {
        Happening::Learnt { .. }
        | Happening::Moved { .. }
        | Happening::Aged { .. }
        | Happening::Evicted { .. }
        | Happening::StaticAdded { .. }
        | Happening::Removed { .. }
        | Happening::Flushed { .. }
        | Happening::PortAdded { .. }
        | Happening::PortRemoved { .. }
        | Happening::PortUp { .. }
        | Happening::PortDown { .. }
        | Happening::PortAbsent { .. }
        | Happening::Flapping { .. }
        | Happening::Loop { .. }
        | Happening::Unblocked { .. }
        | Happening::Storm { .. }
        | Happening::Lost { .. }
        | Happening::Restarted
        | Happening::Stopped => true,
        Happening::Unknown => false,
    };
    let events = [
        "learnt",
        "moved",
        "aged",
        "evicted",
        "static_added",
        "removed",
        "flushed",
        "port_added",
        "port_removed",
        "port_up",
        "port_down",
        "port_absent",
        "flapping",
        "loop",
        "unblocked",
        "storm",
        "lost",
        "restarted",
        "stopped",
    ];
    let happenings = events.map(|event| {
        let what = json!({
            "event": event, "mac": "x", "vlan": 1, "port": "x", "from": "x", "other": "x",
            "peer": "x", "hold_s": 1, "kind": "x", "limit": 1, "count": 1, "stations": 1,
        });
        let what: Happening = serde_json::from_value(what).unwrap();
        assert!(tag(&what), "{event}");
        what
    });
    happenings.to_vec()
}

#[test]
fn events_are_harmless() {
    for what in happenings() {
        let event = EventView {
            time: "x".to_owned(),
            what,
        };
        each(|name| {
            let mut hostile = filled(&event, name);
            if hostile.what == Happening::Unknown {
                // The tag itself is a text too.
                hostile.what = filled_happening(&event.what, name);
            }
            super::events::line(&hostile, &TimeZone::UTC)
        });
    }
}

fn filled_happening(what: &Happening, name: &str) -> Happening {
    let mut value = serde_json::to_value(what).unwrap();
    for (key, member) in value.as_object_mut().unwrap() {
        if key != "event" && member.is_string() {
            *member = name.into();
        }
    }
    serde_json::from_value(value).unwrap()
}

fn link(name: &str) -> Link {
    let mut link = Link::default();
    link.name = name.to_owned();
    link.kind = Some(name.to_owned());
    link.alias = Some(name.to_owned());
    link
}

#[test]
fn interfaces_addresses_and_routes_are_harmless() {
    for home in [
        None,
        Some(Home::Same),
        Some(Home::Default),
        Some(Home::Unknown),
    ] {
        each(|name| {
            let home = home.clone().unwrap_or_else(|| Home::Named(name.to_owned()));
            super::links(&[LinkRow {
                link: link(name),
                peer: Some(Peer {
                    name: Some(name.to_owned()),
                    index: 3,
                    home,
                }),
                bridge: Some(name.to_owned()),
            }])
        });
    }
    each(|name| super::addresses(&[(link(name), Vec::<Address>::new())]));
    each(super::route::device);
}

#[test]
fn matrices_are_harmless() {
    each(|name| {
        let found = [Finding {
            from: 0,
            to: 1,
            address: "10.0.0.1".parse().unwrap(),
            outcome: Outcome::Silent,
        }];
        super::matrix(&Matrix {
            names: &[name, "x"],
            found: &found,
            time: std::time::Duration::ZERO,
            columns: None,
        })
    });
}

#[test]
fn labs_are_harmless() {
    each(|name| {
        let key = Key::Port {
            switch: name.to_owned(),
            interface: name.to_owned(),
        };
        let setting = Key::Sysctl {
            host: name.to_owned(),
            path: name.to_owned(),
        };
        let set = Held {
            spec: Spec::Sysctl {
                value: name.to_owned(),
            },
            broken: None,
        };
        let held = Held {
            spec: Spec::Plain,
            broken: Some(name.to_owned()),
        };
        let condition = super::labs::Condition {
            name: "lab".parse().unwrap(),
            file: name.into(),
            things: BTreeMap::from([(key, held), (setting, set)]),
        };
        super::labs::condition(&condition)
    });
}

#[test]
fn json_for_machines_is_harmless_on_a_terminal() {
    each(|name| {
        let text = serde_json::to_string_pretty(&switch(name)).unwrap();
        let told = vswitch_control::plain::json(&text).into_owned();
        let read: SwitchView = serde_json::from_str(&told).unwrap();
        assert_eq!(read.ports[0].name, name);
        told
    });
}
