//! State files of any bytes, for fuzzers.

use super::file::{decode, encode, with_header};

/// Reads what might be a state file, and the same as what stands in one whose checksum is right.
///
/// # Panics
/// Where something is wrong.
pub fn state_file(bytes: &[u8]) {
    let whole = with_header(bytes).unwrap_or_default();
    for bytes in [bytes, &whole] {
        match decode(bytes) {
            Err(why) => assert!(!why.is_empty()),
            Ok(saved) => {
                for station in &saved.stations {
                    let _ = station.address();
                }
                let _ = (saved.options.settings.bridge(), saved.options.lab());
                let written = encode(&saved).expect("a state that cannot be written");
                assert_eq!(decode(&written), Ok(saved), "not what was written");
            }
        }
    }
}
