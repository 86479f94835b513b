//! Handles that can be cloned. The same operations, one at a time, in the order of asking.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::clock::Lack;
use crate::error::{Error, Result, Status};
use crate::metadata::Metadata;
use crate::sync::Mutex;

use super::closed::Closed;
use super::encode_once::EncodeOnce;
use super::message::Message;
use super::reader::{AsyncReader, read_timed_out};
use super::timeout::{Clock, Patience, TimedOut, Timeout};
use super::turn::{TurnQueue, TurnTicket};
use super::writer::AsyncWriter;

/// A handle and the queue of those who want it. The mutex is free whenever a turn begins, because
/// only the one whose turn it is locks it, and only during a poll.
struct Queued<H> {
    turn: TurnQueue,
    handle: Mutex<H>,
}

impl<H> Queued<H> {
    fn new(handle: H) -> Arc<Self> {
        Arc::new(Self { turn: TurnQueue::default(), handle: Mutex::new(handle) })
    }

    /// Polls an operation when its turn has come, and lets the next one in when it is done.
    fn poll_in_turn<T>(
        &self,
        ticket: &mut Option<TurnTicket>,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut H, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        ready!(self.turn.poll_turn(ticket, cx));
        let polled = operation(&mut self.handle.lock(), cx);
        if polled.is_ready() {
            self.turn.leave(ticket);
        }
        polled
    }
}

/// A waiting operation's ticket, given back when the operation is dropped.
struct InTurn<H> {
    queued: Arc<Queued<H>>,
    ticket: Option<TurnTicket>,
}

impl<H> InTurn<H> {
    fn new(queued: &Arc<Queued<H>>) -> Self {
        Self { queued: Arc::clone(queued), ticket: None }
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut H, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.queued.poll_in_turn(&mut self.ticket, cx, operation)
    }
}

impl<H> Drop for InTurn<H> {
    fn drop(&mut self) {
        self.queued.turn.leave(&mut self.ticket);
    }
}

/// An [`AsyncReader`] that can be cloned: made by [`AsyncReader::shared`].
///
/// Reads that overlap take turns in the order in which they were first polled, so each message goes
/// to exactly one of them. **On drop** of the last clone and the last pending read, as for
/// [`AsyncReader`].
pub struct SharedReader<T>(Arc<Queued<AsyncReader<T>>>);

impl<T: Message> SharedReader<T> {
    pub(super) fn new(reader: AsyncReader<T>) -> Self {
        Self(Queued::new(reader))
    }

    /// Reads the next message; `None` when the peer has ended its direction. As
    /// [`AsyncReader::read`], after the reads asked for before.
    ///
    /// **Cancel safety**: dropping the future leaves the queue and loses nothing.
    pub fn read(&self) -> SharedRead<T> {
        SharedRead {
            turn: InTurn::new(&self.0),
            clock: Clock::Counts,
            patience: Patience::default(),
        }
    }

    /// Waits for the metadata that a server sends before its first message. As
    /// [`AsyncReader::initial_metadata`]; it waits for no turn, so others can read meanwhile.
    ///
    /// **Cancel safety**: dropping the future loses nothing.
    ///
    /// # Errors
    /// How the stream ended, if it has before anything of an answer came.
    pub async fn initial_metadata(&self) -> Result<Metadata> {
        let stream = self.0.handle.lock().stream().clone();
        poll_fn(|_| stream.poll_initial_metadata()).await
    }
}

impl<T> Clone for SharedReader<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for SharedReader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedReader").finish_non_exhaustive()
    }
}

/// The future of [`SharedReader::read`]. It owns what it needs.
#[must_use = "futures do nothing unless polled"]
pub struct SharedRead<T> {
    turn: InTurn<AsyncReader<T>>,
    clock: Clock,
    patience: Patience,
}

impl<T: Message> SharedRead<T> {
    /// Gives this read at most `limit`, counted from the first poll, the time in the queue
    /// included. The stream stays usable after a timeout, and no message is lost.
    pub fn timeout(mut self, limit: Duration) -> Timeout<Self> {
        self.clock = Clock::Off;
        Timeout::new(self, limit)
    }
}

