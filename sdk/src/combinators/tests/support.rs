//! Futures that are opened by hand, and tasks that are polled by hand.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crate::{Error, Status};

/// Runs a future to its end on a runtime of its own.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// An error that can be told from others by its number.
pub(super) fn error(number: i32) -> Error {
    Status::app(number, "as the test wants it").into()
}

/// A future that is polled by hand and counts how often it is woken.
pub(super) struct Task<F> {
    future: Pin<Box<F>>,
    wakes: Arc<Wakes>,
}

impl<F: Future> Task<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future: Box::pin(future), wakes: Arc::default() }
    }

    pub(super) fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    pub(super) fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future that waits until its [`Key`] opens it.
pub(super) fn gate<T>() -> (Gate<T>, Key<T>) {
    let state = Arc::new(Mutex::new(State { value: None, waker: None, polls: 0, dropped: false }));
    (Gate(Arc::clone(&state)), Key(state))
}

/// Several gates at once.
pub(super) fn gates<T>(count: usize) -> (Vec<Gate<T>>, Vec<Key<T>>) {
    (0..count).map(|_| gate()).unzip()
}

pub(super) struct Gate<T>(Arc<Mutex<State<T>>>);

pub(super) struct Key<T>(Arc<Mutex<State<T>>>);

struct State<T> {
    value: Option<T>,
    waker: Option<Waker>,
    polls: usize,
    dropped: bool,
}

impl<T> Key<T> {
    pub(super) fn open(&self, value: T) {
        self.0.lock().unwrap().value = Some(value);
        self.wake();
    }

    /// Wakes without opening.
    pub(super) fn wake(&self) {
        let waker = self.0.lock().unwrap().waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn polls(&self) -> usize {
        self.0.lock().unwrap().polls
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.0.lock().unwrap().dropped
    }
}

impl<T> Future for Gate<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut state = self.0.lock().unwrap();
        state.polls += 1;
        state.waker = Some(cx.waker().clone());
        state.value.take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T> Drop for Gate<T> {
    fn drop(&mut self) {
        self.0.lock().unwrap().dropped = true;
    }
}

/// Writes its name down when it is dropped.
pub(super) struct Noted {
    name: &'static str,
    log: Log,
}

/// Names in the order in which they were written down.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    pub(super) fn noted(&self, name: &'static str) -> Noted {
        Noted { name, log: self.clone() }
    }

    pub(super) fn note(&self, name: &'static str) {
        self.0.lock().unwrap().push(name);
    }

    pub(super) fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.log.note(self.name);
    }
}
