//! A loop with a state that its body ends.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::take;
use crate::combinators::opaque_debug;
use crate::combinators::run::Run;
use crate::error::Result;

/// The future of [`DoWith::until`](super::DoWith::until).
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct WithUntil<S, F, Fut> {
    state: Option<S>,
    body: F,
    #[pin]
    run: Run<Fut>,
}

impl<S, F, Fut> WithUntil<S, F, Fut> {
    pub(super) fn new(state: S, body: F) -> Self {
        Self { state: Some(state), body, run: Run::Next }
    }
}

opaque_debug!(WithUntil<S, F, Fut>);

impl<S, F, Fut, B> Future for WithUntil<S, F, Fut>
where
    F: FnMut(S) -> Fut,
    Fut: Future<Output = Result<ControlFlow<B, S>>>,
{
    type Output = Result<B>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.run.drive(
            cx,
            &mut (this.state, this.body),
            |(state, body)| ControlFlow::Continue(body(take(state))),
            |(state, _), flow| flow.map_continue(|next| **state = Some(next)),
        )
    }
}
