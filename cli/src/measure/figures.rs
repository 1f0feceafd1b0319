//! Measured figures, and how people read them: three digits and a unit.

use std::time::Duration;

use vswitch_control::units;

/// One figure of a test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figure {
    /// What JSON calls it, the same in each run of the test.
    pub(crate) key: &'static str,
    /// What people call it.
    pub(crate) name: &'static str,
    /// How much, in `unit`.
    pub(crate) value: f64,
    /// Of what.
    pub(crate) unit: Unit,
    /// Which way is good.
    pub(crate) better: Better,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Frames in a second.
    FramesPerSecond,
    /// Bits of payload in a second.
    BitsPerSecond,
    /// A span of time.
    Seconds,
    /// How many of something.
    Count,
}

/// Which of two figures is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    /// The greater.
    More,
    /// The smaller.
    Less,
}

impl Unit {
    /// The value with three digits, in powers of a thousand as is usual for links: `1.23
    /// Mframes/s`, `28.4 Gbit/s`, `38.2 µs`; a count in full: `1,234`.
    pub(crate) fn format(self, value: f64) -> String {
        const TIMES: [(f64, &str); 4] = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")];
        const BITS: [(f64, &str); 4] = [
            (1e9, "Gbit/s"),
            (1e6, "Mbit/s"),
            (1e3, "kbit/s"),
            (1.0, "bit/s"),
        ];
        const FRAMES: [(f64, &str); 3] =
            [(1e6, "Mframes/s"), (1e3, "kframes/s"), (1.0, "frames/s")];
        match self {
            Self::Seconds => scaled(value, &TIMES),
            Self::BitsPerSecond => scaled(value, &BITS),
            Self::FramesPerSecond => scaled(value, &FRAMES),
            Self::Count => units::count(whole(value)),
        }
    }
}

/// The value in the first of `scales` in which it is not less than one, else in the last.
fn scaled(value: f64, scales: &[(f64, &str)]) -> String {
    // What rounds to a thousand belongs to the next greater scale.
    let fits = |(size, _): &&(f64, &str)| value.abs() >= size * 0.9995;
    let Some((size, unit)) = scales.iter().find(fits).or(scales.last()) else {
        return value.to_string();
    };
    let scaled = value / size;
    let decimals = match scaled.abs() {
        0.0 => 0,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.decimals$} {unit}")
}

/// The nearest whole number that is not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded before; what is out of range becomes its end"
)]
pub(crate) fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// A number as a figure.
#[expect(
    clippy::cast_precision_loss,
    reason = "figures are for people and have three digits"
)]
pub(crate) fn value(number: u64) -> f64 {
    number as f64
}

/// A span of time: `870 ns`, `38.2 µs`, `1.20 ms`, `3.00 s`.
pub(crate) fn duration(span: Duration) -> String {
    Unit::Seconds.format(span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_choose_their_unit() {
        for (nanos, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (38_240, "38.2 µs"),
            (999_960, "1.00 ms"),
            (1_200_000, "1.20 ms"),
            (3_000_000_000, "3.00 s"),
            (300_000_000_000, "300 s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn rates_choose_their_unit() {
        for (value, text) in [
            (28.44e9, "28.4 Gbit/s"),
            (950e6, "950 Mbit/s"),
            (999.7e6, "1.00 Gbit/s"),
            (9.996e3, "10.0 kbit/s"),
            (12.0, "12.0 bit/s"),
            (0.0, "0 bit/s"),
        ] {
            assert_eq!(Unit::BitsPerSecond.format(value), text);
        }
        assert_eq!(Unit::FramesPerSecond.format(1.2345e6), "1.23 Mframes/s");
        assert_eq!(Unit::Count.format(1234.0), "1,234");
        assert_eq!(Unit::Count.format(-3.0), "0");
    }
}
