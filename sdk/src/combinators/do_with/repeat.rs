//! A loop with a state and without an end.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::{put, take};
use crate::combinators::opaque_debug;
use crate::combinators::run::Run;
use crate::error::Result;

/// The future of [`DoWith::repeat`](super::DoWith::repeat).
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct WithRepeat<S, F, Fut> {
    state: Option<S>,
    body: F,
    #[pin]
    run: Run<Fut>,
}

impl<S, F, Fut> WithRepeat<S, F, Fut> {
    pub(super) fn new(state: S, body: F) -> Self {
        Self { state: Some(state), body, run: Run::Next }
    }
}

opaque_debug!(WithRepeat<S, F, Fut>);

impl<S, F, Fut> Future for WithRepeat<S, F, Fut>
where
    F: FnMut(S) -> Fut,
    Fut: Future<Output = Result<S>>,
{
    type Output = Result<Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.run.drive(
            cx,
            &mut (this.state, this.body),
            |(state, body)| ControlFlow::Continue(body(take(state))),
            |(state, ..), value| put(state, value),
        )
    }
}
