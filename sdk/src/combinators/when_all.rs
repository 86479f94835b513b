//! All outcomes.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::join::{Children, Inputs, POLLED_AFTER_END, Wakes};
use super::opaque_debug;
use super::turn::Turn;

/// Runs all futures at once and gives every outcome, in input order, whatever it is.
///
/// `inputs` is a tuple of up to twelve futures, each of a type of its own, and gives a tuple; or
/// anything that can be iterated over and gives futures of one type, and gives a `Vec`. Without
/// futures the join is ready at once. It never fails: outcomes that are errors stand in their place
/// ([`try_when_all`](crate::try_when_all) ends at the first one).
///
/// Iterators are read to their end here, before the first poll.
///
/// **On drop** it drops the futures that have not finished and the outcomes of those that have.
///
/// **Cancel safety**: dropping it loses the outcomes that were there; otherwise it is as safe as
/// its futures.
///
/// # Panics
/// If polled after it has ended.
///
/// # Examples
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let (number, word) = trill::when_all((async { 1 }, async { "two" })).await;
/// assert_eq!((number, word), (1, "two"));
///
/// let squares = trill::when_all((1..=3).map(|n| async move { n * n })).await;
/// assert_eq!(squares, [1, 4, 9]);
/// # });
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn when_all<I, Kind>(inputs: I) -> WhenAll<I::Children>
where
    I: Inputs<Kind>,
{
    let children = inputs.into_children();
    let unfinished = children.count();
    WhenAll { children, wakes: Wakes::new(unfinished), unfinished, ended: false }
}

/// The future of [`when_all()`].
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct WhenAll<C> {
    #[pin]
    children: C,
    wakes: Wakes,
    unfinished: usize,
    ended: bool,
}

opaque_debug!(WhenAll<C>);

impl<C: Children> Future for WhenAll<C> {
    type Output = C::Outputs;

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
                if turn.is_over(cx) {
                    return Poll::Pending;
                }
            }
        }
        *this.ended = true;
        Poll::Ready(this.children.take_outputs())
    }
}
