//! The primitives that hand-written synchronisation is made of, in one place.

use std::sync::{MutexGuard, PoisonError};

/// A mutex that does not poison: what it guards is kept consistent by its users, also when they panic.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
