//! Measured figures as people read them: three digits and a unit.

use std::time::Duration;

/// A span of time: `870 ns`, `38.2 µs`, `1.2 ms`, `3.0 s`.
pub(crate) fn duration(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    match span.as_nanos() {
        nanos @ 0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{:.1} µs", seconds * 1e6),
        1_000_000..1_000_000_000 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{seconds:.1} s"),
    }
}

/// Bits per second, in powers of a thousand as is usual for links: `28.4 Gbit/s`.
pub(crate) fn bit_rate(bits_per_second: f64) -> String {
    let units = [(1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")];
    match units.iter().find(|(size, _)| bits_per_second >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", bits_per_second / size),
        None => format!("{bits_per_second:.0} bit/s"),
    }
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
            (1_200_000, "1.2 ms"),
            (3_000_000_000, "3.0 s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn rates_choose_their_unit() {
        assert_eq!(bit_rate(28.44e9), "28.4 Gbit/s");
        assert_eq!(bit_rate(950e6), "950.0 Mbit/s");
        assert_eq!(bit_rate(12.0), "12 bit/s");
    }
}
