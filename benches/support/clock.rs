//! The time stamp counter, and how fast it counts.

use std::time::{Duration, Instant};

/// Cycles since some moment; nanoseconds where the CPU is no x86-64.
#[inline]
pub fn cycles() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: RDTSC is part of every x86-64; the kernel forbids it only to processes that ask for that (PR_SET_TSC).
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        use std::sync::OnceLock;
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        BEGAN.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}

/// Cycles in a second, from the kernel's clock over a twentieth of a second.
pub fn hertz() -> u64 {
    let (began, first) = (Instant::now(), cycles());
    std::thread::sleep(Duration::from_millis(50));
    let (passed, last) = (began.elapsed(), cycles());
    ((last - first) as f64 / passed.as_secs_f64()) as u64
}
