//! A loop with a state that a question before each run ends.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::{put, take};
use crate::combinators::opaque_debug;
use crate::combinators::run::Run;
use crate::error::Result;

/// The future of [`DoWith::until_stop`](super::DoWith::until_stop).
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct WithUntilStop<S, P, F, Fut> {
    state: Option<S>,
    stop: P,
    body: F,
    #[pin]
    run: Run<Fut>,
}

impl<S, P, F, Fut> WithUntilStop<S, P, F, Fut> {
    pub(super) fn new(state: S, stop: P, body: F) -> Self {
        Self { state: Some(state), stop, body, run: Run::Next }
    }
}

opaque_debug!(WithUntilStop<S, P, F, Fut>);

impl<S, P, F, Fut> Future for WithUntilStop<S, P, F, Fut>
where
    P: FnMut(&S) -> bool,
    F: FnMut(S) -> Fut,
    Fut: Future<Output = Result<S>>,
{
    type Output = Result<S>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.run.drive(
            cx,
            &mut (this.state, this.stop, this.body),
            |(state, stop, body)| {
                let current = take(state);
                if stop(&current) {
                    ControlFlow::Break(current)
                } else {
                    ControlFlow::Continue(body(current))
                }
            },
            |(state, ..), value| put(state, value),
        )
    }
}
