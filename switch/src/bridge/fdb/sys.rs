//! Prefetch instructions.

/// Prefetches the cache line at `place`, which is likely to be read soon. Does nothing on
/// architectures without a stable prefetch intrinsic.
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
