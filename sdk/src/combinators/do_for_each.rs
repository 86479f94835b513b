//! A loop over the items of an iterator.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::opaque_debug;
use super::run::Run;
use crate::error::Result;

/// Runs `body` on each item of `items`, in order, one after the other.
///
/// The next item is taken when the run before has finished; after an error no more are taken. No
/// items, no runs.
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
/// let mut total = 0;
/// trill::do_for_each(["a", "bb", "ccc"], |name| {
///     total += name.len();
///     async { Ok(()) }
/// })
/// .await?;
///
/// assert_eq!(total, 6);
/// # Ok::<_, trill::Error>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn do_for_each<I, F, Fut>(items: I, body: F) -> DoForEach<I::IntoIter, F, Fut>
where
    I: IntoIterator,
    F: FnMut(I::Item) -> Fut,
    Fut: Future<Output = Result<()>>,
{
    DoForEach { items: items.into_iter(), body, run: Run::Next }
}

/// The future of [`do_for_each()`].
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct DoForEach<I, F, Fut> {
    items: I,
    body: F,
    #[pin]
    run: Run<Fut>,
}

opaque_debug!(DoForEach<I, F, Fut>);

impl<I, F, Fut> Future for DoForEach<I, F, Fut>
where
    I: Iterator,
    F: FnMut(I::Item) -> Fut,
    Fut: Future<Output = Result<()>>,
{
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.run.drive(
            cx,
            &mut (this.items, this.body),
            |(items, body)| match items.next() {
                Some(item) => ControlFlow::Continue(body(item)),
                None => ControlFlow::Break(()),
            },
            |_, ()| ControlFlow::Continue(()),
        )
    }
}
