//! The first success.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::join::{Children, Each, POLLED_AFTER_END, Wakes};
use super::opaque_debug;
use super::turn::Turn;
use crate::error::{Error, Result};

/// Runs all futures at once and gives the first success with the index of its future, or the last
/// failure if all fail.
///
/// Without futures the outcome is `None`, at once. If several are ready when the join is polled,
/// they are taken in input order: the lowest index wins among successes, and of failures the
/// highest index counts as the later one.
///
/// Iterators are read to their end here, before the first poll.
///
/// **On drop** it drops the futures that have not finished. The first success does the same with
/// the losers before it is handed out, so nothing of them is left when the `.await` returns.
///
/// **Cancel safety**: dropping it loses the last failure; otherwise it is as safe as its futures,
/// and so is losing.
///
/// # Errors
/// If every future fails: the error that came last in time.
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
/// let replicas = ["down", "up", "slow"].map(async |replica| match replica {
///     "down" => Err(Status::app(1, "cannot be reached").into()),
///     "slow" => std::future::pending().await,
///     _ => Ok(replica),
/// });
/// let first = trill::when_any_ok(replicas).await.transpose()?;
/// assert_eq!(first, Some((1, "up")));
/// # Ok::<_, trill::Error>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn when_any_ok<I, T>(inputs: I) -> WhenAnyOk<I::Item>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T>>,
{
    let children = Each::new(inputs);
    let unfinished = children.count();
    WhenAnyOk {
        running: Some(RunningAnyOk {
            children,
            wakes: Wakes::new(unfinished),
            unfinished,
            failure: None,
        }),
    }
}

/// The future of [`when_any_ok()`].
#[must_use = "futures do nothing unless polled"]
pub struct WhenAnyOk<F: Future> {
    running: Option<RunningAnyOk<F>>,
}

struct RunningAnyOk<F: Future> {
    children: Each<F>,
    wakes: Wakes,
    unfinished: usize,
    failure: Option<Error>,
}

opaque_debug!(WhenAnyOk<F: Future>);

impl<F, T> Future for WhenAnyOk<F>
where
    F: Future<Output = Result<T>>,
{
    type Output = Option<Result<(usize, T)>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let RunningAnyOk { children, wakes, unfinished, failure } =
            self.running.as_mut().expect(POLLED_AFTER_END);
        let mut turn = Turn::new();
        wakes.start_turn(cx);
        while *unfinished > 0 {
            let Some((index, waker)) = wakes.next() else { return Poll::Pending };
            let Poll::Ready(outcome) =
                children.poll_output(index, &mut Context::from_waker(&waker))
            else {
                continue;
            };
            *unfinished -= 1;
            match outcome {
                Ok(value) => {
                    self.running = None;
                    return Poll::Ready(Some(Ok((index, value))));
                }
                Err(error) => *failure = Some(error),
            }
            if turn.is_over(cx) {
                return Poll::Pending;
            }
        }
        let failure = failure.take();
        self.running = None;
        Poll::Ready(failure.map(Err))
    }
}
