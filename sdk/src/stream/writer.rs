//! The writing half of a stream.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Sink;

use crate::clock::Lack;
use crate::driver::{SendError, Sender};
use crate::error::{Error, ErrorKind, Origin, Reason, Result, Status};
use crate::metadata::Metadata;
use crate::transport::PeerAddr;

use super::closed::Closed;
use super::core::StreamRef;
use super::encode_once::EncodeOnce;
use super::errors::{outcome, send_error};
use super::message::Message;
use super::shared::SharedWriter;
use super::timeout::{Clock, Patience, TimedOut, Timeout};

/// Writes messages of type `T` to a stream, one at a time.
///
/// A write is ready once its message is queued for the socket. It waits while the peer gives no
/// credit or the connection has no room, so a slow peer slows its writer down and nothing else.
///
/// Also a [`futures::Sink`] of `T`, which holds back at most one message until it is flushed.
///
/// **On drop** at a client, without [`finish`](Self::finish): the stream is broken off, so that the
/// peer can never mistake half of the messages for all of them. In a handler, dropping means
/// nothing: the stream ends with the handler's outcome.
pub struct AsyncWriter<T> {
    stream: StreamRef,
    /// Most writers write now and then and have nothing to keep: this is there for those who wait,
    /// have a send buffer or are finished.
    state: Option<Box<WriterState<T>>>,
}

struct WriterState<T> {
    sender: Sender,
    /// The message that the sink was given last.
    held: Option<HeldMessage<T>>,
    patience: Patience,
    finished: bool,
}

impl<T> Default for WriterState<T> {
    fn default() -> Self {
        Self {
            sender: Sender::default(),
            held: None,
            patience: Patience::default(),
            finished: false,
        }
    }
}

/// The warning for a side whose write has waited for so long while it does not read.
const WRITES: &str = "a write has waited for more than 10 s until the peer reads, and messages of the peer are not read here: if it \
    waits for the same, read() lets both go on; split() and shared() give handles to do both at once";

/// A message of the sink.
struct HeldMessage<T> {
    message: EncodeOnce<T>,
    clock: Clock,
}

impl<T: Message> AsyncWriter<T> {
    pub(crate) fn new(stream: StreamRef) -> Self {
        Self { stream, state: None }
    }

