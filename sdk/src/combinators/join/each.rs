//! Any number of children of one type.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::slot::Slot;
use super::{Children, Inputs, TryChildren, sealed};
use crate::combinators::opaque_debug;
use crate::error::{Error, Result};

/// Any number of futures of one type, as a join keeps them.
///
/// Each has its own place on the heap, where it stays pinned.
pub struct Each<F: Future> {
    slots: Vec<Slot<Pin<Box<F>>>>,
}

opaque_debug!(Each<F: Future>);

impl<F: Future> Each<F> {
    pub(in crate::combinators) fn new(futures: impl IntoIterator<Item = F>) -> Self {
        Self { slots: futures.into_iter().map(|future| Slot::Running(Box::pin(future))).collect() }
    }

    /// Polls one child and hands its outcome out at once.
    pub(in crate::combinators) fn poll_output(
        &mut self,
        index: usize,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        self.slot(index).poll(cx).map(|()| self.slot(index).take())
    }

    fn slot(&mut self, index: usize) -> Pin<&mut Slot<Pin<Box<F>>>> {
        Pin::new(&mut self.slots[index])
    }
}

impl<F: Future> Children for Each<F> {
    type Outputs = Vec<F::Output>;

    fn count(&self) -> usize {
        self.slots.len()
    }

    fn poll_child(self: Pin<&mut Self>, index: usize, cx: &mut Context<'_>) -> Poll<()> {
        self.get_mut().slot(index).poll(cx)
    }

    fn take_outputs(self: Pin<&mut Self>) -> Self::Outputs {
        self.get_mut().slots.drain(..).map(|mut slot| Pin::new(&mut slot).take()).collect()
    }
}

impl<F, T> TryChildren for Each<F>
where
    F: Future<Output = Result<T>>,
{
    type Values = Vec<T>;

    fn take_error(self: Pin<&mut Self>, index: usize) -> Option<Error> {
        self.get_mut().slot(index).take_error()
    }

    fn take_values(self: Pin<&mut Self>) -> Self::Values {
        self.get_mut().slots.drain(..).map(|mut slot| Pin::new(&mut slot).take_value()).collect()
    }

    fn clear(self: Pin<&mut Self>) {
        self.get_mut().slots.clear();
    }
}

/// The kind of [`Inputs`] that are iterated over.
#[derive(Debug)]
pub struct Iterated;

impl<I> Inputs<Iterated> for I
where
    I: IntoIterator,
    I::Item: Future,
{
    type Children = Each<I::Item>;

    fn into_children(self) -> Self::Children {
        Each::new(self)
    }
}

impl<I> sealed::Inputs<Iterated> for I
where
    I: IntoIterator,
    I::Item: Future,
{
}

impl<F: Future> sealed::Children for Each<F> {}
