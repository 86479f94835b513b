//! The events of a run, and those that should not have been.

use std::fmt::{self, Display, Formatter};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The names of what [`Counts`] shows.
pub(crate) const HEAD: &str = "      calls     messages    given up  broken off  restarts  kills";

/// How many failures are kept in words.
const KEPT: usize = 20;

/// Counts of a run, and its failures.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) calls: AtomicU64,
    pub(crate) messages: AtomicU64,
    /// Calls and streams that the caller dropped, or whose time it let pass.
    pub(crate) given_up: AtomicU64,
    /// Calls and streams that failed because of a fault.
    pub(crate) broken: AtomicU64,
    pub(crate) restarts: AtomicU64,
    pub(crate) kills: AtomicU64,
    failed: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Verdict {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn fail(&self, why: String) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() < KEPT {
            failures.push(why);
        }
    }

    pub(crate) fn judge(&self, what: &str, result: Result<(), String>) {
        if let Err(why) = result {
            self.fail(format!("{what}: {why}"));
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn counts(&self) -> Counts<'_> {
        Counts(self)
    }
}

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The counts as part of a line.
pub(crate) struct Counts<'a>(&'a Verdict);

impl Display for Counts<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Verdict { calls, messages, given_up, broken, restarts, kills, .. } = self.0;
        let (calls, messages, given_up) = (value(calls), value(messages), value(given_up));
        let (broken, restarts, kills) = (value(broken), value(restarts), value(kills));
        write!(
            f,
            "{calls:>11}  {messages:>11}  {given_up:>10}  {broken:>10}  {restarts:>8}  {kills:>5}"
        )
    }
}
