//! A loop without an end.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::opaque_debug;
use super::run::Run;
use crate::error::Result;

/// Runs `body` for ever; only an error ends it.
///
/// **On drop** and **cancel safety**: as for
/// [all loops](crate::combinators#what-all-loops-have-in-common).
///
/// # Errors
/// The first error of the body ends the loop and is passed on: the only way out.
///
/// # Panics
/// If polled after it has ended.
///
/// # Examples
/// ```
/// use trill::Status;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let mut left = 3;
/// let Err(error) = trill::repeat(|| {
///     left -= 1;
///     async move { if left > 0 { Ok(()) } else { Err(Status::app(1, "nothing left").into()) } }
/// })
/// .await;
///
/// assert_eq!(error.app_code(), 1);
/// # });
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn repeat<F, Fut>(body: F) -> Repeat<F, Fut>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<()>>,
{
    Repeat { body, run: Run::Next }
}

/// The future of [`repeat()`].
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct Repeat<F, Fut> {
    body: F,
    #[pin]
    run: Run<Fut>,
}

opaque_debug!(Repeat<F, Fut>);

impl<F, Fut> Future for Repeat<F, Fut>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<()>>,
{
    type Output = Result<Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.run.drive(
            cx,
            this.body,
            |body| ControlFlow::Continue(body()),
            |_, ()| ControlFlow::Continue(()),
        )
    }
}
