//! A loop with a state that goes on as long as a condition holds.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::{put, take};
use crate::combinators::opaque_debug;
use crate::combinators::run::Run;
use crate::error::Result;

/// The future of [`DoWith::run_while`](super::DoWith::run_while).
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct WithWhile<S, C, F, Fut> {
    state: Option<S>,
    condition: C,
    body: F,
    #[pin]
    run: Run<Fut>,
}

impl<S, C, F, Fut> WithWhile<S, C, F, Fut> {
    pub(super) fn new(state: S, condition: C, body: F) -> Self {
        Self { state: Some(state), condition, body, run: Run::Next }
    }
}

opaque_debug!(WithWhile<S, C, F, Fut>);

impl<S, C, F, Fut> Future for WithWhile<S, C, F, Fut>
where
    C: FnMut(&S) -> bool,
    F: FnMut(S) -> Fut,
    Fut: Future<Output = Result<S>>,
{
    type Output = Result<S>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.run.drive(
            cx,
            &mut (this.state, this.condition, this.body),
            |(state, condition, body)| {
                let current = take(state);
                if condition(&current) {
                    ControlFlow::Continue(body(current))
                } else {
                    ControlFlow::Break(current)
                }
            },
            |(state, ..), value| put(state, value),
        )
    }
}
