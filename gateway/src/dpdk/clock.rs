//! The CPU's time stamp counter.

use dpdk_sys as sys;

/// Cycles since some moment. Wraps `rte_rdtsc`; the counters of all cores agree on CPUs with an invariant TSC.
pub fn cycles() -> u64 {
    // SAFETY: reads a register of the CPU.
    unsafe { sys::cw_cycles() }
}

/// Cycles in a second. Wraps `rte_get_tsc_hz`: 0 before DPDK runs.
pub fn hertz() -> u64 {
    // SAFETY: returns a number that DPDK set when it started.
    unsafe { sys::rte_get_tsc_hz() }
}
