//! Waiting for the end of a stream, beside what is written to it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::driver::Watcher;
use crate::error::Error;

use super::core::StreamRef;

/// The future of [`AsyncWriter::closed`](super::AsyncWriter::closed).
///
/// **On drop** nothing happens to the stream.
#[must_use = "futures do nothing unless polled"]
pub struct Closed<'a> {
    stream: &'a StreamRef,
    /// Where its task waits, while it does.
    watcher: Option<Watcher>,
}

impl<'a> Closed<'a> {
    pub(super) fn new(stream: &'a StreamRef) -> Self {
        Self { stream, watcher: None }
    }
}

impl Future for Closed<'_> {
    type Output = Error;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Error> {
        let Self { stream, watcher } = &mut *self;
        let coop = ready!(tokio::task::coop::poll_proceed(cx));
        let ending = ready!(stream.link().poll_closed(stream.key(), watcher, cx));
        coop.made_progress();
        Poll::Ready(stream.error(&ending))
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        if let Some(watcher) = self.watcher.take() {
            self.stream.link().stop_watching(self.stream.key(), watcher);
        }
    }
}

impl fmt::Debug for Closed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").field("stream", self.stream).finish_non_exhaustive()
    }
}
