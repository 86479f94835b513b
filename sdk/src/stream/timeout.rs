//! A limit of time for one operation.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project::pin_project;
use tokio::task::coop::unconstrained;
use tokio::time::Sleep;

use crate::clock::{Lack, sleep};
use crate::error::{Error, Result};

/// An operation with a limit of time: the future of `.timeout(limit)` on a read or a write.
///
/// The clock starts with the first poll. If the operation and the limit are ready together, the
/// operation wins; a limit of zero gives what is ready at once. **On drop** and after the limit,
/// the operation is dropped, which loses nothing.
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

    /// The error if there is no timer for the limit.
    fn no_timer(&self, lack: Lack) -> Error;
}

/// The state of the connection's `read_timeout` or `write_timeout` for an operation. Small and
/// without a destructor, because most operations never wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Clock {
    /// The limit counts, and the operation has not waited yet.
    #[default]
    Counts,
    /// The limit counts, and its time runs.
    Runs,
    /// The operation has a limit of its own.
    Off,
}

/// The timer of a default limit. A handle keeps it from one operation to the next; it is made when
/// one has to wait for the first time.
#[derive(Debug, Default)]
pub(super) struct Patience(Option<Pin<Box<Sleep>>>);

impl Patience {
    /// Tells whether no operation has had to wait yet, or none has a limit.
    pub(super) fn is_unused(&self) -> bool {
        self.0.is_none()
    }

    /// Waits until the time of a waiting operation is up.
    pub(super) fn poll(
        &mut self,
        default: &mut Clock,
        limit: Option<Duration>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Duration, Lack>> {
        let Some(limit) = limit else { return Poll::Pending };
        match (*default, &mut self.0) {
            (Clock::Off, _) => return Poll::Pending,
            (Clock::Counts, _) | (_, None) => match sleep(limit) {
                Ok(sleep) => self.0 = Some(Box::pin(sleep)),
                Err(lack) => return Poll::Ready(Err(lack)),
            },
            (Clock::Runs, Some(_)) => {}
        }
        *default = Clock::Runs;
        let sleep = self.0.as_mut().expect("made above");
        poll_time(sleep.as_mut(), cx).map(|()| Ok(limit))
    }
}

/// Waits until the time is up. An operation that unpacks uses up the task's turn each time, so the
/// timer does not ask for what is left of that.
pub(crate) fn poll_time(timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    pin!(unconstrained(timer)).poll(cx)
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
            match sleep(*this.limit) {
                Ok(sleep) => this.sleep.set(Some(sleep)),
                Err(lack) => return Poll::Ready(Err(this.operation.no_timer(lack))),
            }
        }
        let sleep = this.sleep.as_pin_mut().expect("set above");
        poll_time(sleep, cx).map(|()| Err(this.operation.timed_out(*this.limit)))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use crate::driver::pay;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_has_used_up_its_turn_learns_that_the_time_is_up() {
        let limit = Duration::from_secs(1);
        let mut timer = pin!(tokio::time::sleep(limit));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(poll_time(timer.as_mut(), &mut cx).is_pending());
        tokio::time::advance(2 * limit).await;
        pay(usize::MAX);
        assert!(!tokio::task::coop::has_budget_remaining());
        assert!(poll_time(timer.as_mut(), &mut cx).is_ready());
    }
}