    /// Writes one message: ready once it is queued.
    ///
    /// Waits for the peer's credit and for room in the connection; [`timeout`](Write::timeout)
    /// bounds that, or the `write_timeout` of the channel or server. The borrow makes a second
    /// write at the same time a compile error; [`shared`](Self::shared) gives handles that queue
    /// instead.
    ///
    /// **Cancel safety**: dropping the future leaves the whole message queued, or nothing of it. It
    /// was queued only if the future was ready.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] if the message is too large: nothing was sent, and the stream goes on.
    /// Else how the stream ended, with the peer's status if it gave some.
    pub fn write(&mut self, message: T) -> Write<'_, T> {
        Write { writer: self, message: Some(EncodeOnce::Message(message)), clock: Clock::Counts }
    }

    /// Ends this direction. A client tells the peer that no more messages come; in a handler this
    /// only gives up the handle, because the stream ends when the handler returns.
    ///
    /// Ready at once, unless a message of the sink must be written first. Dropping the future
    /// before it is ready breaks the stream off at a client.
    ///
    /// # Errors
    /// How the stream ended, if it is over already and not well.
    pub async fn finish(mut self) -> Result<()> {
        poll_fn(|cx| self.poll_finish(cx)).await
    }

    /// Waits until the stream is over, and gives the error that writes give from then on: for those
    /// who write now and then, and want to know before the next message that nobody takes it.
    ///
    /// That is a stream that the peer has ended, well or not, a lost connection, and an end on this
    /// side. A client that has ended its input is not the end of a handler's stream. Waits for as
    /// long as the stream lives; any number of tasks may wait.
    ///
    /// **Cancel safety**: dropping the future changes nothing. When it is ready, so is every later
    /// one.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use trill::prost::Message;
    /// # use trill::{AsyncWriter, Result};
    /// # #[derive(Clone, PartialEq, Message)]
    /// # #[prost(prost_path = "trill::prost")]
    /// # pub struct Tick {}
    /// # #[expect(dead_code)]
    /// async fn tick(mut writer: AsyncWriter<Tick>) -> Result<()> {
    ///     let mut interval = tokio::time::interval(Duration::from_secs(60));
    ///     loop {
    ///         tokio::select! {
    ///             why = writer.closed() => return Err(why),
    ///             _ = interval.tick() => writer.write(Tick {}).await?,
    ///         }
    ///     }
    /// }
    /// ```
    pub fn closed(&self) -> Closed<'_> {
        Closed::new(&self.stream)
    }

    /// The address of the peer that this stream is with.
    #[must_use]
    pub fn peer(&self) -> &PeerAddr {
        self.stream.link().peer()
    }

    /// Makes handles that can be cloned and used at the same time; their writes take turns in the
    /// order of asking.
    #[must_use]
    pub fn shared(self) -> SharedWriter<T> {
        SharedWriter::new(self)
    }

    /// Breaks the stream off with a status: the peer's reader gives its code, number, text
    /// and details, behind the messages that were written before.
    ///
    /// At once, in both directions. Nothing happens if the stream is over. In a handler, the stream
    /// and with it the handler end here. With [`Cancel::HalfClose`](crate::trpc::Cancel) a
    /// client's status does not reach the server, whose handler sees the end of its input: say in a
    /// message that it is not complete.
    pub fn fail(self, status: impl Into<Status>) {
        self.break_off(&status.into());
    }

    pub(super) fn break_off(&self, status: &Status) {
        self.stream.reset(outcome(status, Metadata::new()));
    }

    pub(super) fn stream(&self) -> &StreamRef {
        &self.stream
    }

    pub(super) fn poll_write(
        &mut self,
        message: &mut Option<EncodeOnce<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        ready!(self.poll_held(cx))?;
        self.poll_send(message, cx)
    }

    /// Sends `message` and takes it out, or leaves it where it is.
    #[inline]
    fn poll_send(
        &mut self,
        message: &mut Option<EncodeOnce<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        let Some(ready) = message.as_mut() else { return Poll::Ready(Ok(())) };
        if self.is_finished() {
            return Poll::Ready(Err(self.finished_error()));
        }
        let stream = &self.stream;
        if let Some(compression) = stream.compression() {
            ready!(ready.poll_compressed(compression, stream.link().peer_key(), cx));
        }
        let len = ready.size();
        // Most messages go this way, so it is short.
        let sent = match self.state.as_deref() {
            Some(WriterState { sender, .. }) => match sender.send(len, &*ready) {
                Ok(sent) => sent,
                Err(ready) => ready!(self.poll_link(ready, len, cx)),
            },
            None => ready!(self.poll_link(ready, len, cx)),
        };
        *message = None;
        Poll::Ready(match sent {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failed(error)),
        })
    }

    /// Asks the connection to take a message of `len` bytes.
    #[inline(never)]
    fn poll_link(
        &mut self,
        message: &EncodeOnce<T>,
        len: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let stream = &self.stream;
        let mut fresh = Sender::default();
        let sender = self.state.as_mut().map_or(&mut fresh, |state| &mut state.sender);
        let polled = stream.link().poll_send(stream.key(), len, sender, cx, message);
        if polled.is_pending() && sender.take_stuck() {
            stream.warn_stuck(WRITES);
        }
        if fresh.is_used() {
            self.state().sender = fresh;
        }
        polled
    }

    #[cold]
    fn finished_error(&self) -> Error {
        let (reason, text) = (Reason::WriteAfterFinish, "write after finish");
        self.stream.subject().error(ErrorKind::Closed, Origin::Caller, reason, text)
    }

    #[cold]
    fn failed(&self, error: SendError) -> Error {
        send_error(error, &self.stream.subject())
    }

    #[inline]
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.is_holding() { self.poll_held_message(cx) } else { Poll::Ready(Ok(())) }
    }

    #[inline(never)]
    fn poll_held_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(HeldMessage { message, clock }) = self.state().held.take() else {
            return Poll::Ready(Ok(()));
        };
        let mut message = Some(message);
        let polled = self.poll_send(&mut message, cx);
        self.state().held = message.map(|message| HeldMessage { message, clock });
        polled
    }

    /// The same, for no longer than the default limit. After that the message is still held.
    fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let polled = self.poll_held(cx);
        let default = self.default_limit();
        if polled.is_pending()
            && let WriterState { held: Some(held), patience, .. } = self.state()
        {
            let limit = ready!(patience.poll(&mut held.clock, default, cx));
            held.clock = Clock::Counts;
            return Poll::Ready(Err(self.out_of_patience(limit)));
        }
        polled
    }

    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_held(cx))?;
        if self.is_finished() || !self.stream.is_client() {
            return Poll::Ready(Ok(()));
        }
        self.state().finished = true;
        self.stream.finish_writing();
        let failed = self.stream.ending().map(|ending| self.stream.error(&ending));
        Poll::Ready(match failed {
            Some(error) if error.kind() != ErrorKind::Closed => Err(error),
            _ => Ok(()),
        })
    }

    /// How long an operation may wait that does not say so itself.
    pub(super) fn default_limit(&self) -> Option<Duration> {
        self.stream.link().config().write_timeout
    }

    #[inline(never)]
    fn poll_patience(&mut self, clock: &mut Clock, cx: &mut Context<'_>) -> Poll<Error> {
        let limit = self.default_limit();
        if limit.is_none() || *clock == Clock::Off {
            return Poll::Pending;
        }
        let limit = ready!(self.state().patience.poll(clock, limit, cx));
        Poll::Ready(self.out_of_patience(limit))
    }

    /// The error of a write for which the default limit has passed, or could not be kept.
    #[cold]
    pub(super) fn out_of_patience(&self, limit: Result<Duration, Lack>) -> Error {
        match limit {
            Ok(limit) => self.write_timed_out(limit, "write_timeout"),
            Err(lack) => self.stream.subject().no_timer(lack),
        }
    }

    pub(super) fn write_timed_out(&self, limit: Duration, setting: &str) -> Error {
        let backlog = self.stream.link().backlog(self.stream.key());
        let waited_for = match backlog.uncredited {
            Some(uncredited) if !self.waits_for_room() => format!(
                "the peer gave no credit: it has not read {} bytes of this stream, its window is {}",
                uncredited.bytes, uncredited.window
            ),
            _ => {
                format!(
                    "the connection had no room: {} bytes wait for the peer to take them",
                    backlog.queued
                )
            }
        };
        let text = format!(
            "nothing could be written within {limit:?} ({setting}), {waited_for}; nothing was sent"
        );
        self.stream.subject().error(ErrorKind::Timeout, Origin::Peer, Reason::WriteTimeout, text)
    }
}