impl<T: Message> Future for SharedRead<T> {
    type Output = Result<Option<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match this.turn.poll(cx, AsyncReader::poll_read) {
            Poll::Pending => {
                let read_timeout =
                    this.turn.queued.handle.lock().stream().link().config().read_timeout;
                let limit = ready!(this.patience.poll(&mut this.clock, read_timeout, cx));
                Poll::Ready(Err(match limit {
                    Ok(limit) => this.timed_out_by(limit, "read_timeout"),
                    Err(lack) => this.no_timer(lack),
                }))
            }
            ready => ready,
        }
    }
}

impl<T: Message> SharedRead<T> {
    fn timed_out_by(&self, limit: Duration, setting: &str) -> Error {
        read_timed_out(self.turn.queued.handle.lock().stream(), limit, setting)
    }
}

impl<T: Message> TimedOut for SharedRead<T> {
    fn timed_out(&self, limit: Duration) -> Error {
        self.timed_out_by(limit, "timeout of the read")
    }

    fn no_timer(&self, lack: Lack) -> Error {
        self.turn.queued.handle.lock().stream().subject().no_timer(lack)
    }
}

impl<T> fmt::Debug for SharedRead<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRead").finish_non_exhaustive()
    }
}

/// An [`AsyncWriter`] that can be cloned: made by [`AsyncWriter::shared`].
///
/// Writes that overlap take turns in the order in which they were first polled; messages are never
/// interleaved. **On drop** of the last clone and the last pending write, as for [`AsyncWriter`].
pub struct SharedWriter<T>(Arc<Queued<AsyncWriter<T>>>);

impl<T: Message> SharedWriter<T> {
    pub(super) fn new(writer: AsyncWriter<T>) -> Self {
        Self(Queued::new(writer))
    }

    /// Writes one message: ready once it is queued. As [`AsyncWriter::write`], after the writes
    /// asked for before.
    ///
    /// **Cancel safety**: dropping the future leaves the whole message queued, or nothing of it.
    pub fn write(&self, message: T) -> SharedWrite<T> {
        SharedWrite {
            turn: InTurn::new(&self.0),
            message: Some(EncodeOnce::Message(message)),
            clock: Clock::Counts,
            patience: Patience::default(),
        }
    }

    /// Ends this direction for all clones, after the writes asked for before. Later writes of a
    /// client fail. In a handler clones can still write, because the stream ends when the handler
    /// returns. As [`AsyncWriter::finish`].
    ///
    /// # Errors
    /// How the stream ended, if it is over already and not well.
    pub async fn finish(&self) -> Result<()> {
        let mut turn = InTurn::new(&self.0);
        poll_fn(|cx| turn.poll(cx, AsyncWriter::poll_finish)).await
    }

    /// Waits until the stream is over, and gives the error that writes give from then on. As
    /// [`AsyncWriter::closed`]; it waits for no turn, so others can write meanwhile.
    ///
    /// **Cancel safety**: dropping the future changes nothing.
    pub async fn closed(&self) -> Error {
        let stream = self.0.handle.lock().stream().clone();
        Closed::new(&stream).await
    }

    /// Breaks the stream off with a status for all clones, at once: operations that wait fail. As
    /// [`AsyncWriter::fail`].
    pub fn fail(&self, status: impl Into<Status>) {
        let status = status.into();
        self.0.handle.lock().break_off(&status);
    }
}

impl<T> Clone for SharedWriter<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for SharedWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedWriter").finish_non_exhaustive()
    }
}

/// The future of [`SharedWriter::write`]. It owns what it needs.
#[must_use = "futures do nothing unless polled"]
pub struct SharedWrite<T: Message> {
    turn: InTurn<AsyncWriter<T>>,
    message: Option<EncodeOnce<T>>,
    clock: Clock,
    patience: Patience,
}

impl<T: Message> SharedWrite<T> {
    /// Gives this write at most `limit`, counted from the first poll, the time in the queue
    /// included. After a timeout nothing of the message was sent, and the stream stays usable.
    pub fn timeout(mut self, limit: Duration) -> Timeout<Self> {
        self.clock = Clock::Off;
        Timeout::new(self, limit)
    }
}

// The message is never pinned.
impl<T: Message> Unpin for SharedWrite<T> {}

impl<T: Message> Future for SharedWrite<T> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        match this.turn.poll(cx, |writer, cx| writer.poll_write(&mut this.message, cx)) {
            Poll::Pending => {
                let write_timeout = this.turn.queued.handle.lock().default_limit();
                let limit = ready!(this.patience.poll(&mut this.clock, write_timeout, cx));
                let error = this.turn.queued.handle.lock().out_of_patience(limit);
                Poll::Ready(Err(error))
            }
            ready => ready,
        }
    }
}

