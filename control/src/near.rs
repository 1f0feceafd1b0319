//! Names that were nearly typed.

/// The one of `known` that was probably meant by `typed`: at most two letters are wrong, missing, too
/// many or exchanged.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(typed, name), name))
        .filter(|(distance, name)| *distance <= 2 && *distance < name.len());
    near.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_found_and_what_is_far_is_not() {
        let known = ["run", "stop", "route"];
        assert_eq!(nearest("rnu", known), Some("run"));
        assert_eq!(nearest("stopp", known), Some("stop"));
        assert_eq!(nearest("frobnicate", known), None);
        assert_eq!(nearest("x", ["ab"]), None, "nothing of it is left");
    }
}
