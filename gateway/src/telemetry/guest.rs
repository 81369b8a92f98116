//! Who is being served: both servers let in a bounded number of clients at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