impl<T: Message> TimedOut for SharedWrite<T> {
    fn timed_out(&self, limit: Duration) -> Error {
        self.turn.queued.handle.lock().write_timed_out(limit, "timeout of the write")
    }

    fn no_timer(&self, lack: Lack) -> Error {
        self.turn.queued.handle.lock().stream().subject().no_timer(lack)
    }
}

impl<T: Message> Drop for SharedWrite<T> {
    fn drop(&mut self) {
        if self.turn.ticket.is_some() {
            // Only the one whose turn it is can have a ticket; for another, the handle is busy and
            // there is nothing to give back.
            let cx = Context::from_waker(std::task::Waker::noop());
            if self.turn.queued.turn.poll_turn(&mut self.turn.ticket, &cx).is_ready() {
                self.turn.queued.handle.lock().stop_waiting();
            }
        }
    }
}

impl<T: Message> fmt::Debug for SharedWrite<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedWrite").finish_non_exhaustive()
    }
}

/// An [`AsyncReaderWriter`](super::AsyncReaderWriter) that can be cloned. Reads queue among reads,
/// writes among writes; a read and a write do not wait for each other.
pub struct SharedReaderWriter<R, W> {
    reader: SharedReader<R>,
    writer: SharedWriter<W>,
}

impl<R: Message, W: Message> SharedReaderWriter<R, W> {
    pub(super) fn new(reader: AsyncReader<R>, writer: AsyncWriter<W>) -> Self {
        Self { reader: reader.shared(), writer: writer.shared() }
    }

    /// Reads the next message; see [`SharedReader::read`].
    pub fn read(&self) -> SharedRead<R> {
        self.reader.read()
    }

    /// Waits for the metadata that a server sends before its first message; see
    /// [`SharedReader::initial_metadata`].
    ///
    /// **Cancel safety**: dropping the future loses nothing.
    ///
    /// # Errors
    /// How the stream ended, if it has before anything of an answer came.
    pub async fn initial_metadata(&self) -> Result<Metadata> {
        self.reader.initial_metadata().await
    }

    /// Writes one message; see [`SharedWriter::write`].
    pub fn write(&self, message: W) -> SharedWrite<W> {
        self.writer.write(message)
    }

    /// Ends the writing direction for all clones; reading goes on. See [`SharedWriter::finish`].
    ///
    /// # Errors
    /// How the stream ended, if it is over already and not well.
    pub async fn finish_writing(&self) -> Result<()> {
        self.writer.finish().await
    }

    /// Waits until the stream is over, and gives the error that writes give from then on; see
    /// [`SharedWriter::closed`].
    ///
    /// **Cancel safety**: dropping the future changes nothing.
    pub async fn closed(&self) -> Error {
        self.writer.closed().await
    }

    /// Breaks the stream off with a status for all clones, at once; see [`SharedWriter::fail`].
    pub fn fail(&self, status: impl Into<Status>) {
        self.writer.fail(status);
    }

    /// Ends the writing direction, after the operations asked for before, drops what was not read,
    /// and waits for the peer's final status. In a handler it returns at once. See
    /// [`AsyncReaderWriter::finish`](super::AsyncReaderWriter::finish).
    ///
    /// # Errors
    /// How the stream ended, if not well.
    pub async fn finish(&self) -> Result<Metadata> {
        self.writer.finish().await?;
        let mut turn = InTurn::new(&self.reader.0);
        let mut discarded = false;
        poll_fn(|cx| {
            turn.poll(cx, |reader, cx| {
                if !reader.stream().is_client() {
                    return Poll::Ready(Ok(Metadata::new()));
                }
                if !std::mem::replace(&mut discarded, true) {
                    reader.discard();
                }
                reader.poll_finished(cx)
            })
        })
        .await
    }

    /// The two directions as handles of their own.
    #[must_use]
    pub fn split(self) -> (SharedReader<R>, SharedWriter<W>) {
        (self.reader, self.writer)
    }
}

impl<R, W> Clone for SharedReaderWriter<R, W> {
    fn clone(&self) -> Self {
        Self { reader: self.reader.clone(), writer: self.writer.clone() }
    }
}

impl<R, W> fmt::Debug for SharedReaderWriter<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedReaderWriter").finish_non_exhaustive()
    }
}
