//! Commands of our own on DPDK's telemetry socket (`dpdk-telemetry.py`), beside `/ethdev/stats` and its like.

use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::{Mutex, PoisonError};

use dpdk_sys as sys;

use super::Eal;

/// What a command says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Names.
    List(Vec<String>),
    /// Numbers by name.
    Numbers(Vec<(String, u64)>),
}

/// A command: its path and a sentence on it.
pub type Command = (&'static CStr, &'static CStr);

/// Answers a command with its parameters; `None` when there is no such thing.
pub type Teller = Box<dyn Fn(&str, &str) -> Option<Said> + Send>;

/// Who answers while a gateway runs. DPDK forgets no command, so this is what comes and goes.
static TELLER: Mutex<Option<Teller>> = Mutex::new(None);

/// Entries of a list or dictionary that DPDK takes, one less than its bound.
const MOST: usize = 255;

/// Answers on the socket until dropped.
pub struct Telling {
    _eal: Eal,
}

impl Telling {
    /// Registers `commands` (`rte_telemetry_register_cmd`) and answers them with `teller`, on DPDK's own thread. A command
    /// that DPDK does not take is missing there, and nothing else.
    pub fn start(eal: &Eal, commands: &[Command], teller: Teller) -> Self {
        *TELLER.lock().unwrap_or_else(PoisonError::into_inner) = Some(teller);
        for (path, help) in commands {
            // SAFETY: both strings are static and end in zero; DPDK copies them. `answer` has the type of a callback and
            // may be called from any thread at any time: it takes what it needs from behind a lock.
            if unsafe { sys::rte_telemetry_register_cmd(path.as_ptr(), Some(answer), help.as_ptr()) } != 0 {
                ::log::debug!(target: "dpdk", "telemetry takes no command {path:?}");
            }
        }
        Self { _eal: eal.clone() }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        *TELLER.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// DPDK asks.
///
/// # Safety
///
/// Called by DPDK: `command` ends in zero, `parameters` does or is null, `data` is DPDK's to be filled.
unsafe extern "C" fn answer(command: *const c_char, parameters: *const c_char, data: *mut sys::rte_tel_data) -> c_int {
    let text = |pointer: *const c_char| match pointer.is_null() {
        true => String::new(),
        // SAFETY: see above.
        false => unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned(),
    };
    let (command, parameters) = (text(command), text(parameters));
    let teller = TELLER.lock().unwrap_or_else(PoisonError::into_inner);
    match teller.as_ref().and_then(|teller| teller(&command, &parameters)) {
        // SAFETY: `data` is DPDK's, see above.
        Some(said) => unsafe { fill(data, &said) },
        None => -1,
    }
}

/// # Safety
///
/// `data` is what DPDK gave to a callback that runs.
unsafe fn fill(data: *mut sys::rte_tel_data, said: &Said) -> c_int {
    let text = |text: &str| CString::new(text.replace('\0', "")).unwrap_or_default();
    // SAFETY: `data` is valid by contract; strings end in zero and are copied; the shim checks DPDK's bounds.
    unsafe {
        match said {
            Said::List(names) => {
                sys::cw_tel_list(data);
                names.iter().take(MOST).for_each(|name| _ = sys::cw_tel_name(data, text(name).as_ptr()));
            }
            Said::Numbers(numbers) => {
                sys::cw_tel_numbers(data);
                let numbers = numbers.iter().take(MOST);
                numbers.for_each(|(name, number)| _ = sys::cw_tel_number(data, text(name).as_ptr(), *number));
            }
        }
    }
    0
}
