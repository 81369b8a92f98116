//! DPDK's log: into ours, and the last complaints kept for the message of whatever fails next.
//!
//! Drivers call many things errors that an operator can do nothing about, so an error of DPDK is a warning here and a
//! warning a piece of information. What matters fails a call as well, and the message of that failure carries the lines.
//! What is only tried, and may well be refused, is no problem: see [`quietly`].

use std::collections::VecDeque;
use std::ffi::{CStr, c_char};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use log::Level;

use crate::say::Quoted;

/// Complaints kept.
const KEPT: usize = 8;
/// RTE_LOG_ERR and RTE_LOG_WARNING, which DPDK numbers as syslog does.
const ERROR: u32 = 4;
const WARNING: u32 = 5;

/// What EAL adds to every failure of a driver, and which tells nothing.
const ECHOES: [&str; 2] = ["Failed to attach device on primary process", "Driver cannot attach the device"];

/// Nothing that is said now is a problem.
static QUIET: AtomicBool = AtomicBool::new(false);
static COMPLAINTS: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Sends DPDK's log to ours from now on. Wraps `rte_openlog_stream`.
pub(super) fn capture() {
    // SAFETY: `cw_log_to` keeps a function pointer, which lives as long as the program, and may be called before
    // `rte_eal_init`. When it fails DPDK logs to its default, stderr.
    unsafe { dpdk_sys::cw_log_to(Some(line)) };
}

/// Forgets the complaints so far, so that [`complaints`] speaks of what follows.
pub(super) fn forget() {
    COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// What DPDK complained about since [`forget`], in one line; `fallback` when it did not.
pub(super) fn complaints(fallback: &str) -> String {
    let lines = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
    let telling: Vec<&str> =
        lines.iter().map(String::as_str).filter(|line| !ECHOES.iter().any(|e| line.contains(e))).collect();
    if telling.is_empty() { fallback.to_owned() } else { telling.join("; ") }
}

/// Does something that may fail without harm: what DPDK says to it is logged for developers only.
pub(super) fn quietly<T>(attempt: impl FnOnce() -> T) -> T {
    QUIET.store(true, Ordering::Relaxed);
    let done = attempt();
    QUIET.store(false, Ordering::Relaxed);
    done
}

/// The text of a DPDK error number (`rte_strerror`); the sign does not matter.
pub(super) fn errno_text(number: i32) -> String {
    // SAFETY: `rte_strerror` takes any number and returns a string that this thread may read until its next call.
    unsafe { CStr::from_ptr(dpdk_sys::rte_strerror(number.abs())) }.to_string_lossy().into_owned()
}

/// Takes what DPDK logs.
unsafe extern "C" fn line(level: u32, text: *const c_char, length: usize) {
    // SAFETY: the shim passes the buffer of one write of a C stream, which is readable for `length` bytes.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
    for text in String::from_utf8_lossy(bytes).lines().map(str::trim).filter(|text| !text.is_empty()) {
        if level <= WARNING {
            let mut kept = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(text.to_owned());
        }
        let quiet = QUIET.load(Ordering::Relaxed) || ECHOES.iter().any(|echo| text.contains(echo));
        match level {
            ..=ERROR if !quiet => log::log!(
                target: "dpdk", Level::Warn, dpdk:% = Quoted(text);
                "DPDK reports a problem; see whether 'causeway show links' counts losses, and 'causeway log level debug' for more"
            ),
            WARNING if !quiet => log::log!(target: "dpdk", Level::Info, "{text}"),
            _ => log::log!(target: "dpdk", Level::Debug, "{text}"),
        }
    }
}
