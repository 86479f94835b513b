//! All values, or the first error.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::join::{Inputs, POLLED_AFTER_END, TryChildren, Wakes};
use super::opaque_debug;
use super::turn::Turn;
use crate::error::Result;

/// Runs all futures at once and gives every value, in input order, unless one of them fails.
///
/// Takes what [`when_all`](crate::when_all) takes, with [`Result`] as the output of each future.
/// Without futures it is ready at once. If several have failed between two polls, the error of the
/// first in input order among those counts.
///
/// **On drop** it drops the futures that have not finished and the values of those that have. The
/// first error does the same before it is handed out.
///
/// **Cancel safety**: dropping it loses the values that were there; otherwise it is as safe as its
/// futures.
///
/// # Errors
/// The first error of a future ends the join and is passed on.
///
/// # Panics
/// If polled after it has ended.
///
/// # Examples
/// Two calls at once:
/// ```
/// # use trill::{Context, Result};
/// # #[trill::service]
/// # trait Greeter { async fn greet(&self, cx: Context, name: String) -> Result<String>; }
/// async fn greet_both(client: &GreeterClient) -> Result<(String, String)> {
///     trill::try_when_all((client.greet("Ann".into()), client.greet("Bo".into()))).await
/// }
/// ```
///
/// ```
/// use trill::Status;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let (number, word) = trill::try_when_all((async { Ok(1) }, async { Ok("two") })).await?;
/// assert_eq!((number, word), (1, "two"));
///
/// let halves = [4, 3, 2].map(async |n| match n % 2 {
///     0 => Ok(n / 2),
///     _ => Err(Status::app(n, "odd").into()),
/// });
/// let error = trill::try_when_all(halves).await.unwrap_err();
/// assert_eq!(error.app_code(), 3);
/// # Ok::<_, trill::Error>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn try_when_all<I, Kind>(inputs: I) -> TryWhenAll<I::Children>
where
    I: Inputs<Kind>,
    I::Children: TryChildren,
{
    let children = inputs.into_children();
    let unfinished = super::join::Children::count(&children);
    TryWhenAll { children, wakes: Wakes::new(unfinished), unfinished, ended: false }
}

/// The future of [`try_when_all()`].
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct TryWhenAll<C> {
    #[pin]
    children: C,
    wakes: Wakes,
    unfinished: usize,
    ended: bool,
}

opaque_debug!(TryWhenAll<C>);

impl<C: TryChildren> Future for TryWhenAll<C> {
    type Output = Result<C::Values>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        assert!(!*this.ended, "{POLLED_AFTER_END}");
        let mut turn = Turn::new();
        this.wakes.start_turn(cx);
        while *this.unfinished > 0 {
            let Some((index, waker)) = this.wakes.next() else { return Poll::Pending };
            if this.children.as_mut().poll_child(index, &mut Context::from_waker(&waker)).is_ready()
            {
                *this.unfinished -= 1;
                if let Some(error) = this.children.as_mut().take_error(index) {
                    *this.ended = true;
                    this.children.clear();
                    return Poll::Ready(Err(error));
                }
                if turn.is_over(cx) {
                    return Poll::Pending;
                }
            }
        }
        *this.ended = true;
        Poll::Ready(Ok(this.children.take_values()))
    }
}
