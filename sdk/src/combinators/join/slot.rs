//! One child of a join.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;

use crate::error::{Error, Result};

/// A child that runs, or the outcome that it left.
#[pin_project(project = SlotProjection, project_replace = SlotOwned)]
pub(super) enum Slot<F: Future> {
    Running(#[pin] F),
    Finished(F::Output),
    Empty,
}

impl<F: Future> Slot<F> {
    /// Polls the child. Ready means that it finished just now; then it is dropped and its outcome
    /// kept.
    pub(super) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let SlotProjection::Running(child) = self.as_mut().project() else {
            // A child may wake itself in the very poll that finishes it.
            return Poll::Pending;
        };
        let output = ready!(child.poll(cx));
        self.set(Self::Finished(output));
        Poll::Ready(())
    }

    /// Takes the outcome of a finished child.
    pub(super) fn take(self: Pin<&mut Self>) -> F::Output {
        match self.project_replace(Self::Empty) {
            SlotOwned::Finished(output) => output,
            SlotOwned::Running(_) | SlotOwned::Empty => {
                panic!("only the outcome of a finished child is taken, once")
            }
        }
    }

    /// Drops the child or its outcome.
    pub(super) fn clear(mut self: Pin<&mut Self>) {
        self.set(Self::Empty);
    }
}

impl<F, T> Slot<F>
where
    F: Future<Output = Result<T>>,
{
    /// The error of a finished child, if it failed.
    pub(super) fn take_error(mut self: Pin<&mut Self>) -> Option<Error> {
        match self.as_mut().project() {
            SlotProjection::Finished(Err(_)) => self.take().err(),
            _ => None,
        }
    }

    /// The value of a child that succeeded.
    pub(super) fn take_value(self: Pin<&mut Self>) -> T {
        self.take().expect("the first failure ends the join, so all that are left succeeded")
    }
}
