//! Numbers as people read them.

/// A span of whole seconds in its two largest units: `45s`, `3m 20s`, `2h 5m`, `3d 4h`.
pub fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let Some(first) = UNITS.iter().position(|(size, _)| seconds >= *size) else {
        return "0s".to_owned();
    };
    let (size, unit) = UNITS[first];
    let mut text = format!("{}{unit}", seconds / size);
    if let Some((next, unit)) = UNITS.get(first + 1) {
        let rest = seconds % size / next;
        if rest > 0 {
            text = format!("{text} {rest}{unit}");
        }
    }
    text
}

/// A number of bytes: `60 B`, `1.5 KiB`, `12.0 MiB`.
pub fn bytes(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}

/// A number with its thousands apart: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many things: `1 station`, `2,000 stations`.
pub fn things(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (200, "3m 20s"),
            (3_600, "1h"),
            (7_530, "2h 5m"),
            (86_400 * 3 + 4 * 3_600 + 59, "3d 4h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(bytes(60), "60 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(12 << 20), "12.0 MiB");
    }

    #[test]
    fn one_thing_is_no_more() {
        assert_eq!(things(0, "station"), "0 stations");
        assert_eq!(things(1, "station"), "1 station");
        assert_eq!(things(2_000, "station"), "2,000 stations");
    }

    #[test]
    fn thousands_are_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), text);
        }
    }
}
