//! A loop that counts.

use std::ops::{ControlFlow, Range};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::opaque_debug;
use super::run::Run;
use crate::error::Result;

/// Runs `body(0)`, `body(1)` and so on to `body(n - 1)`, one after the other.
///
/// `n` is any integer of which a [`Range`] can count, and the body gets the same type. With `n` 0
/// or less the body never runs.
///
/// **On drop** and **cancel safety**: as for
/// [all loops](crate::combinators#what-all-loops-have-in-common).
///
/// # Errors
/// The first error of the body ends the loop and is passed on; the rest is skipped.
///
/// # Panics
/// If polled after it has ended.
///
/// # Examples
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let mut seen = Vec::new();
/// trill::do_for(3_u64, |i| {
///     seen.push(i);
///     async { Ok(()) }
/// })
/// .await?;
///
/// assert_eq!(seen, [0, 1, 2]);
/// # Ok::<_, trill::Error>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn do_for<N, F, Fut>(n: N, body: F) -> DoFor<N, F, Fut>
where
    N: Default,
    Range<N>: Iterator<Item = N>,
    F: FnMut(N) -> Fut,
    Fut: Future<Output = Result<()>>,
{
    DoFor { numbers: N::default()..n, body, run: Run::Next }
}

/// The future of [`do_for()`].
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct DoFor<N, F, Fut> {
    numbers: Range<N>,
    body: F,
    #[pin]
    run: Run<Fut>,
}

opaque_debug!(DoFor<N, F, Fut>);

impl<N, F, Fut> Future for DoFor<N, F, Fut>
where
    Range<N>: Iterator<Item = N>,
    F: FnMut(N) -> Fut,
    Fut: Future<Output = Result<()>>,
{
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.run.drive(
            cx,
            &mut (this.numbers, this.body),
            |(numbers, body)| match numbers.next() {
                Some(i) => ControlFlow::Continue(body(i)),
                None => ControlFlow::Break(()),
            },
            |_, ()| ControlFlow::Continue(()),
        )
    }
}
