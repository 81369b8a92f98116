//! Who is being served: both servers let in a bounded number of clients at once.

use std::io::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::complain;

/// Counts a client as long as it is there.
pub(in crate::telemetry) struct Guest(Arc<AtomicUsize>);

impl Guest {
    pub(in crate::telemetry) fn new(clients: &Arc<AtomicUsize>) -> Self {
        clients.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(clients))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Least time between two lines about clients that cannot be let in.
const QUIET: Duration = Duration::from_secs(60);

/// Tells of clients that wait because the system lets none in: now and then, as it may go on for long.
#[derive(Default)]
pub(in crate::telemetry) struct Queue {
    told: Option<Instant>,
}

impl Queue {
    /// The system refuses, for this reason.
    pub(in crate::telemetry) fn waits(&mut self, whose: &str, error: &Error) {
        if self.told.is_none_or(|told| told.elapsed() > QUIET) {
            self.told = Some(Instant::now());
            let cure = "raise the limit of open files (LimitNOFILE= of the service, 'ulimit -n')";
            complain!(warn, format_args!("clients of the {whose} wait, as they cannot be let in"), cure; error = error);
        }
    }
}
