//! The primitives that hand-written synchronisation is made of, in one place. Under
//! `cfg(trill_loom)` they are loom's, whose models try every order of events (`CONTRIBUTING.md`).

#[cfg(all(trill_loom, test))]
use loom::sync as primitives;
#[cfg(not(all(trill_loom, test)))]
use std::sync as primitives;

use std::sync::PoisonError;

use primitives::MutexGuard;

pub(crate) use primitives::atomic::{AtomicBool, Ordering};

/// A mutex that does not poison: what it guards is kept consistent by its users, also when they
/// panic.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(primitives::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(primitives::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
