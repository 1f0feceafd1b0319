//! Options where `ip` has them: before the object, as in `vswitch -n mario link`.

use std::ffi::OsString;

/// The commands that `ip` has too, under their names and short ones.
const OBJECTS: [&str; 8] = ["link", "l", "addr", "address", "a", "route", "r", "ro"];

/// Puts options that stand before or right behind `link`, `addr` or `route` behind all other
/// words, where the definition of the arguments has them. Any other line stays as it is.
pub(crate) fn as_ip_has_it(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let words: Vec<OsString> = words.into_iter().collect();
    let object = options_end(&words, 1);
    let is_object = |word: &OsString| OBJECTS.iter().any(|object| word == object);
    if !words.get(object).is_some_and(is_object) {
        return words;
    }
    let rest = options_end(&words, object + 1);
    let moved = words[1..object].iter().chain(&words[object + 1..rest]);
    let moved = moved.map(|word| match word.to_str() {
        Some("-netns") => "--netns".into(),
        Some("-json") => "--json".into(),
        _ => word.clone(),
    });
    let kept = [&words[0], &words[object]]
        .into_iter()
        .chain(&words[rest..]);
    kept.cloned().chain(moved).collect()
}

/// Where the options that begin at `start` end.
fn options_end(words: &[OsString], start: usize) -> usize {
    let mut end = start;
    loop {
        end += match words.get(end).and_then(|word| word.to_str()) {
            Some("-n" | "-netns" | "--netns") => 2,
            Some("-4" | "-6" | "-j" | "-json" | "--json") => 1,
            Some(word) if is_valued(word) => 1,
            _ => return end.min(words.len()),
        }
    }
}

/// Whether this is the option with its value in one word.
fn is_valued(word: &str) -> bool {
    word.starts_with("--netns=") || (word.len() > 2 && word.starts_with("-n") && word != "-netns")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(line: &str) -> String {
        let words = as_ip_has_it(line.split(' ').map(OsString::from));
        let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
        words.join(" ")
    }

    #[test]
    fn options_of_ip_may_stand_first() {
        for (given, wanted) in [
            ("vswitch -n mario link", "vswitch link -n mario"),
            (
                "vswitch -netns mario -6 addr show",
                "vswitch addr show --netns mario -6",
            ),
            ("vswitch -j a", "vswitch a -j"),
            ("vswitch --netns=mario r", "vswitch r --netns=mario"),
            ("vswitch link -n mario", "vswitch link -n mario"),
            (
                "vswitch link -n mario set lo up",
                "vswitch link set lo up -n mario",
            ),
            ("vswitch -4 addr --json show", "vswitch addr show -4 --json"),
            ("vswitch addr show --json", "vswitch addr show --json"),
            ("vswitch link -n", "vswitch link -n"),
            ("vswitch -n mario list", "vswitch -n mario list"),
            ("vswitch -n", "vswitch -n"),
            ("vswitch", "vswitch"),
            ("vswitch exec mario -n link", "vswitch exec mario -n link"),
        ] {
            assert_eq!(ordered(given), wanted);
        }
    }
}
