//! How long the raw frames of a measurement are, check sequence included.

use crate::measure::MIN_SIZE;

/// The longest frame that every Ethernet carries (MTU 1500).
pub(super) const USUAL_LARGEST: usize = 1518;

/// The sizes that are asked for, each once, the smallest first; where none is, the shortest and
/// the longest that is usual and not above `largest`.
///
/// # Errors
/// The first that is above `largest`.
pub(super) fn sizes(given: &[u32], largest: usize) -> Result<Vec<usize>, u32> {
    let checked = given.iter().map(|&size| match usize::try_from(size) {
        Ok(bytes) if bytes <= largest => Ok(bytes),
        _ => Err(size),
    });
    let mut sizes = checked.collect::<Result<Vec<_>, _>>()?;
    if sizes.is_empty() {
        sizes = vec![MIN_SIZE, USUAL_LARGEST.min(largest)];
    }
    sizes.sort_unstable();
    sizes.dedup();
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_order_once_each_and_fit() {
        assert_eq!(sizes(&[], 9018), Ok(vec![64, 1518]));
        assert_eq!(sizes(&[], 1018), Ok(vec![64, 1018]));
        assert_eq!(sizes(&[512, 64, 512], 1518), Ok(vec![64, 512]));
        assert_eq!(sizes(&[64, 1519, 1520], 1518), Err(1519));
    }
}
