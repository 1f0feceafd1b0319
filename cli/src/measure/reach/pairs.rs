//! The order in which pairs of stations are taken up.

/// All pairs of `stations`, each once, so that those taken up together are different stations as
/// far as possible: neighbours in the list first, then the next but one, and so on.
pub(super) fn pairs(stations: usize) -> impl Iterator<Item = (usize, usize)> {
    (1..=stations / 2).flat_map(move |distance| {
        // At half-way round every pair would come twice.
        let starts = if distance * 2 == stations {
            distance
        } else {
            stations
        };
        (0..starts).map(move |first| (first, (first + distance) % stations))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_pair_comes_once() {
        for stations in 0..12 {
            let mut seen = BTreeSet::new();
            for (one, other) in pairs(stations) {
                assert_ne!(one, other);
                assert!(seen.insert((one.min(other), one.max(other))));
            }
            assert_eq!(seen.len(), stations * stations.saturating_sub(1) / 2);
        }
    }
}
