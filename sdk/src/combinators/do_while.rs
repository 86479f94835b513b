//! A loop that goes on as long as a condition holds.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::opaque_debug;
use super::run::Run;
use crate::error::Result;

/// Runs `body` again and again as long as `condition` says `true`.
///
/// `condition` is asked before every run, the first one included: if it says `false` at once, the
/// body never runs. After an error it is not asked again.
///
/// **On drop** and **cancel safety**: as for
/// [all loops](crate::combinators#what-all-loops-have-in-common).
///
/// # Errors
/// The first error of the body ends the loop and is passed on.
///
/// # Panics
/// If polled after it has ended.
///
/// # Examples
/// ```
/// use std::cell::Cell;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let left = Cell::new(3);
/// trill::do_while(|| left.get() > 0, || async {
///     left.set(left.get() - 1);
///     Ok(())
/// })
/// .await?;
///
/// assert_eq!(left.get(), 0);
/// # Ok::<_, trill::Error>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn do_while<C, F, Fut>(condition: C, body: F) -> DoWhile<C, F, Fut>
where
    C: FnMut() -> bool,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<()>>,
{
    DoWhile { condition, body, run: Run::Next }
}

/// The future of [`do_while()`].
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct DoWhile<C, F, Fut> {
    condition: C,
    body: F,
    #[pin]
    run: Run<Fut>,
}

opaque_debug!(DoWhile<C, F, Fut>);

impl<C, F, Fut> Future for DoWhile<C, F, Fut>
where
    C: FnMut() -> bool,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<()>>,
{
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.run.drive(
            cx,
            &mut (this.condition, this.body),
            |(condition, body)| {
                if condition() { ControlFlow::Continue(body()) } else { ControlFlow::Break(()) }
            },
            |_, ()| ControlFlow::Continue(()),
        )
    }
}
