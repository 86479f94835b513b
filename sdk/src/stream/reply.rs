//! The one answer of a call.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::error::{Code, Error, ErrorKind, Origin, Result};
use crate::metadata::Metadata;

use super::message::Message;
use super::reader::AsyncReader;

/// An answer with what came beside it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Response<T> {
    /// The message.
    pub message: T,
    /// The metadata of the answer. Servers of tRPC-Cpp and tRPC-Go send the request's metadata back in it.
    pub metadata: Metadata,
    /// Bytes beside the message; only unary answers can have some.
    pub attachment: Bytes,
}

impl<T> Response<T> {
    pub(crate) fn new(message: T, metadata: Metadata, attachment: Bytes) -> Self {
        Self { message, metadata, attachment }
    }

    /// The message alone.
    #[must_use]
    pub fn into_message(self) -> T {
        self.message
    }
}

/// The future answer to a client stream.
///
/// Ready when the server has ended the call: with its message, or with the error. That may be before the writer has finished.
/// **On drop** the answer is not wanted any more, and the writer may go on. **Cancel safety**: polling it through `&mut` and
/// dropping the borrow loses nothing.
///
/// # Panics
/// When it is polled after it was ready.
///
/// # Errors
/// How the call ended, if not well. A server that ends the call well but without a message, or with two, broke the protocol.
#[must_use = "futures do nothing unless polled"]
pub struct Reply<T> {
    reader: AsyncReader<T>,
    message: Option<T>,
    /// Its outcome was given, and there is no other.
    done: bool,
}

impl<T: Message> Reply<T> {
    pub(crate) fn new(reader: AsyncReader<T>) -> Self {
        Self { reader, message: None, done: false }
    }

    /// The answer together with its metadata.
    ///
    /// # Errors
    /// As for the future itself.
    pub async fn response(mut self) -> Result<Response<T>> {
        let message = (&mut self).await?;
        let metadata = self.reader.metadata().cloned().unwrap_or_default();
        Ok(Response::new(message, metadata, Bytes::new()))
    }

    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Result<T>> {
        loop {
            // The message alone proves nothing: tRPC-Cpp sends an empty one before an error. The end decides.
            match ready!(self.reader.poll_read(cx))? {
                Some(_) if self.message.is_some() => {
                    return Poll::Ready(Err(self.broken("the server answered more than once")));
                }
                Some(message) => self.message = Some(message),
                None => {
                    let message = self.message.take();
                    return Poll::Ready(
                        message.ok_or_else(|| self.broken("the server ended the call without an answer")),
                    );
                }
            }
        }
    }

    fn broken(&self, text: &str) -> Error {
        self.reader.stream().subject().error(
            ErrorKind::Protocol,
            Origin::Peer,
            Code::STREAM_CLIENT_READ_END,
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
        let outcome = ready!(self.poll_outcome(cx));
        self.done = true;
        Poll::Ready(outcome)
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}
