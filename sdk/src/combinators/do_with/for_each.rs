//! A loop with a state over the items of an iterator.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use super::{put, take};
use crate::combinators::opaque_debug;
use crate::combinators::run::Run;
use crate::error::Result;

/// The future of [`DoWith::for_each`](super::DoWith::for_each).
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct WithForEach<S, I, F, Fut> {
    state: Option<S>,
    items: I,
    body: F,
    #[pin]
    run: Run<Fut>,
}

impl<S, I, F, Fut> WithForEach<S, I, F, Fut> {
    pub(super) fn new(state: S, items: I, body: F) -> Self {
        Self { state: Some(state), items, body, run: Run::Next }
    }
}

opaque_debug!(WithForEach<S, I, F, Fut>);

impl<S, I, F, Fut> Future for WithForEach<S, I, F, Fut>
where
    I: Iterator,
    F: FnMut(S, I::Item) -> Fut,
    Fut: Future<Output = Result<S>>,
{
    type Output = Result<S>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.run.drive(
            cx,
            &mut (this.state, this.items, this.body),
            |(state, items, body)| match items.next() {
                Some(item) => ControlFlow::Continue(body(take(state), item)),
                None => ControlFlow::Break(take(state)),
            },
            |(state, ..), value| put(state, value),
        )
    }
}
