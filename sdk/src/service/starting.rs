//! From calls that have arrived to handlers that run.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};

use crate::sync::Mutex;
use crate::transport::{Dispatch, IncomingCall, IncomingStream, Link};

use super::router::Router;

/// How many calls a runner starts before it lets other tasks go on.
const CALLS_PER_TURN: usize = 64;

/// Starts what arrives on one connection.
///
/// Most unary handlers are done at their first poll, so they get no task of their own at first: a task, the runner, starts one after the
/// other, and then writes all answers at once. Should a handler keep the runner's thread, the connection's driver, which looks after a
/// millisecond, sends a new runner for the calls behind it, and writes the answers before it. So nobody waits for a slow handler as long
/// as a thread is free.
pub(crate) struct Dispatcher {
    router: Arc<Router>,
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct Waiting {
    calls: Mutex<VecDeque<IncomingCall>>,
    /// A runner is on its way.
    coming: AtomicBool,
    /// How many runners there are.
    runners: AtomicUsize,
}

impl Dispatcher {
    pub(crate) fn new(router: Arc<Router>) -> Self {
        Self { router, waiting: Arc::default() }
    }
}

impl Dispatch for Dispatcher {
    fn calls(&self, calls: &mut Vec<IncomingCall>) {
        self.waiting.calls.lock().extend(calls.drain(..));
    }

    fn run_calls(&self, link: &Link) -> bool {
        let left = self.waiting.calls.lock().len();
        let before = self.waiting.runners.load(Ordering::Acquire);
        if left > 0 && !self.waiting.coming.swap(true, Ordering::AcqRel) {
            // What is spawned last runs on this thread, and keeps it from everything else, timers included. With a second one, which any
            // thread can take, another thread is awake.
            let runners = if left > 1 && before == 0 { 2 } else { 1 };
            self.waiting.runners.fetch_add(runners, Ordering::AcqRel);
            for _ in 0..runners {
                tokio::spawn(run(Arc::clone(&self.router), link.clone(), Arc::clone(&self.waiting)));
            }
        }
        // A runner with one call keeps nobody waiting.
        left > 1 || before > 0
    }

    fn stream(&self, link: &Link, stream: IncomingStream) {
        self.router.start_stream(link, stream);
    }
}

/// A runner. It ends when no call waits.
async fn run(router: Arc<Router>, link: Link, waiting: Arc<Waiting>) {
    waiting.coming.store(false, Ordering::Release);
    loop {
        for _ in 0..CALLS_PER_TURN {
            let Some(call) = waiting.calls.lock().pop_front() else {
                waiting.runners.fetch_sub(1, Ordering::AcqRel);
                link.write();
                return;
            };
            // Handlers' panics are caught where they run. This is for messages that cannot be encoded without one: it is theirs alone.
            let started = std::panic::catch_unwind(AssertUnwindSafe(|| router.start_call(&link, call)));
            if started.is_err() {
                tracing::error!(peer = %link.peer(), "an answer panicked while it was written");
            }
        }
        link.write();
        tokio::task::yield_now().await;
    }
}

/// Runs a call: to its end if it does not have to wait, else in a task of its own.
pub(super) fn start(call: impl Future<Output = ()> + Send + 'static) {
    let mut call: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(call);
    // Whatever it waits for is asked again by the task, which polls it at once.
    if call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        tokio::spawn(call);
    }
}