impl<T> AsyncWriter<T> {
    fn state(&mut self) -> &mut WriterState<T> {
        self.state.get_or_insert_default()
    }

    fn is_finished(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.finished)
    }

    fn is_holding(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.held.is_some())
    }

    fn waits_for_room(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.sender.waits_for_room())
    }

    /// Gives up a ticket in the queue for room.
    #[inline]
    pub(super) fn stop_waiting(&mut self) {
        if let Some(state) = &mut self.state
            && state.sender.waits_for_room()
        {
            self.stream.link().stop_sending(self.stream.key(), &mut state.sender);
        }
    }
}

impl<T> Drop for AsyncWriter<T> {
    fn drop(&mut self) {
        self.stop_waiting();
        if !self.is_finished() && self.stream.is_client() {
            self.stream.drop_writer();
        }
    }
}

impl<T: Message + Unpin> Sink<T> for AsyncWriter<T> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_flushed(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: T) -> Result<()> {
        debug_assert!(!self.is_holding(), "start_send without poll_ready");
        self.state().held =
            Some(HeldMessage { message: EncodeOnce::Message(message), clock: Clock::Counts });
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_flushed(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_flushed(cx))?;
        self.poll_finish(cx)
    }
}

impl<T> fmt::Debug for AsyncWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncWriter").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// The future of [`AsyncWriter::write`].
#[must_use = "futures do nothing unless polled"]
pub struct Write<'a, T: Message> {
    writer: &'a mut AsyncWriter<T>,
    message: Option<EncodeOnce<T>>,
    clock: Clock,
}

impl<T: Message> Write<'_, T> {
    /// Gives this write at most `limit`, counted from the first poll, whatever the `write_timeout`
    /// is. After a timeout nothing of the message was sent, and the stream stays usable.
    ///
    /// # Errors
    /// In addition: [`ErrorKind::Timeout`].
    pub fn timeout(mut self, limit: Duration) -> Timeout<Self> {
        self.clock = Clock::Off;
        Timeout::new(self, limit)
    }
}

// The message is never pinned.
impl<T: Message> Unpin for Write<'_, T> {}

impl<T: Message> Future for Write<'_, T> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        let polled = this.writer.poll_write(&mut this.message, cx);
        if polled.is_pending()
            && let Poll::Ready(error) = this.writer.poll_patience(&mut this.clock, cx)
        {
            return Poll::Ready(Err(error));
        }
        polled
    }
}

impl<T: Message> TimedOut for Write<'_, T> {
    fn timed_out(&self, limit: Duration) -> Error {
        self.writer.write_timed_out(limit, "timeout of the write")
    }

    fn no_timer(&self, lack: Lack) -> Error {
        self.writer.stream.subject().no_timer(lack)
    }
}

impl<T: Message> Drop for Write<'_, T> {
    fn drop(&mut self) {
        self.writer.stop_waiting();
    }
}

impl<T: Message> fmt::Debug for Write<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write").field("writer", &self.writer).finish_non_exhaustive()
    }
}
