//! The one answer of a call.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::time::Sleep;

use crate::clock::sleep_until;
use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::metadata::Metadata;

use super::call_end::CallEnd;
use super::errors::{OwnWriter, Subject, timed_out};
use super::message::Message;
use super::reader::AsyncReader;
use super::timeout::poll_time;

/// An answer with what came beside it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Response<T> {
    /// The message.
    pub message: T,
    /// The metadata that came before the message. Over tRPC it is empty: there all metadata of the
    /// answer comes with its end.
    pub initial_metadata: Metadata,
    /// The metadata of the answer's end. Servers of tRPC-Cpp and tRPC-Go send the request's
    /// metadata back in it.
    pub metadata: Metadata,
    /// Bytes beside the message; only unary answers can have some.
    pub attachment: Bytes,
}

impl<T> Response<T> {
    pub(crate) fn new(
        message: T,
        initial_metadata: Metadata,
        metadata: Metadata,
        attachment: Bytes,
    ) -> Self {
        Self { message, initial_metadata, metadata, attachment }
    }

    /// The message alone.
    #[must_use]
    pub fn into_message(self) -> T {
        self.message
    }
}

/// The future answer to a client stream.
///
/// Ready when the server has ended the call: with its message, or with the error. That may be
/// before the writer has finished. The stream's limit of time counts until the message is unpacked
/// and decoded. **On drop** the answer is not wanted any more, and the writer may go on. **Cancel
/// safety**: polling it through `&mut` and dropping the borrow loses nothing.
///
/// # Panics
/// When it is polled after it was ready.
///
/// # Errors
/// How the call ended, if not well. A server that ends the call well but without a message, or with
/// two, broke the protocol.
#[must_use = "futures do nothing unless polled"]
pub struct Reply<T> {
    reader: AsyncReader<T>,
    message: Option<T>,
    /// When its time has passed, if its message is unpacked or decoded for long.
    late: Option<Pin<Box<Sleep>>>,
    /// Its outcome was given, and there is no other.
    done: bool,
}

impl<T: Message> Reply<T> {
    pub(crate) fn new(reader: AsyncReader<T>) -> Self {
        Self { reader, message: None, late: None, done: false }
    }

    /// The answer together with its metadata.
    ///
    /// # Errors
    /// As for the future itself.
    pub async fn response(mut self) -> Result<Response<T>> {
        let message = (&mut self).await?;
        let initial = self.initial_metadata().await?;
        let metadata = self.reader.metadata().cloned().unwrap_or_default();
        Ok(Response::new(message, initial, metadata, Bytes::new()))
    }

    /// Waits for the metadata that comes before the answer. See [`AsyncReader::initial_metadata`].
    ///
    /// **Cancel safety**: dropping the future loses nothing.
    ///
    /// # Errors
    /// How the call ended, if it has before anything of an answer came.
    pub async fn initial_metadata(&mut self) -> Result<Metadata> {
        self.reader.initial_metadata().await
    }

    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Result<T>> {
        loop {
            // PROTOCOL 31
            // The message alone proves nothing: tRPC-Cpp sends an empty one before an error. The
            // end decides.
            match ready!(self.reader.poll_read(cx))? {
                Some(_) if self.message.is_some() => {
                    return Poll::Ready(Err(self.broken("the server answered more than once")));
                }
                Some(message) => self.message = Some(message),
                None => {
                    let message = self.message.take();
                    return Poll::Ready(message.ok_or_else(|| {
                        self.broken("the server ended the call without an answer")
                    }));
                }
            }
        }
    }

    /// Waits until the call's time has passed, while its message is unpacked or decoded. For all
    /// else the connection does.
    #[cold]
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let stream = self.reader.stream();
        let Some(deadline) = stream.deadline().filter(|_| self.reader.is_at_work()) else {
            return Poll::Pending;
        };
        if self.late.is_none() {
            match sleep_until(deadline) {
                Ok(late) => self.late = Some(Box::pin(late)),
                Err(lack) => return Poll::Ready(stream.subject().no_timer(lack)),
            }
        }
        let late = self.late.as_mut().expect("it was set above");
        ready!(poll_time(late.as_mut(), cx));
        // The answer has come, so this does not wait for the writer.
        let error = timed_out(&Subject { writing: OwnWriter::None, ..stream.subject() });
        self.reader.discard();
        Poll::Ready(error)
    }

    fn broken(&self, text: &str) -> Error {
        self.reader.stream().subject().error(
            ErrorKind::Protocol,
            Origin::Peer,
            Reason::NoMessage,
            text,
        )
    }
}

// The message is never pinned.
impl<T> Unpin for Reply<T> {}

impl<T: Message> Future for Reply<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        if self.done {
            let method = self.reader.stream().subject().method;
            panic!("the answer of {method} was polled after it was done");
        }
        let outcome = match self.poll_outcome(cx) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => Err(ready!(self.poll_overdue(cx))),
        };
        self.done = true;
        if let Err(error) = &outcome {
            self.reader.stream().tell_end(CallEnd::Failed(error));
        }
        Poll::Ready(outcome)
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}
