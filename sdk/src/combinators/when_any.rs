//! The first outcome.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::join::{Children, Each, POLLED_AFTER_END, Wakes};
use super::opaque_debug;

/// Runs all futures at once and gives the first outcome, success or failure, with the index of its
/// future.
///
/// Without futures the outcome is `None`, at once. If several are ready when the join is polled,
/// the lowest index wins; those behind it are then not polled any more.
///
/// Iterators are read to their end here, before the first poll.
///
/// **On drop** it drops all futures. The first outcome does the same with the losers before it is
/// handed out, so nothing of them is left when the `.await` returns.
///
/// **Cancel safety**: dropping it loses nothing that was there; otherwise it is as safe as its
/// futures, and so is losing.
///
/// # Panics
/// If polled after it has ended.
///
/// # Examples
/// ```
/// use std::future;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let one_of_three = async |n| if n == 1 { "ready" } else { future::pending().await };
/// let first = trill::when_any((0..3).map(one_of_three)).await;
/// assert_eq!(first, Some((1, "ready")));
///
/// let none = trill::when_any([future::ready(()); 0]).await;
/// assert_eq!(none, None);
/// # });
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn when_any<I>(inputs: I) -> WhenAny<I::Item>
where
    I: IntoIterator,
    I::Item: Future,
{
    let children = Each::new(inputs);
    let wakes = Wakes::new(children.count());
    WhenAny { running: Some(RunningAny { children, wakes }) }
}

/// The future of [`when_any()`].
#[must_use = "futures do nothing unless polled"]
pub struct WhenAny<F: Future> {
    running: Option<RunningAny<F>>,
}

struct RunningAny<F: Future> {
    children: Each<F>,
    wakes: Wakes,
}

opaque_debug!(WhenAny<F: Future>);

impl<F: Future> Future for WhenAny<F> {
    type Output = Option<(usize, F::Output)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let RunningAny { children, wakes } = self.running.as_mut().expect(POLLED_AFTER_END);
        if children.count() == 0 {
            self.running = None;
            return Poll::Ready(None);
        }
        wakes.start_turn(cx);
        while let Some((index, waker)) = wakes.next() {
            if let Poll::Ready(output) =
                children.poll_output(index, &mut Context::from_waker(&waker))
            {
                self.running = None;
                return Poll::Ready(Some((index, output)));
            }
        }
        Poll::Pending
    }
}
