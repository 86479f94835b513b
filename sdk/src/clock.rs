//! The only place that reads the time, and that makes timers where the runtime may have none. The
//! clock is tokio's, so that tests can pause it.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use tokio::runtime::Handle;
use tokio::task::coop::unconstrained;
use tokio::time::Sleep;

pub(crate) fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one clock that everything else asks"
    )]
    tokio::time::Instant::now().into_std()
}

/// A part that is missing where something is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lack {
    Runtime,
    Timers,
    Sockets,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Runtime => {
                "there is no tokio runtime here: call it in an async function that a runtime runs, such as \
                 `#[tokio::main] async fn main`"
            }
            Self::Timers => "this tokio runtime has no timers: build it with `enable_time` or `enable_all`",
            Self::Sockets => "this tokio runtime has no sockets: build it with `enable_io` or `enable_all`",
        })
    }
}

/// Checks that there is a runtime here, with timers, and with sockets if they are needed.
pub(crate) fn check_runtime(needs_sockets: bool) -> Result<(), Lack> {
    drop(sleep(Duration::ZERO)?);
    if needs_sockets {
        made(Lack::Sockets, || drop(tokio::net::UnixDatagram::unbound()))?;
    }
    Ok(())
}

/// A timer of the runtime where this is called.
pub(crate) fn sleep(limit: Duration) -> Result<Sleep, Lack> {
    made(Lack::Timers, || tokio::time::sleep(limit))
}

/// The same, until then.
pub(crate) fn sleep_until(at: Instant) -> Result<Sleep, Lack> {
    made(Lack::Timers, || tokio::time::sleep_until(at.into()))
}

/// Waits for it until then; `None` if it is not ready in time. Work that uses up its task's budget
/// each time does not hold up the timer.
pub(crate) async fn wait_until<F: Future + Unpin>(
    at: Instant,
    work: F,
) -> Result<Option<F::Output>, Lack> {
    let late = pin!(unconstrained(sleep_until(at)?));
    Ok(match select(work, late).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    })
}

/// tokio has no other way to tell what a runtime was built with.
fn made<T>(lack: Lack, make: impl FnOnce() -> T) -> Result<T, Lack> {
    if Handle::try_current().is_err() {
        return Err(Lack::Runtime);
    }
    catch_unwind(AssertUnwindSafe(make)).map_err(|_| lack)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// tokio's timers wait for the next turn when a task's budget is used up.
    #[tokio::test]
    async fn a_limit_passes_also_for_work_that_uses_up_each_turn() {
        let work = Box::pin(async {
            loop {
                tokio::task::coop::consume_budget().await;
            }
        });
        let limited = wait_until(now() + Duration::from_millis(10), work);
        let limited = tokio::time::timeout(Duration::from_secs(20), limited).await;
        let done: Option<()> = limited.expect("the limit passes").unwrap();
        assert!(done.is_none());
    }
}
