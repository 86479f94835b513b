//! One run with a state.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;

use crate::combinators::opaque_debug;

/// The future of [`DoWith::run`](super::DoWith::run).
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct WithRun<S, F, Fut> {
    start: Option<(S, F)>,
    #[pin]
    run: Option<Fut>,
}

impl<S, F, Fut> WithRun<S, F, Fut> {
    pub(super) fn new(state: S, body: F) -> Self {
        Self { start: Some((state, body)), run: None }
    }
}

opaque_debug!(WithRun<S, F, Fut>);

impl<S, F, Fut> Future for WithRun<S, F, Fut>
where
    F: FnOnce(S) -> Fut,
    Fut: Future,
{
    type Output = Fut::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some((state, body)) = this.start.take() {
            this.run.set(Some(body(state)));
        }
        let run = this
            .run
            .as_mut()
            .as_pin_mut()
            .expect("`do_with(..).run(..)` was polled after it had ended");
        let outcome = ready!(run.poll(cx));
        this.run.set(None);
        Poll::Ready(outcome)
    }
}
