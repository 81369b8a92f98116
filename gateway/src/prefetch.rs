//! Asking the cache for a line before it is needed.
#![allow(unsafe_code)]

/// Starts loading the cache line of `place`; a hint without effect on results.
#[inline(always)]
pub fn prefetch<T>(place: &T) {
    prefetch_at(place);
}

/// The same of every line of a large value.
#[inline(always)]
pub fn prefetch_all<T>(place: &T) {
    let first: *const u8 = std::ptr::from_ref(place).cast();
    (0..size_of::<T>()).step_by(64).for_each(|at| prefetch_at(first.wrapping_add(at)));
    prefetch_at(first.wrapping_add(size_of::<T>() - 1));
}

/// The same of any address, whatever is there.
#[inline(always)]
pub fn prefetch_at<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: PREFETCHT0 reads no memory architecturally and faults on no address; SSE is part of x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
