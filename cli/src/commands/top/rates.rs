//! What moved between two looks at a switch.

use std::collections::BTreeMap;
use std::time::Duration;

use vswitch_control::protocol::{PortView, SwitchView, TrafficView};

/// Frames and bits in one direction, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rate {
    /// Frames.
    pub(super) frames: f64,
    /// Bits of those frames, Ethernet headers included.
    pub(super) bits: f64,
}

/// A port with its rates.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moving {
    /// The port at the second look.
    pub(super) port: PortView,
    /// What came in.
    pub(super) rx: Rate,
    /// What went out.
    pub(super) tx: Rate,
    /// Frames lost per second, by reason; only reasons that have ever occurred.
    pub(super) drops: BTreeMap<String, f64>,
}

impl Moving {
    /// Frames lost per second, for whatever reason.
    pub(super) fn dropped(&self) -> f64 {
        // Of no numbers, the sum is -0.
        0.0 + self.drops.values().sum::<f64>()
    }
}

/// The ports of `new` with what they moved since `old`, which was `span` before. A port that was
/// not there then, or was replaced since, has moved nothing yet.
pub(super) fn between(old: &SwitchView, new: &SwitchView, span: Duration) -> Vec<Moving> {
    let rate = |port: &PortView| {
        let was = old.ports.iter().find(|was| is_same(was, port));
        moving(was, port, span)
    };
    new.ports.iter().map(rate).collect()
}

/// The sum over all ports: what came in, what went out, frames lost.
pub(super) fn total(ports: &[Moving]) -> (Rate, Rate, f64) {
    let sum = |of: fn(&Moving) -> Rate| Rate {
        frames: sum_of(ports, |port| of(port).frames),
        bits: sum_of(ports, |port| of(port).bits),
    };
    let dropped = sum_of(ports, Moving::dropped);
    (sum(|port| port.rx), sum(|port| port.tx), dropped)
}

/// Of no ports, the sum would be -0.
fn sum_of(ports: &[Moving], of: impl Fn(&Moving) -> f64) -> f64 {
    0.0 + ports.iter().map(of).sum::<f64>()
}

/// A port number is used again: a port whose counters have shrunk is another one.
fn is_same(was: &PortView, port: &PortView) -> bool {
    was.id == port.id
        && was.name == port.name
        && was.rx.frames <= port.rx.frames
        && was.tx.frames <= port.tx.frames
}

fn moving(was: Option<&PortView>, port: &PortView, span: Duration) -> Moving {
    let rate = |before: Option<TrafficView>, now: TrafficView| Rate {
        frames: per_second(before.map(|before| before.frames), now.frames, span),
        bits: 8.0 * per_second(before.map(|before| before.bytes), now.bytes, span),
    };
    let lost = |(reason, now): (&String, &u64)| {
        let before = was.map(|was| was.drops.get(reason).copied().unwrap_or(0));
        (reason.clone(), per_second(before, *now, span))
    };
    Moving {
        rx: rate(was.map(|was| was.rx), port.rx),
        tx: rate(was.map(|was| was.tx), port.tx),
        drops: port.drops.iter().map(lost).collect(),
        port: port.clone(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate need not be exact to the frame"
)]
fn per_second(before: Option<u64>, now: u64, span: Duration) -> f64 {
    let seconds = span.as_secs_f64();
    match before {
        Some(before) if seconds > 0.0 => now.saturating_sub(before) as f64 / seconds,
        _ => 0.0,
    }
}

/// A rate in few characters: `0`, `7.5`, `999`, `1.25k`, `12.5M`, `125G`.
pub(super) fn short(rate: f64) -> String {
    const UNITS: [&str; 6] = ["", "k", "M", "G", "T", "P"];
    let mut value = rate;
    let mut unit = 0;
    // What would be rounded up to the next unit is already told in it.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    let digits = match value {
        _ if unit == 0 && value < 0.05 => return "0".to_owned(),
        v if v >= 99.95 => 0,
        v if v >= 9.995 || unit == 0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    // 7.0 is 7, where it counts single things.
    let text = match text.strip_suffix(".0") {
        Some(whole) if unit == 0 => whole.to_owned(),
        _ => text,
    };
    text + UNITS[unit]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use vswitch_control::protocol::PortState;

    pub(in crate::commands::top) fn port(id: u16, name: &str, frames: u64) -> PortView {
        PortView {
            id,
            name: format!("{name}-vsw"),
            namespace: Some(name.to_owned()),
            peer: Some(format!("{name}-netns")),
            state: PortState::Up,
            mtu: 1500,
            peer_mtu: None,
            driver: "packet socket, mapped ring".to_owned(),
            rx: TrafficView {
                frames,
                bytes: frames * 100,
            },
            tx: TrafficView {
                frames: frames / 2,
                bytes: frames * 50,
            },
            drops: BTreeMap::new(),
            addresses: vec!["10.0.0.1/24".parse().unwrap()],
            settings: vswitch_control::settings::View::default(),
            limits: None,
            blocked: None,
            warnings: Vec::new(),
        }
    }

    pub(in crate::commands::top) fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn rates_are_per_second() {
        let old = SwitchView::sample(vec![port(1, "a", 1_000)]);
        let mut lossy = port(1, "a", 3_000);
        lossy.drops.insert("egress_full".to_owned(), 10);
        let new = SwitchView::sample(vec![lossy, port(2, "b", 77)]);
        let moved = between(&old, &new, Duration::from_millis(500));
        assert_eq!(
            moved[0].rx,
            Rate {
                frames: 4_000.0,
                bits: 3_200_000.0
            }
        );
        assert!(close(moved[0].dropped(), 20.0), "the reason is new since");
        assert_eq!(moved[1].rx, Rate::default(), "it was not there before");
        let (rx, tx, dropped) = total(&moved);
        assert_eq!((rx.frames, tx.frames, dropped), (4_000.0, 2_000.0, 20.0));
    }

    #[test]
    fn nothing_is_a_zero_without_a_sign() {
        let (rx, _, dropped) = total(&[]);
        let none = between(
            &SwitchView::sample(vec![port(1, "a", 1)]),
            &SwitchView::sample(vec![port(1, "a", 1)]),
            Duration::from_secs(1),
        );
        for zero in [rx.frames, rx.bits, dropped, none[0].dropped()] {
            assert!(zero.is_sign_positive(), "{zero}");
        }
    }

    #[test]
    fn a_port_that_was_replaced_begins_anew() {
        let old = SwitchView::sample(vec![port(1, "a", 1_000), port(2, "b", 1_000)]);
        let new = SwitchView::sample(vec![port(1, "a", 10), port(2, "c", 2_000)]);
        for moved in between(&old, &new, Duration::from_secs(1)) {
            assert_eq!(moved.rx, Rate::default());
        }
        let still = between(&old, &old, Duration::ZERO);
        assert_eq!(still[0].rx, Rate::default(), "no time, no rate");
    }

    #[test]
    fn short_rates_have_three_digits() {
        for (rate, text) in [
            (0.0, "0"),
            (0.04, "0"),
            (0.5, "0.5"),
            (7.0, "7"),
            (99.9, "99.9"),
            (999.4, "999"),
            (999.6, "1.00k"),
            (1_250.0, "1.25k"),
            (12_500_000.0, "12.5M"),
            (125e9, "125G"),
            (9.99e18, "9990P"),
        ] {
            assert_eq!(short(rate), text);
        }
    }
}
