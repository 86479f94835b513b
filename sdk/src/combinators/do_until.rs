//! A loop that its body ends.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::opaque_debug;
use super::run::Run;
use crate::error::Result;

/// Runs `body` again and again until it breaks.
///
/// `Ok(Continue(()))` asks for another run, `Ok(Break(value))` ends the loop with `value`. The body
/// runs at least once.
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
/// use std::ops::ControlFlow::{Break, Continue};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let mut words = ["one", "two", "stop", "three"].into_iter();
/// let seen = trill::do_until(|| {
///     let word = words.next();
///     async move { Ok(if word == Some("stop") { Break(word) } else { Continue(()) }) }
/// })
/// .await?;
///
/// assert_eq!(seen, Some("stop"));
/// assert_eq!(words.next(), Some("three"));
/// # Ok::<_, trill::Error>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn do_until<F, Fut, B>(body: F) -> DoUntil<F, Fut>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<ControlFlow<B>>>,
{
    DoUntil { body, run: Run::Next }
}

/// The future of [`do_until()`].
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct DoUntil<F, Fut> {
    body: F,
    #[pin]
    run: Run<Fut>,
}

opaque_debug!(DoUntil<F, Fut>);

impl<F, Fut, B> Future for DoUntil<F, Fut>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<ControlFlow<B>>>,
{
    type Output = Result<B>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.run.drive(cx, this.body, |body| ControlFlow::Continue(body()), |_, flow| flow)
    }
}
