//! Calls that arrived together.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;

use tokio::task::coop::has_budget_remaining;

use crate::driver::{Dispatch, IncomingCall, Link, give_way};
use crate::sync::Mutex;

use super::router::Router;
use super::run::Started;

/// The calls that a batch task starts before it lets other tasks go on, if they do not use up its
/// turn before.
const CALLS_PER_TURN: usize = 16;

/// Calls that arrived together on one connection.
///
/// Most unary handlers are done at their first poll, so these calls get no task each. Batch tasks,
/// as many as there are threads, take one call after the other, and write their answers together. A
/// handler that blocks its thread delays no other call of the batch: the batch tasks on the other
/// threads take what is left. It can delay other batches and connections, whose tasks tokio may
/// have queued on its thread; `spawn_blocking` is for that. The first call that has to wait shows
/// that these handlers do, and the rest get tasks of their own.
pub(super) struct Batch {
    router: Arc<Router>,
    link: Link,
    calls: Mutex<VecDeque<IncomingCall>>,
}

impl Batch {
    pub(super) fn start(router: Arc<Router>, link: &Link, calls: Vec<IncomingCall>) {
        let threads = tokio::runtime::Handle::current().metrics().num_workers();
        for task in Self::batch_tasks(router, link, calls, threads) {
            tokio::spawn(task.run());
        }
    }

    /// At most so many batch tasks, which are at work from now on.
    pub(super) fn batch_tasks(
        router: Arc<Router>,
        link: &Link,
        calls: Vec<IncomingCall>,
        most: usize,
    ) -> impl Iterator<Item = BatchTask> {
        let batch_tasks = most.min(calls.len());
        link.add_batch_tasks(batch_tasks);
        let batch = Arc::new(Self { router, link: link.clone(), calls: Mutex::new(calls.into()) });
        std::iter::repeat_n(batch, batch_tasks).map(BatchTask)
    }

    fn next(&self) -> Option<IncomingCall> {
        self.calls.lock().pop_front()
    }
}

/// A task that runs calls of a batch. It ends when none is left.
///
/// It wakes no task between two calls. tokio may put a task that is woken here into the LIFO slot
/// of this thread, where it is stuck if the next handler blocks. So the connection counts its batch
/// tasks, and does not wake its driver while there are some.
pub(super) struct BatchTask(Arc<Batch>);

impl BatchTask {
    pub(super) async fn run(self) {
        let Batch { router, link, .. } = &*self.0;
        loop {
            for _ in 0..CALLS_PER_TURN {
                let start_next = || self.0.next().map(|call| router.start(link, call, true));
                // Handlers' panics are caught where they run. This is for messages that cannot be
                // encoded without one: it is theirs alone.
                match std::panic::catch_unwind(AssertUnwindSafe(start_next)) {
                    Ok(Some(Started::Done)) => {}
                    Ok(Some(Started::Parked)) => return self.give_tasks(),
                    Ok(None) => return,
                    Err(_) => {
                        tracing::error!(peer = %link.peer(), "an answer panicked while it was written");
                    }
                }
                // Large bodies have used it up.
                if !has_budget_remaining() {
                    break;
                }
            }
            link.write();
            if has_budget_remaining() {
                let_others_begin().await;
            } else {
                give_way().await;
            }
        }
    }

    /// Gives each call that is left a task of its own.
    fn give_tasks(&self) {
        while let Some(call) = self.0.next() {
            self.0.router.call(&self.0.link, call);
        }
    }
}

impl Drop for BatchTask {
    fn drop(&mut self) {
        self.0.link.end_batch_task();
    }
}

/// Lets other tasks go first. Unlike with tokio's `yield_now`, other threads can take this task
/// over, should the next one keep its thread.
async fn let_others_begin() {
    let mut given = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
