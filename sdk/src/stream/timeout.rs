//! A limit of time for one operation.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project::pin_project;
use tokio::time::Sleep;

use crate::error::{Error, Result};

/// An operation with a limit of time: the future of `.timeout(limit)` on a read or a write.
///
/// The clock starts with the first poll. If the operation and the limit are ready together, the operation wins; a limit of zero
/// gives what is ready at once. **On drop** and after the limit, the operation is dropped, which loses nothing.
#[must_use = "futures do nothing unless polled"]
#[pin_project]
#[derive(Debug)]
pub struct Timeout<F> {
    #[pin]
    operation: F,
    limit: Duration,
    #[pin]
    sleep: Option<Sleep>,
}

/// An operation that can say what it means that it took too long.
pub(super) trait TimedOut {
    fn timed_out(&self, limit: Duration) -> Error;
}

/// The limit of an operation that does not say its own: the connection's `read_timeout` or `write_timeout`. The timer is made when the
/// operation has to wait, so one that does not wait costs nothing.
#[derive(Debug, Default)]
pub(super) enum DefaultLimit {
    /// It has not waited yet.
    #[default]
    Unset,
    Waits(Pin<Box<Sleep>>),
    /// It has a limit of its own.
    Off,
}

impl DefaultLimit {
    /// Whether the time is up of an operation that waits.
    pub(super) fn poll(&mut self, limit: Option<Duration>, cx: &mut Context<'_>) -> Poll<Duration> {
        let Some(limit) = limit else { return Poll::Pending };
        if matches!(self, Self::Unset) {
            *self = Self::Waits(Box::pin(tokio::time::sleep(limit)));
        }
        match self {
            Self::Waits(sleep) => sleep.as_mut().poll(cx).map(|()| limit),
            Self::Unset | Self::Off => Poll::Pending,
        }
    }
}

impl<F> Timeout<F> {
    pub(super) fn new(operation: F, limit: Duration) -> Self {
        Self { operation, limit, sleep: None }
    }
}

impl<T, F: Future<Output = Result<T>> + TimedOut> Future for Timeout<F> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(result) = this.operation.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        if this.sleep.is_none() {
            this.sleep.set(Some(tokio::time::sleep(*this.limit)));
        }
        let sleep = this.sleep.as_pin_mut().expect("set above");
        sleep.poll(cx).map(|()| Err(this.operation.timed_out(*this.limit)))
    }
}
