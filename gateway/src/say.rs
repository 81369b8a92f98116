//! How things are told in the log: a sentence; for a problem, what to do; and `key=value` context to search and count by.
//!
//! ```text
//! WARN  the state file cannot be written; make room, or change state.directory path=/var/lib/causeway error="No space left"
//! ```
//!
//! `tests/layers.rs` holds the code to it: nothing else is logged above `debug`, and nothing at all by what a worker runs.

use std::fmt;

/// Tells of a problem: `complain!(warn, "what is wrong", "what to do"; port = name, error = error)`. There is at least one
/// key.
#[macro_export]
macro_rules! complain {
    ($level:ident, $what:expr, $cure:expr; $($key:ident = $value:expr),+ $(,)?) => {
        ::log::$level!($($key:% = $crate::say::Quoted(&$value)),+; "{}; {}", $what, $cure)
    };
}

/// Tells what has happened: `inform!("what happened"; macs = count)`. There is at least one key.
#[macro_export]
macro_rules! inform {
    ($what:expr; $($key:ident = $value:expr),+ $(,)?) => {
        ::log::info!($($key:% = $crate::say::Quoted(&$value)),+; "{}", $what)
    };
}

/// What to do about what should never happen.
pub const REPORT: &str = "restart the gateway, and please report it with this log";

/// A value of the context: as it is when it is one word, else in quotes with everything escaped that could be taken for
/// another line or another key.
pub struct Quoted<'a, T: ?Sized>(pub &'a T);

impl<T: fmt::Display + ?Sized> fmt::Display for Quoted<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let is_word =
            !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "\"=".contains(c));
        if is_word { f.write_str(&text) } else { write!(f, "{text:?}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_and_the_rest_is_quoted() {
        for (value, shown) in [
            ("up0", "up0"),
            ("", "\"\""),
            ("No space left", "\"No space left\""),
            ("a\nERROR forged", "\"a\\nERROR forged\""),
            ("a=b", "\"a=b\""),
            ("say \"so\"", "\"say \\\"so\\\"\""),
        ] {
            assert_eq!(Quoted(value).to_string(), shown);
        }
        assert_eq!(Quoted(&5).to_string(), "5");
    }
}
