//! A gateway that another program has started for itself alone.

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// From now on this process is told to stop when the thread that started it ends, however it does: even SIGKILL of
/// `causeway bench` leaves no gateway behind. `parent` is the process of that thread.
///
/// # Errors
///
/// When it has ended already, or the kernel refuses.
pub fn end_with(parent: u32) -> Result<(), String> {
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|error| format!("cannot follow process {parent} ({error})"))?;
    // It may have ended before it could be followed; then this process has another parent.
    match getppid() {
        Some(now) if now.as_raw_nonzero().get().unsigned_abs() == parent => Ok(()),
        _ => Err(format!("process {parent}, which started this gateway, has ended")),
    }
}
