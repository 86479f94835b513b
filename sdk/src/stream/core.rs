//! The parts that the halves of a stream have in common.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::driver::{Ending, Fit, Link, Outcome, StreamKey};
use crate::error::{Error, Result};
use crate::metadata::Metadata;

use super::compression::Compression;
use super::ending::{Subject, TimeLimit, ending_error};

/// A hold on a stream. The stream is broken off when the last hold is dropped before the end.
#[derive(Clone, Debug)]
pub(crate) struct StreamRef(Arc<Core>);

#[derive(Debug)]
struct Core {
    link: Link,
    key: StreamKey,
    method: &'static str,
    client: bool,
    compression: Option<Compression>,
    /// How long the stream may live, for the error that says that it is over.
    limit: Option<Box<TimeLimit>>,
}

impl Drop for Core {
    fn drop(&mut self) {
        self.link.release(self.key);
    }
}

impl StreamRef {
    pub(crate) fn new(
        link: Link,
        key: StreamKey,
        method: &'static str,
        client: bool,
        compression: Option<Compression>,
        limit: Option<TimeLimit>,
    ) -> Self {
        Self(Arc::new(Core { link, key, method, client, compression, limit: limit.map(Box::new) }))
    }

    pub(crate) fn link(&self) -> &Link {
        &self.0.link
    }

    pub(crate) fn key(&self) -> StreamKey {
        self.0.key
    }

    pub(crate) fn is_client(&self) -> bool {
        self.0.client
    }

    /// How messages are compressed, in both directions.
    pub(crate) fn compression(&self) -> Option<Compression> {
        self.0.compression
    }

    /// When the stream's time has passed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.limit.as_ref()?.deadline
    }

    /// Whom errors speak of.
    pub(crate) fn subject(&self) -> Subject {
        Subject {
            method: Cow::Borrowed(self.0.method),
            peer: self.0.link.peer_text(),
            client: self.0.client,
            stream: true,
            limit: self.0.limit.as_deref().copied(),
        }
    }

    /// Says in the log that both sides may wait for each other.
    #[cold]
    pub(crate) fn warn_stuck(&self, text: &str) {
        tracing::warn!(method = self.0.method, peer = %self.0.link.peer(), "{text}");
    }

    pub(crate) fn error(&self, ending: &Ending) -> Error {
        ending_error(ending, &self.subject())
    }

    pub(crate) fn ending(&self) -> Option<Ending> {
        self.0.link.ending(self.0.key)
    }

    /// The metadata that comes before the first message: the outcome of a stream has it. Until the
    /// end there is nothing to wait for on tRPC, which has no place for it.
    pub(crate) fn poll_initial_metadata(&self) -> Poll<Result<Metadata>> {
        Poll::Ready(Ok(match self.ending() {
            Some(Ending::Closed(outcome) | Ending::Reset(outcome)) => outcome.initial.clone(),
            _ => Metadata::new(),
        }))
    }

    /// Ends a server's stream with the outcome of its handler.
    pub(crate) fn close(&self, outcome: Outcome) -> Fit {
        self.0.link.close_stream(self.0.key, outcome)
    }

    pub(crate) fn reset(&self, outcome: Outcome) {
        self.0.link.reset(self.0.key, outcome);
    }
}
