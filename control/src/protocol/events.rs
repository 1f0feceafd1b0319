//! What a switch tells those who listen, unasked.

use serde::{Deserialize, Serialize};

/// Whether a client hears what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// It does, from now on or no more.
    pub listening: bool,
}

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// When, as RFC 3339 has it, in UTC, to the nanosecond.
    pub time: String,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened. Ports are told by their names; a VLAN of 0 is that of untagged frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happening {
    /// A station was heard for the first time.
    Learnt {
        /// The MAC address.
        mac: String,
        /// The VLAN.
        vlan: u16,
        /// The port.
        port: String,
    },
    /// A known station was heard on another port.
    Moved {
        /// The MAC address.
        mac: String,
        /// The VLAN.
        vlan: u16,
        /// The port before.
        from: String,
        /// The port.
        port: String,
    },
    /// A station was silent for too long.
    Aged {
        /// The MAC address.
        mac: String,
        /// The VLAN.
        vlan: u16,
        /// The port.
        port: String,
    },
    /// A station had to make room for another.
    Evicted {
        /// The MAC address.
        mac: String,
        /// The VLAN.
        vlan: u16,
        /// The port.
        port: String,
    },
    /// A station was bound to a port by command.
    StaticAdded {
        /// The MAC address.
        mac: String,
        /// The VLAN.
        vlan: u16,
        /// The port.
        port: String,
    },
    /// A station was forgotten by command, in one VLAN or (null) in all.
    Removed {
        /// The MAC address.
        mac: String,
        /// The VLAN; null for all.
        vlan: Option<u16>,
    },
    /// Learnt stations were forgotten by command, those of one port or (null) of all.
    Flushed {
        /// The port; null for all.
        port: Option<String>,
        /// How many.
        stations: u64,
    },
    /// A port was plugged in.
    PortAdded {
        /// The port.
        port: String,
    },
    /// A port was unplugged.
    PortRemoved {
        /// The port.
        port: String,
    },
    /// A port's link is up.
    PortUp {
        /// The port.
        port: String,
    },
    /// A port's link is down.
    PortDown {
        /// The port.
        port: String,
    },
    /// A port's interface is gone.
    PortAbsent {
        /// The port.
        port: String,
    },
    /// A station moves too often: its entry stays on `port`, though it is heard on `other` too.
    Flapping {
        /// The MAC address.
        mac: String,
        /// The VLAN.
        vlan: u16,
        /// The port.
        port: String,
        /// The other port.
        other: String,
        /// For how long, in seconds.
        hold_s: u64,
    },
    /// Two ports are joined outside, and `port` is blocked; if both are the same, what is sent out of
    /// it comes back by it.
    Loop {
        /// The port.
        port: String,
        /// The port at the other end.
        peer: String,
        /// The MAC address.
        mac: String,
        /// The VLAN.
        vlan: u16,
        /// For how long, in seconds.
        hold_s: u64,
    },
    /// A port that was blocked forwards again.
    Unblocked {
        /// The port.
        port: String,
    },
    /// More frames of a kind come in by a port than it may let in: `broadcast`, `multicast` or
    /// `unknown unicast`.
    Storm {
        /// The port.
        port: String,
        /// The kind of frames.
        kind: String,
        /// How many it lets in, in frames/s.
        limit: u32,
    },
    /// So many events are not told: they came faster than they were read.
    Lost {
        /// How many.
        count: u64,
    },
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
