//! What the processor is told ahead of time.

/// Asks the processor to fetch the cache line at `place`, which is likely to be read soon,
/// without waiting for it. Does nothing where there is no stable way to ask.
#[inline]
pub(super) fn prefetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint: it neither changes memory nor faults, whatever the
        // address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
