//! What a switch tells those who listen, unasked.

use serde::{Deserialize, Serialize};

/// Whether a client hears what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listening {
    /// It does, from now on or no more.
    pub(crate) listening: bool,
}

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventView {
    /// When, as RFC 3339 has it, in UTC, to the nanosecond.
    pub(crate) time: String,
    /// What.
    #[serde(flatten)]
    pub(crate) what: Happening,
}

/// What happened. Ports are told by their names; a VLAN of 0 is that of untagged frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Happening {
    /// A station was heard for the first time.
    Learnt {
        mac: String,
        vlan: u16,
        port: String,
    },
    /// A known station was heard on another port.
    Moved {
        mac: String,
        vlan: u16,
        from: String,
        port: String,
    },
    /// A station was silent for too long.
    Aged {
        mac: String,
        vlan: u16,
        port: String,
    },
    /// A station had to make room for another.
    Evicted {
        mac: String,
        vlan: u16,
        port: String,
    },
    /// A station was bound to a port by command.
    StaticAdded {
        mac: String,
        vlan: u16,
        port: String,
    },
    /// A station was forgotten by command, in one VLAN or (null) in all.
    Removed { mac: String, vlan: Option<u16> },
    /// Learnt stations were forgotten by command, those of one port or (null) of all.
    Flushed { port: Option<String>, stations: u64 },
    /// A port was plugged in.
    PortAdded { port: String },
    /// A port was unplugged.
    PortRemoved { port: String },
    /// A port's link is up.
    PortUp { port: String },
    /// A port's link is down.
    PortDown { port: String },
    /// A port's interface is gone.
    PortAbsent { port: String },
    /// A station moves too often: its entry stays on `port`, though it is heard on `other` too.
    Flapping {
        mac: String,
        vlan: u16,
        port: String,
        other: String,
        hold_s: u64,
    },
    /// Two ports are joined outside, and `port` is blocked; if both are the same, what is sent out of
    /// it comes back by it.
    Loop {
        port: String,
        peer: String,
        mac: String,
        vlan: u16,
        hold_s: u64,
    },
    /// A port that was blocked forwards again.
    Unblocked { port: String },
    /// More frames of a kind come in by a port than it may let in: `broadcast`, `multicast` or
    /// `unknown unicast`.
    Storm {
        port: String,
        kind: String,
        limit: u32,
    },
    /// So many events are not told: they came faster than they were read.
    Lost { count: u64 },
    /// Another process goes on with the switch: what follows is told to those who listen there.
    Restarted,
    /// The switch ends: nothing follows.
    Stopped,
    /// Something that only a later version knows.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_one_flat_object() {
        let event = EventView {
            time: "2026-01-02T03:04:05.000000006Z".to_owned(),
            what: Happening::Moved {
                mac: "02:00:00:00:00:01".to_owned(),
                vlan: 0,
                from: "a".to_owned(),
                port: "b".to_owned(),
            },
        };
        let value = json!({
            "time": "2026-01-02T03:04:05.000000006Z", "event": "moved",
            "mac": "02:00:00:00:00:01", "vlan": 0, "from": "a", "port": "b",
        });
        assert_eq!(serde_json::to_value(&event).unwrap(), value);
        assert_eq!(serde_json::from_value::<EventView>(value).unwrap(), event);
    }

    #[test]
    fn what_a_later_version_tells_is_taken_for_unknown() {
        let later = json!({"time": "", "event": "exploded", "port": "a"});
        let event: EventView = serde_json::from_value(later).unwrap();
        assert_eq!(event.what, Happening::Unknown);
    }
}
