//! The parts that the halves of a stream have in common.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::driver::{Ending, Fit, Link, Outcome, StreamKey};
use crate::error::{Error, Reason, Result};
use crate::metadata::Metadata;
use crate::sync::{AtomicBool, Ordering};

use super::call_end::CallEnd;
use super::compression::Compression;
use super::errors::{OwnWriter, Subject, TimeLimit, ending_error};

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
    /// Hears once of the end of a client's stream. A server's ends with its handler.
    on_end: Option<fn(&'static str, CallEnd<'_>)>,
    is_told: AtomicBool,
    /// A writer is there that is not finished.
    is_writing: AtomicBool,
    /// A client dropped its writer like that, and broke the stream off with it.
    is_writer_dropped: AtomicBool,
}

impl Core {
    fn tell_end(&self, how: CallEnd<'_>) {
        if let Some(on_end) = self.on_end
            && !self.is_told.swap(true, Ordering::Relaxed)
        {
            on_end(self.method, how);
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if self.on_end.is_some() && !self.is_told.load(Ordering::Relaxed) {
            let ending = self.link.ending(self.key);
            self.tell_end(ending.as_ref().map_or(CallEnd::Dropped, CallEnd::of_ending));
        }
        self.link.release(self.key);
    }
}

impl StreamRef {
    /// A stream of the peer's.
    pub(crate) fn of_server(
        link: Link,
        key: StreamKey,
        method: &'static str,
        compression: Option<Compression>,
    ) -> Self {
        Self(Arc::new(Core {
            link,
            key,
            method,
            client: false,
            compression,
            limit: None,
            on_end: None,
            is_told: AtomicBool::new(false),
            is_writing: AtomicBool::new(false),
            is_writer_dropped: AtomicBool::new(false),
        }))
    }

    /// A stream of this side. `on_end` hears once how it ended: as soon as one of the handles does,
    /// and else when the last of them is dropped.
    pub(crate) fn of_client(
        link: Link,
        key: StreamKey,
        method: &'static str,
        compression: Option<Compression>,
        limit: Option<TimeLimit>,
        on_end: fn(&'static str, CallEnd<'_>),
    ) -> Self {
        Self(Arc::new(Core {
            link,
            key,
            method,
            client: true,
            compression,
            limit: limit.map(Box::new),
            on_end: Some(on_end),
            is_told: AtomicBool::new(false),
            is_writing: AtomicBool::new(false),
            is_writer_dropped: AtomicBool::new(false),
        }))
    }

    /// Tells how a client's stream ended, unless that is told.
    pub(crate) fn tell_end(&self, how: CallEnd<'_>) {
        self.0.tell_end(how);
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
            writing: self.writing(),
            limit: self.0.limit.as_deref().copied(),
        }
    }

    fn writing(&self) -> OwnWriter {
        if !self.0.client {
            OwnWriter::None
        } else if self.0.is_writer_dropped.load(Ordering::Relaxed) {
            OwnWriter::Dropped
        } else if self.0.is_writing.load(Ordering::Relaxed) {
            OwnWriter::Open
        } else {
            OwnWriter::None
        }
    }

    /// There is a writer, for errors that ask for its end.
    pub(crate) fn begin_writing(&self) {
        self.0.is_writing.store(true, Ordering::Relaxed);
    }

    /// A client has said all.
    pub(super) fn finish_writing(&self) {
        self.0.is_writing.store(false, Ordering::Relaxed);
        self.link().half_close(self.key());
    }

    /// A client's writer is gone that was not finished.
    pub(super) fn drop_writer(&self) {
        if self.ending().is_none() {
            self.0.is_writer_dropped.store(true, Ordering::Relaxed);
            let text = "the client dropped its writer before finish()";
            self.reset(Outcome::failed(Reason::Cancelled, text));
        }
    }

    /// Says in the log that both sides may wait for each other.
    #[cold]
    pub(crate) fn warn_stuck(&self, text: &str) {
        tracing::warn!(method = self.0.method, peer = %self.0.link.peer(), "{text}");
    }

    /// The error of an operation that comes after the end.
    pub(crate) fn error(&self, ending: &Ending) -> Error {
        self.tell_end(CallEnd::of_ending(ending));
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
