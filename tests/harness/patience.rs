//! The two times that tests know. No other may decide whether one passes.

use std::time::Duration;

/// How long anything may take before a test gives it up. Only a bound on failure: the machine
/// may be slow and shared, and no test measures time. What is waited for is a condition.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120 * FACTOR);

/// How long to look for what is not to come. Longer finds more; a test that is right passes
/// however short it is.
pub(crate) const A_WHILE: Duration = Duration::from_millis(200 * FACTOR);

/// `VSWITCH_TEST_PATIENCE=N cargo test` waits N times as long, on a machine that is very slow.
/// Read when the tests are compiled, which Cargo does again when it changes.
const FACTOR: u64 = match option_env!("VSWITCH_TEST_PATIENCE") {
    Some(text) => factor(text.as_bytes()).expect("VSWITCH_TEST_PATIENCE is a number from 1 to 999"),
    None => 1,
};

const fn factor(digits: &[u8]) -> Option<u64> {
    let mut value = 0;
    let mut at = 0;
    while at < digits.len() {
        if !digits[at].is_ascii_digit() || at == 3 {
            return None;
        }
        value = value * 10 + (digits[at] - b'0') as u64;
        at += 1;
    }
    if value == 0 { None } else { Some(value) }
}

/// A factor that is read wrongly would be noticed only where it is needed.
pub(crate) fn check_itself() {
    for (text, expected) in [
        ("1", Some(1)),
        ("010", Some(10)),
        ("999", Some(999)),
        ("1000", None),
        ("0", None),
        ("", None),
        ("ten", None),
        ("1.5", None),
    ] {
        assert_eq!(factor(text.as_bytes()), expected, "{text:?}");
    }
}
