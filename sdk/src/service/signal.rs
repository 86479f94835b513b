//! Something that happens once, and that anybody may wait for.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Set once, seen by everybody, also by those who look later.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    set: AtomicBool,
    /// Wakes those who wait.
    notify: Notify,
}

impl Signal {
    pub(crate) fn set(&self) {
        self.set.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    pub(crate) fn is_set(&self) -> bool {
        self.set.load(Ordering::SeqCst)
    }

    /// Waits until it is set. Cancel safe.
    pub(crate) async fn wait(&self) {
        // Made before the flag is read, so that a setting in between wakes it.
        let notified = self.notify.notified();
        if !self.is_set() {
            notified.await;
        }
    }
}
