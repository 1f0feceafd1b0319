//! Events as lines.

use std::fmt::Write;

use anstyle::Style;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::table::{BAD, FAINT, GOOD, WARNING, paint};
use vswitch_control::plain;
use vswitch_control::protocol::{EventView, Happening};
use vswitch_control::units::{count, things};

/// How wide what happened is at most.
const WORD: usize = 12;

/// An event in words: what happened, how good that is, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// What happened.
    pub(crate) what: &'static str,
    /// How good it is.
    pub(crate) style: Style,
    /// To whom, where.
    pub(crate) whom: String,
}

/// The event in words.
pub(crate) fn words(what: &Happening) -> Words {
    let (what, style, whom) = match what {
        Happening::Learnt { mac, vlan, port } => ("learnt", GOOD, station(mac, *vlan, port)),
        Happening::Moved {
            mac,
            vlan,
            from,
            port,
        } => {
            let way = format!("{from} -> {port}");
            ("moved", WARNING, station(mac, *vlan, &way))
        }
        Happening::Aged { mac, vlan, port } => ("aged", FAINT, station(mac, *vlan, port)),
        Happening::Evicted { mac, vlan, port } => ("evicted", BAD, station(mac, *vlan, port)),
        Happening::StaticAdded { mac, vlan, port } => ("static", GOOD, station(mac, *vlan, port)),
        Happening::Removed { mac, vlan } => match vlan {
            None => ("removed", WARNING, mac.clone()),
            Some(vlan) => ("removed", WARNING, station(mac, *vlan, "")),
        },
        Happening::Flushed { port, stations } => {
            ("flushed", WARNING, flushed(port.as_ref(), *stations))
        }
        Happening::PortAdded { port } => ("port added", GOOD, port.clone()),
        Happening::PortRemoved { port } => ("port removed", WARNING, port.clone()),
        Happening::PortUp { port } => ("port up", GOOD, port.clone()),
        Happening::PortDown { port } => ("port down", WARNING, port.clone()),
        Happening::PortAbsent { port } => ("port absent", BAD, port.clone()),
        Happening::Flapping {
            mac,
            vlan,
            port,
            other,
            hold_s,
        } => {
            let place = format!("stays on {port} for up to {hold_s} s, heard on {other} too");
            ("flapping", BAD, station(mac, *vlan, &place))
        }
        Happening::Loop {
            port, peer, hold_s, ..
        } => ("loop", BAD, blocked(port, peer, *hold_s)),
        Happening::Unblocked { port } => ("unblocked", GOOD, port.clone()),
        Happening::Storm { port, kind, limit } => {
            let whom = format!(
                "{port}: more than {} {kind} frames a second",
                count(u64::from(*limit))
            );
            ("storm", BAD, whom)
        }
        Happening::Lost { count: lost } => {
            let whom = format!("{} events came too fast to be told", count(*lost));
            ("lost", BAD, whom)
        }
        Happening::Restarted => {
            let whom = "another process has taken over the switch".to_owned();
            ("restarted", GOOD, whom)
        }
        Happening::Stopped => ("stopped", WARNING, "the switch ends".to_owned()),
        Happening::Unknown => ("unknown", FAINT, "see --json".to_owned()),
    };
    let whom = plain::text(&whom).into_owned();
    Words { what, style, whom }
}

fn blocked(port: &str, peer: &str, hold_s: u64) -> String {
    let why = if port == peer {
        "what is sent out of it comes back".to_owned()
    } else {
        format!("it is joined with {peer}")
    };
    format!("{port} blocked until {hold_s} s after the loop: {why}")
}

fn flushed(port: Option<&String>, stations: u64) -> String {
    let stations = things(stations, "station");
    let whose = port.map(|port| format!(" of {port}"));
    format!("{stations}{}", whose.unwrap_or_default())
}

fn station(mac: &str, vlan: u16, place: &str) -> String {
    let vlan = match vlan {
        0 => String::new(),
        vlan => format!("vlan {vlan}"),
    };
    let text = format!("{mac}  {vlan:<9}  {place}");
    text.trim_end().to_owned()
}

/// The event as one line that ends with a newline, with the time of day in `zone`.
pub(crate) fn line(event: &EventView, zone: &TimeZone) -> String {
    let Words { what, style, whom } = words(&event.what);
    let time = paint(FAINT, time_of_day(&event.time, zone));
    let what = paint(style, format!("{what:<WORD$}"));
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(line, "{time}  {what}  {whom}");
    line
}

/// Hours to milliseconds; what is no time stays as it is.
pub(crate) fn time_of_day(time: &str, zone: &TimeZone) -> String {
    time.parse::<Timestamp>().map_or_else(
        |_| plain::text(time).into_owned(),
        |time| {
            let local = time.to_zoned(zone.clone());
            local.strftime("%H:%M:%S%.3f").to_string()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(what: Happening) -> String {
        let event = EventView {
            time: "2026-01-02T03:04:05.678901234Z".to_owned(),
            what,
        };
        super::super::colourless(&line(&event, &TimeZone::UTC))
    }

    #[test]
    fn lines_are_aligned() {
        let mac = "02:00:00:00:00:01".to_owned();
        let (a, b) = ("mario-vsw".to_owned(), "luigi-vsw".to_owned());
        let lines = [
            told(Happening::Learnt {
                mac: mac.clone(),
                vlan: 0,
                port: a.clone(),
            }),
            told(Happening::Moved {
                mac: mac.clone(),
                vlan: 100,
                from: a.clone(),
                port: b,
            }),
            told(Happening::Removed { mac, vlan: None }),
            told(Happening::Flushed {
                port: None,
                stations: 1,
            }),
            told(Happening::Flushed {
                port: Some(a.clone()),
                stations: 1_234,
            }),
            told(Happening::PortRemoved { port: a }),
            told(Happening::PortUp {
                port: "\u{1b}[31mx".to_owned(),
            }),
        ];
        assert_eq!(
            lines.concat(),
            "\
03:04:05.678  learnt        02:00:00:00:00:01             mario-vsw
03:04:05.678  moved         02:00:00:00:00:01  vlan 100   mario-vsw -> luigi-vsw
03:04:05.678  removed       02:00:00:00:00:01
03:04:05.678  flushed       1 station
03:04:05.678  flushed       1,234 stations of mario-vsw
03:04:05.678  port removed  mario-vsw
03:04:05.678  port up       \\x1b[31mx
"
        );
    }

    #[test]
    fn a_time_is_that_of_the_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let time = "2026-01-02T23:04:05.678Z";
        assert_eq!(time_of_day(time, &zone), "01:04:05.678");
        assert_eq!(time_of_day("tomorrow", &zone), "tomorrow");
    }
}
