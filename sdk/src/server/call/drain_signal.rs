//! The end of a server, as its handlers see it coming.

use std::time::{Duration, Instant};

use crate::clock::now;
use crate::signal::Signal;
use crate::sync::Mutex;

/// The shutdown of a server, and the time when it stops waiting for its handlers.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    begun: Signal,
    /// The earliest of those who shut it down; `None` if none of them sets a limit.
    ends_at: Mutex<Option<Instant>>,
}

impl Drain {
    /// The server is being shut down, and waits until `ends_at` at the latest. The limits of
    /// earlier shutdowns count as well.
    pub(crate) fn begin(&self, ends_at: Option<Instant>) {
        let mut earliest = self.ends_at.lock();
        *earliest = earliest.into_iter().chain(ends_at).min();
        drop(earliest);
        self.begun.set();
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun.is_set()
    }

    /// Waits until it has begun. Cancel safe.
    pub(crate) async fn begun(&self) {
        self.begun.wait().await;
    }

    /// How long handlers have from now on.
    pub(crate) fn time_left(&self) -> Duration {
        self.ends_at.lock().map_or(Duration::MAX, |at| at.saturating_duration_since(now()))
    }
}
