//! A loop that a question before each run ends.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::opaque_debug;
use super::run::Run;
use crate::error::Result;

/// Runs `body` again and again until `stop` says `true`.
///
/// `stop` is asked before every run, the first one included: if it says `true` at once, the body
/// never runs. After an error it is not asked again.
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
/// let sent = Cell::new(0);
/// trill::do_until_stop(|| sent.get() == 3, || async {
///     sent.set(sent.get() + 1);
///     Ok(())
/// })
/// .await?;
///
/// assert_eq!(sent.get(), 3);
/// # Ok::<_, trill::Error>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn do_until_stop<S, F, Fut>(stop: S, body: F) -> DoUntilStop<S, F, Fut>
where
    S: FnMut() -> bool,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<()>>,
{
    DoUntilStop { stop, body, run: Run::Next }
}

/// The future of [`do_until_stop()`].
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct DoUntilStop<S, F, Fut> {
    stop: S,
    body: F,
    #[pin]
    run: Run<Fut>,
}

opaque_debug!(DoUntilStop<S, F, Fut>);

impl<S, F, Fut> Future for DoUntilStop<S, F, Fut>
where
    S: FnMut() -> bool,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<()>>,
{
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.run.drive(
            cx,
            &mut (this.stop, this.body),
            |(stop, body)| {
                if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(body()) }
            },
            |_, ()| ControlFlow::Continue(()),
        )
    }
}
