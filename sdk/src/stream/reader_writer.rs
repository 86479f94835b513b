//! Both halves of a stream.

use std::future::poll_fn;

use crate::error::{Result, Status};
use crate::metadata::Metadata;
use crate::transport::PeerAddr;

use super::closed::Closed;
use super::core::StreamRef;
use super::message::Message;
use super::reader::{AsyncReader, Read};
use super::shared::SharedReaderWriter;
use super::writer::{AsyncWriter, Write};

/// Reads messages of type `R` and writes messages of type `W` on one stream; the two directions are
/// independent of each other.
///
/// To read and write at the same time, [`split`](Self::split) it or make it
/// [`shared`](Self::shared).
///
/// **On drop** at a client, before the end, the stream is broken off and the peer's handler is
/// told. In a handler, dropping means nothing: the stream ends with the handler's outcome.
#[derive(Debug)]
pub struct AsyncReaderWriter<R, W> {
    /// In a box, because a handler's future holds its handle several times over.
    halves: Box<(AsyncReader<R>, AsyncWriter<W>)>,
}

impl<R: Message, W: Message> AsyncReaderWriter<R, W> {
    pub(crate) fn new(stream: StreamRef) -> Self {
        stream.begin_writing();
        Self { halves: Box::new((AsyncReader::new(stream.clone()), AsyncWriter::new(stream))) }
    }

    /// Reads the next message; `None` when the peer has ended its direction. See
    /// [`AsyncReader::read`].
    ///
    /// **Cancel safety**: dropping the future loses nothing.
    pub fn read(&mut self) -> Read<'_, R> {
        self.halves.0.read()
    }

    /// Writes one message: ready once it is queued. See [`AsyncWriter::write`].
    ///
    /// **Cancel safety**: dropping the future leaves the whole message queued, or nothing of it.
    pub fn write(&mut self, message: W) -> Write<'_, W> {
        self.halves.1.write(message)
    }

    /// The two halves, each usable in a task of its own.
    #[must_use]
    pub fn split(self) -> (AsyncReader<R>, AsyncWriter<W>) {
        *self.halves
    }

    /// The two halves, borrowed, to read and write at the same time in one task.
    #[must_use]
    pub fn halves(&mut self) -> (&mut AsyncReader<R>, &mut AsyncWriter<W>) {
        let (reader, writer) = &mut *self.halves;
        (reader, writer)
    }

    /// Ends the writing direction of a client; reading goes on, and writes fail afterwards. In a
    /// handler it does nothing, and writes go on: a server's direction ends with its handler.
    ///
    /// # Errors
    /// How the stream ended, if it is over already and not well.
    pub async fn finish_writing(&mut self) -> Result<()> {
        poll_fn(|cx| self.halves.1.poll_finish(cx)).await
    }

    /// Ends the writing direction, drops what was not read and what still comes, and waits for the
    /// peer's final status. Gives the metadata of that status. In a handler it returns at once: the
    /// stream ends when the handler returns.
    ///
    /// Dropping the future breaks the stream off.
    ///
    /// # Errors
    /// How the stream ended, if not well.
    pub async fn finish(mut self) -> Result<Metadata> {
        self.finish_writing().await?;
        if !self.halves.0.stream().is_client() {
            return Ok(Metadata::new());
        }
        self.halves.0.discard();
        poll_fn(|cx| self.halves.0.poll_finished(cx)).await
    }

    /// Waits for the metadata that a server sends before its first message. See
    /// [`AsyncReader::initial_metadata`].
    ///
    /// **Cancel safety**: dropping the future loses nothing.
    ///
    /// # Errors
    /// How the stream ended, if it has before anything of an answer came.
    pub async fn initial_metadata(&mut self) -> Result<Metadata> {
        self.halves.0.initial_metadata().await
    }

    /// The metadata with which the peer ended the stream, once reading has come to the end.
    #[must_use]
    pub fn metadata(&self) -> Option<&Metadata> {
        self.halves.0.metadata()
    }

    /// Waits until the stream is over, and gives the error that writes give from then on. See
    /// [`AsyncWriter::closed`].
    ///
    /// **Cancel safety**: dropping the future changes nothing.
    pub fn closed(&self) -> Closed<'_> {
        self.halves.1.closed()
    }

    /// The address of the peer that this stream is with.
    #[must_use]
    pub fn peer(&self) -> &PeerAddr {
        self.halves.0.peer()
    }

    /// Breaks the stream off with a status, which the peer's reader gives as it is. See
    /// [`AsyncWriter::fail`].
    pub fn fail(self, status: impl Into<Status>) {
        self.halves.1.fail(status);
    }

    /// Makes handles that can be cloned and used at the same time; reads take turns among
    /// themselves, and so do writes.
    #[must_use]
    pub fn shared(self) -> SharedReaderWriter<R, W> {
        let (reader, writer) = self.split();
        SharedReaderWriter::new(reader, writer)
    }
}
