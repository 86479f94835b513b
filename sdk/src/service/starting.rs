//! From calls that have arrived to handlers that run.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use crate::sync::Mutex;
use crate::transport::{Dispatch, IncomingCall, IncomingStream, Link};

use super::router::Router;

/// How many calls a runner starts before it lets other tasks go on.
const CALLS_PER_TURN: usize = 64;

/// Starts what arrives on one connection.
///
/// Most unary handlers are done at their first poll, so they get no task of their own at first: a task, the runner, starts one after the
/// other. Should a handler keep the runner's thread, the connection's driver, which is polled on another thread then, sends a new runner
/// for the calls behind it. So nobody waits for a slow handler as long as a thread is free, as if each call had a task.
pub(crate) struct Dispatcher {
    router: Arc<Router>,
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct Waiting {
    calls: Mutex<VecDeque<IncomingCall>>,
    /// A runner is on its way.
    coming: AtomicBool,
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
        if self.waiting.calls.lock().is_empty() {
            return false;
        }
        if !self.waiting.coming.swap(true, Ordering::AcqRel) {
            tokio::spawn(run(Arc::clone(&self.router), link.clone(), Arc::clone(&self.waiting)));
        }
        true
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
            let Some(call) = waiting.calls.lock().pop_front() else { return };
            router.start_call(&link, call);
        }
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
