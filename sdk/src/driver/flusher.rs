//! The task that writes what several have queued on a connection.
//!
//! While it is in the system call, which may take as long as the peer takes to answer when both
//! share a processor, the driver can be woken by that answer and read it. A connection that never
//! had several streams or calls at once has no such task.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::shared::Shared;

/// Writes when it is woken, by whoever leaves bytes in an empty outbox or by the driver. Never
/// ends: its owner is the driver, which aborts it.
pub(super) struct Flusher {
    shared: Arc<Shared>,
    /// It has let the others go first once, before it writes.
    yielded: bool,
}

impl Flusher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, yielded: false }
    }
}

impl Future for Flusher {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let expects_more = self.shared.set_flusher(cx);
        // Those who run now have something to add: one write to the socket for all of them.
        self.yielded = !self.yielded && expects_more;
        if self.yielded {
            cx.waker().wake_by_ref();
        } else {
            self.shared.flush();
        }
        Poll::Pending
    }
}
