//! The loop that all loops share.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;

use super::turn::Turn;
use crate::error::Result;

/// Where a loop stands: between two runs of its body, in one, or at the end.
#[pin_project(project = RunProjection)]
pub(super) enum Run<Fut> {
    Next,
    Running(#[pin] Fut),
    Ended,
}

impl<Fut, T> Run<Fut>
where
    Fut: Future<Output = Result<T>>,
{
    /// Runs the loop until it ends, waits, or has had its turn.
    ///
    /// `start` gives the next run or ends the loop; `finished` takes a run's value and ends the
    /// loop or lets it go on. `parts` is what both of them work on.
    pub(super) fn drive<P, Out>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &mut P,
        start: impl Fn(&mut P) -> ControlFlow<Out, Fut>,
        finished: impl Fn(&mut P, T) -> ControlFlow<Out>,
    ) -> Poll<Result<Out>> {
        let mut turn = Turn::new();
        loop {
            match self.as_mut().project() {
                RunProjection::Next => match start(parts) {
                    ControlFlow::Continue(run) => self.set(Self::Running(run)),
                    ControlFlow::Break(out) => return self.end(Ok(out)),
                },
                RunProjection::Running(run) => {
                    let outcome = ready!(run.poll(cx));
                    // The run is dropped first: what it borrowed or locked is free when the loop
                    // looks at its parts again.
                    self.set(Self::Next);
                    match outcome.map(|value| finished(parts, value)) {
                        Ok(ControlFlow::Continue(())) => {}
                        Ok(ControlFlow::Break(out)) => return self.end(Ok(out)),
                        Err(error) => return self.end(Err(error)),
                    }
                    if turn.is_over(cx) {
                        return Poll::Pending;
                    }
                }
                RunProjection::Ended => panic!("a loop was polled after it had ended"),
            }
        }
    }

    fn end<Out>(mut self: Pin<&mut Self>, outcome: Result<Out>) -> Poll<Result<Out>> {
        self.set(Self::Ended);
        Poll::Ready(outcome)
    }
}
