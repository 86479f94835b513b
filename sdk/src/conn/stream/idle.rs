//! The idle timeout of one stream.

use std::time::{Duration, Instant};

/// How many looks the timeout is long. A stream lives for one look longer at most.
const LOOKS: u32 = 4;

/// Looks now and then whether messages come or go. It lives in a box, because few streams have one.
#[derive(Debug)]
pub(crate) struct Idle {
    limit: Duration,
    looks: u32,
    next: Option<Instant>,
}

impl Idle {
    pub(in crate::conn) fn new(limit: Duration) -> Self {
        Self { limit, looks: 0, next: None }
    }

    pub(in crate::conn) fn limit(&self) -> Duration {
        self.limit
    }

    /// When to look next, after a look at `now`.
    pub(in crate::conn) fn set_next(&mut self, now: Instant) -> Option<Instant> {
        self.next = now.checked_add(self.limit / LOOKS);
        self.next
    }

    /// When it is to be looked at, which it is not any more.
    pub(in crate::conn) fn take_next(&mut self) -> Option<Instant> {
        self.next.take()
    }

    /// `moved` says whether there were messages since the last look. `true`: there were none for
    /// too long.
    pub(in crate::conn) fn look(&mut self, moved: bool) -> bool {
        self.looks = if moved { 0 } else { self.looks + 1 };
        self.looks == LOOKS
    }
}
