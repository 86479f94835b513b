//! A loop with a state that counts.

use std::ops::{ControlFlow, Range};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::{put, take};
use crate::combinators::opaque_debug;
use crate::combinators::run::Run;
use crate::error::Result;

/// The future of [`DoWith::times`](super::DoWith::times).
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct WithTimes<S, N, F, Fut> {
    state: Option<S>,
    numbers: Range<N>,
    body: F,
    #[pin]
    run: Run<Fut>,
}

impl<S, N, F, Fut> WithTimes<S, N, F, Fut> {
    pub(super) fn new(state: S, n: N, body: F) -> Self
    where
        N: Default,
    {
        Self { state: Some(state), numbers: N::default()..n, body, run: Run::Next }
    }
}

opaque_debug!(WithTimes<S, N, F, Fut>);

impl<S, N, F, Fut> Future for WithTimes<S, N, F, Fut>
where
    Range<N>: Iterator<Item = N>,
    F: FnMut(S, N) -> Fut,
    Fut: Future<Output = Result<S>>,
{
    type Output = Result<S>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.run.drive(
            cx,
            &mut (this.state, this.numbers, this.body),
            |(state, numbers, body)| match numbers.next() {
                Some(i) => ControlFlow::Continue(body(take(state), i)),
                None => ControlFlow::Break(take(state)),
            },
            |(state, ..), value| put(state, value),
        )
    }
}
